#!/usr/bin/env bats
# Threads with 128 KiB of stack, which is all they get where musl is the C library: the work comes out
# as it does with the usual 8 MiB. (The compiler sees to it that no frame of lib/ is over 16 KiB.)
# bats file_tags=once

bats_require_minimum_version 1.5.0
load helper

setup() {
    PATH=$B/tool:$PATH
    cd "$BATS_TEST_TMPDIR"
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
}

# small COMMAND...: run it, and each thread it starts, with 128 KiB of stack.
small() {
    (ulimit -s 128 && exec "$@")
}

@test "preproc -j 2 finds the same digits" {
    paper -s 1 -c all -n 60 digits.pgm >single.pgm
    small preproc -j 2 single.pgm >small.pgm
    preproc single.pgm | cmp - small.pgm
    paper -s 1 -k sheet -n 2 digits.pgm >sheet.pgm
    small preproc -j 2 -m sheet.pgm >small.pgm
    preproc -m sheet.pgm | cmp - small.pgm
    # Working lines as long as a picture may be wide.
    { printf 'P5 16384 120 255\n' && head -c $((16384 * 120)) /dev/zero; } | small preproc -j 2 >small.pgm
    [ -s small.pgm ]
}

@test "cnn-predict -j 2 gives the same answers, in floats and in 8 bits" {
    cnn-train -q -v 100 -i "$TREE/models/default.onnx" -o int8.onnx digits.pgm
    for model in "$TREE/models/default.onnx" int8.onnx; do
        small cnn-predict -m "$model" -j 2 -o json digits.pgm >small.txt
        cnn-predict -m "$model" -o json digits.pgm | cmp - small.txt
    done
}

@test "cnn-train -j 2 makes the same model, in floats, in bf16 and in 8 bits" {
    for precision in fp32 bf16; do
        small cnn-train -j 2 -p $precision -n "$DATA/tiny.net" -e 1 -o small.onnx digits.pgm >/dev/null
        cnn-train -p $precision -n "$DATA/tiny.net" -e 1 -o usual.onnx digits.pgm >/dev/null
        cmp small.onnx usual.onnx
    done
    small cnn-train -j 2 -q -v 100 -i usual.onnx -o small.onnx digits.pgm
    cnn-train -q -v 100 -i usual.onnx -o other.onnx digits.pgm
    cmp small.onnx other.onnx
}
