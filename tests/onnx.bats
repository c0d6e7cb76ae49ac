# Models: our own in other runtimes, other tools' in ours, and bad ones in none.
# The runtimes are in the virtual environment that scripts/test makes of tests/requirements.txt.
load helper

PYTHON=${PYTHON:-$TREE/build/venv/bin/python}
MODELS=$DATA/models

setup() {
    cd "$BATS_TEST_TMPDIR"
}

compare() {
    "$PYTHON" "$TREE/tests/compare-onnx.py" "$B/tool/logits" "$@"
}

@test "a model we wrote gives the same answer in ONNX Runtime" {
    for net in "$TREE"/models/*.net "$TREE"/tests/fuzz/corpus/net/residual.net; do
        "$B/tool/logits" -s "$net" "$(basename "$net" .net).onnx"
    done
    run compare ./*.onnx
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -ge 2 ]
}

@test "a model we wrote is a valid one by the ONNX project's checker" {
    "$B/tool/logits" -s "$TREE/models/seed.net" seed.onnx
    "$PYTHON" -c 'import onnx; onnx.checker.check_model("seed.onnx", full_check=True)'
}

@test "a model of PyTorch, Keras, scikit-learn or the model zoo gives ONNX Runtime's answer" {
    run compare "$MODELS"/*.onnx
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -ge 60 ]
}

@test "every operator passes the ONNX project's node tests" {
    run "$PYTHON" "$TREE/tests/onnx-nodes.py" "$B/tool/logits"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ ${lines[-1]} =~ ^([0-9]+)\ passed,\ 0\ failed$ ]]
    [ "${BASH_REMATCH[1]}" -ge 340 ]
}

@test "a model read from another tool and written again gives the same answer" {
    for model in "$MODELS"/torch-*-dynamo.onnx "$MODELS"/{activations-20,enlarged,functions,gates,joined}.onnx \
        "$MODELS"/{nhwc-13,normed-21,qdq-13,quantized-operators,residual,sklearn-ovr,windows}.onnx; do
        "$B/tool/logits" -c "$model" "$(basename "$model")"
    done
    run compare ./*.onnx
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -ge 20 ]
}

@test "pixels, classes and probabilities are the model's, whatever its size, channels, outputs and last function" {
    mnist2pgm -r :40 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    run "$PYTHON" "$TREE/tests/compare-answers.py" "$(type -P cnn-predict)" digits.pgm \
        "$MODELS/answers"/{side-28-3,side-32-1,sigmoid,features}.onnx "$MODELS/answers/twins.onnx="{a,b}
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 6 ]
}

@test "a model of another size reads the frame scaled" {
    mnist2pgm -r :40 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    for side in 14-1 64-1 224-3; do
        run cnn-predict -S 1/255 -m "$MODELS/answers/side-$side.onnx" digits.pgm
        [ "$status" -eq 0 ]
        [ "${#lines[@]}" -eq 40 ]
    done
    printf 'P5 8 8 255\n%064d' 0 >frame.pgm
    run cnn-predict -S 1/255 -m "$MODELS/answers/side-32-1.onnx" frame.pgm
    [ "$status" -eq 1 ]
    [ "$output" = "cnn-predict: frame.pgm: frame 0: 8x8 pixels, but the model reads 32x32: put preproc before cnn-predict" ]
}

@test "classes are called as the model calls them" {
    run cnn-predict -o json -S 1/255 -m "$MODELS/sklearn-letters.onnx" <(printf 'P5 8 8 255\n\377%063d' 0)
    [[ $output = *'"probabilities":{"A":'*'"B":'*'"C":'*'"D":'*'"E":'* ]]
    run cnn-predict -o json -S 1/255 -m "$MODELS/sklearn-ovr.onnx" <(printf 'P5 8 8 255\n\377%063d' 0)
    [[ $output = *'"probabilities":{"3":'*'"1":'*'"4":'*'"5":'*'"9":'* ]]
}

@test "of outputs that may both be the answer one must be named" {
    printf 'P5 28 28 255\n%0784d' 0 >frame.pgm
    twins=$MODELS/answers/twins.onnx
    run cnn-predict -m "$twins" frame.pgm
    [ "$status" -eq 1 ]
    [ "$output" = "cnn-predict: $twins: 'a' and 'b' both may be the answer: name the output with -O" ]
    run cnn-predict -O c -m "$twins" frame.pgm
    [ "$status" -eq 1 ]
    [ "$output" = "cnn-predict: $twins: it has no output 'c'" ]
}

# (cnn-train.bats makes and runs these two models in every build.)
# bats test_tags=once
@test "a model in 8 bits gives ONNX Runtime's answers, in whichever integers that runs it" {
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    for net in seed default; do
        cnn-train -q -i "$TREE/models/$net.onnx" -o "$net.onnx" digits.pgm
        "$PYTHON" -c "import onnx; onnx.checker.check_model('$net.onnx', full_check=True)"
        "$PYTHON" "$TREE/tests/compare-int8.py" "$B/tool/logits" "$net.onnx" digits.pgm
    done
    run compare seed.onnx default.onnx # and the same as its definition in floats
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "bad models are refused with one line that says why" {
    printf 'P5 8 8 255\n%064d' 0 >frame.pgm
    cases=0
    while IFS= read -r name; do
        [[ $name = '' || $name = '#'* ]] && continue
        IFS= read -r message
        model=$MODELS/bad/$name.onnx
        echo "$name"
        run cnn-predict -m "$model" frame.pgm
        echo "$output"
        [ "$status" -eq 1 ]
        [ "$output" = "cnn-predict: $model: $message" ]
        cases=$((cases + 1))
    done <"$TREE/tests/onnx.cases"
    [ "$cases" -eq "$(ls "$MODELS"/bad | wc -l)" ]
    [ "$cases" -ge 130 ]
}

@test "a small model that asks for much memory is not given it" {
    # (An AddressSanitizer's own memory counts, too.)
    printf 'P5 8 8 255\n%064d' 0 >frame.pgm
    for name in bomb huge-side overflow deep wide-border depthwise large-input large-picture much-of-nothing doubled resize-large expand-large function-bomb function-names; do
        [ "$(peak cnn-predict -m "$MODELS/bad/$name.onnx" frame.pgm)" -lt 120 ]
    done
}

# bats test_tags=once
@test "of large frames no more are held than the model takes at once" {
    # A model of 242 bytes that reads 2048x2048 pixels: 128 of them would be half a gigabyte.
    base64 -d >"$BATS_TEST_TMPDIR/large.onnx" <<'END'
CAg6wwEKHAoBeBIBcRoBcSIRR2xvYmFsQXZlcmFnZVBvb2wKEgoBcRIBZhoBZiIHRmxhdHRlbgoh
CgFmCgFXEgF5GgF5IgRHZW1tKg0KBnRyYW5zQhgBoAECEgFnKjMICggBEAFCAVdKKM3MzL2rz1U9
4C2QOzPEMb0Rx7q9I9t5PdBEWDy7uA29VcGovU3zjj1aHgoBeBIZChcIARITCgMSAU4KAggBCgMI
gBAKAwiAEGIUCgF5Eg8KDQgBEgkKAxIBTgoCCApCBAoAEA1yIgoLaW5wdXRfc2NhbGUSEzAuMDAz
OTIxNTY4NjI3NDUwOTg=
END
    mnist2pgm -r 0:1 "$DATA/digits-images.gz" >"$BATS_TEST_TMPDIR/one.pgm"
    ulimit -v 1000000
    cnn-predict -m "$BATS_TEST_TMPDIR/large.onnx" "$BATS_TEST_TMPDIR/one.pgm" | grep 0.101
}
