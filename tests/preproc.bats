#!/usr/bin/env bats
# preproc: frames of any size to 28x28 as MNIST makes them. The pictures are MNIST's test digits
# enlarged by Netpbm.

bats_require_minimum_version 1.5.0
load helper

digits() {
    mnist2pgm "$@" "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
}

# pixels: those of a stream of frames of 28x28, nothing else.
pixels() {
    ffmpeg -v error -f image2pipe -c:v pgm -i - -f rawvideo -
}

# difference A B: how much the gray levels of two streams of 28x28 frames differ, in the mean over eight
# frames, at the most.
difference() {
    paste <(pixels <"$1" | od -An -v -tu1 -w1) <(pixels <"$2" | od -An -v -tu1 -w1) |
        awk -v eight=6272 'NF == 2 { d = $1 - $2; s += d < 0 ? -d : d }
            NF == 2 && NR % eight == 0 { if (s > most) most = s; s = 0 }
            END { print NF == 2 && NR % eight == 0 ? int(most / eight) : "none" }'
}

@test "MNIST's own frames pass unchanged, facts and all" {
    digits >"$BATS_TEST_TMPDIR/in.pgm"
    preproc "$BATS_TEST_TMPDIR/in.pgm" >"$BATS_TEST_TMPDIR/out.pgm"
    pixels <"$BATS_TEST_TMPDIR/in.pgm" >"$BATS_TEST_TMPDIR/in.bare"
    pixels <"$BATS_TEST_TMPDIR/out.pgm" | cmp - "$BATS_TEST_TMPDIR/in.bare"
    [ "$(wc -c <"$BATS_TEST_TMPDIR/in.bare")" = 784000 ]
    [ "$(grep -ac '^# label=' "$BATS_TEST_TMPDIR/out.pgm")" = 1000 ]
    [ "$(grep -ac '^# box=' "$BATS_TEST_TMPDIR/out.pgm")" = 1000 ]
}

@test "what preproc has made passes preproc unchanged" {
    digits -r 0:50 | pamexec 'pamenlarge 5' | preproc >"$BATS_TEST_TMPDIR/once.pgm"
    preproc "$BATS_TEST_TMPDIR/once.pgm" >"$BATS_TEST_TMPDIR/twice.pgm"
    [ "$(grep -ac '^# box=' "$BATS_TEST_TMPDIR/once.pgm")" = 50 ]
    cmp "$BATS_TEST_TMPDIR/once.pgm" "$BATS_TEST_TMPDIR/twice.pgm"
}

# bats test_tags=once
@test "a digit comes out alike at every size, in either polarity, at 9 places of 3 canvases" {
    cd "$BATS_TEST_TMPDIR"
    digits -r 0:8 >digits.pgm
    for size in 60 200 700; do
        pamexec "pamscale -width $size -height $size" digits.pgm >light.pgm
        pamexec pnminvert light.pgm >dark.pgm
        : >truth.pgm
        for place in {0.05,0.5,0.95}\ {0.05,0.5,0.95}; do
            cat digits.pgm >>truth.pgm
            echo "-width $((size * 3)) -height $((size * 2)) -halign ${place% *} -valign ${place#* }"
        done >places
        for ink in light dark; do
            paper=-black
            [ $ink = light ] || paper=-white
            while read -r place; do pamexec "pnmpad $paper $place" $ink.pgm; done <places | preproc >$ink.out
        done
        [ "$(difference truth.pgm light.out)" -le 9 ]
        [ "$(difference light.out dark.out)" -le 12 ]
    done
}

@test "a frame without a digit is all zero and has no box" {
    pgmmake 0.7 320 240 | preproc >"$BATS_TEST_TMPDIR/out.pgm"
    [ "$(head -c 2 "$BATS_TEST_TMPDIR/out.pgm")" = P5 ]
    [ "$(tail -c 784 "$BATS_TEST_TMPDIR/out.pgm" | tr -d '\0' | wc -c)" = 0 ]
    [ "$(grep -ac "^# box=" "$BATS_TEST_TMPDIR/out.pgm")" = 0 ]
}

@test "box and region are in the source's pixels" {
    digits -r 0:1 | pamscale -width 100 -height 100 | pnminvert |
        pnmpad -white -left 300 -top 40 -right 100 -bottom 160 >"$BATS_TEST_TMPDIR/in.pgm"
    whole=$(preproc "$BATS_TEST_TMPDIR/in.pgm" | grep -a '^# box=' | cut -d= -f2)
    region=$(preproc -r 280,20,150,200 "$BATS_TEST_TMPDIR/in.pgm" | grep -a '^# box=' | cut -d= -f2)
    [ "$whole" = "$region" ]
    IFS=, read -r x y w h <<<"$whole"
    # MNIST's first test digit, a 7, has its ink in 6..21 by 7..26 of 28.
    [ "$x" -ge 318 ]
    [ $((x + w)) -le 382 ]
    [ "$y" -ge 62 ]
    [ $((y + h)) -le 140 ]
    preproc -r 0,0,250,240 "$BATS_TEST_TMPDIR/in.pgm" >"$BATS_TEST_TMPDIR/none.pgm"
    [ "$(grep -ac "^# box=" "$BATS_TEST_TMPDIR/none.pgm")" = 0 ]
}

@test "a region outside the frame is an error that says so; the frame goes on, empty" {
    run bash -c "pgmmake 0.7 320 240 | preproc -r 400,0,10,10 2>&1 >'$BATS_TEST_TMPDIR/out.pgm'"
    [ "$status" = 1 ]
    [[ $output == *"frame 0: region 400,0,10,10 lies outside the frame of 320x240"* ]]
    [ "$(tail -c 784 "$BATS_TEST_TMPDIR/out.pgm" | tr -d '\0' | wc -c)" = 0 ]
}

@test "a bad file is reported and the rest is done" {
    digits -r 0:1 >"$BATS_TEST_TMPDIR/good.pgm"
    echo junk >"$BATS_TEST_TMPDIR/bad.pgm"
    run bash -c "cd '$BATS_TEST_TMPDIR' && preproc bad.pgm none.pgm good.pgm 2>err >out.pgm"
    [ "$status" = 1 ]
    grep -q '^preproc: bad.pgm: ' "$BATS_TEST_TMPDIR/err"
    grep -q '^preproc: none.pgm: ' "$BATS_TEST_TMPDIR/err"
    [ "$(grep -ac '^# box=' "$BATS_TEST_TMPDIR/out.pgm")" = 1 ]
}

@test "several digits and no -m: one warning, the largest is taken" {
    digits -r 0:1 | pamscale -width 120 -height 120 >"$BATS_TEST_TMPDIR/large.pgm"
    digits -r 1:2 | pamscale -width 90 -height 90 | pnmpad -black -height 120 >"$BATS_TEST_TMPDIR/small.pgm"
    pnmcat -lr "$BATS_TEST_TMPDIR/small.pgm" "$BATS_TEST_TMPDIR/large.pgm" >"$BATS_TEST_TMPDIR/both.pgm"
    cat "$BATS_TEST_TMPDIR/both.pgm" "$BATS_TEST_TMPDIR/both.pgm" |
        preproc 2>"$BATS_TEST_TMPDIR/err" >"$BATS_TEST_TMPDIR/out.pgm"
    [ "$(grep -c -- '-m reads all' "$BATS_TEST_TMPDIR/err")" = 1 ]
    [ "$(grep -ac '^# box=' "$BATS_TEST_TMPDIR/out.pgm")" = 2 ]
    x=$(grep -am1 '^# box=' "$BATS_TEST_TMPDIR/out.pgm" | cut -d= -f2 | cut -d, -f1)
    [ "$x" -gt 90 ]
}

@test "any -j gives the same frames in the same order" {
    digits -r 0:100 | pamexec 'pamenlarge 4' >"$BATS_TEST_TMPDIR/in.pgm"
    preproc "$BATS_TEST_TMPDIR/in.pgm" >"$BATS_TEST_TMPDIR/one.pgm"
    preproc -j 3 "$BATS_TEST_TMPDIR/in.pgm" >"$BATS_TEST_TMPDIR/three.pgm"
    cmp "$BATS_TEST_TMPDIR/one.pgm" "$BATS_TEST_TMPDIR/three.pgm"
}

# bats test_tags=once
@test "large frames are held as many as threads, and one more" {
    cd "$BATS_TEST_TMPDIR"
    for ((i = 0; i < 12; i++)); do printf 'P5 4096 4096 255\n' && head -c 16777216 /dev/zero; done >large.pgm
    one=$(peak preproc large.pgm)
    two=$(peak preproc -j 2 large.pgm)
    echo "$one MB, $two MB"
    # Each thread has memory for its work beside its frame.
    [ "$two" -le $((one * 3 + 20)) ]
}

@test "a source of 4,095 bytes passes whole" {
    cd "$BATS_TEST_TMPDIR"
    part=$(printf 'é%.0s' $(seq 120))
    folder=$part/$part/$part/$part/$part
    source=$folder/$(printf 'é%.0s' $(seq 81)).pgm
    mkdir -p "$folder"
    digits -r 0:1 | pnmtopnm >"$source" # which drops the facts
    encoded=$(camgrab -l "$folder")
    [ "${#encoded}" -eq 4095 ]
    [ "$(preproc "$source" | cnn-predict | cut -f 3)" = "$encoded" ]
    [ "$(camgrab "$source" | preproc | cnn-predict | cut -f 3)" = "$encoded" ]
}

@test "an answer comes while the pipe stays open" {
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    preproc <"$BATS_TEST_TMPDIR/fifo" >"$BATS_TEST_TMPDIR/out.pgm" 3>&- &
    exec 7>"$BATS_TEST_TMPDIR/fifo"
    digits -r 0:1 >&7
    wait_for test -s "$BATS_TEST_TMPDIR/out.pgm"
    exec 7>&-
    wait $!
}

@test "an empty stream gives an empty stream" {
    [ "$(preproc </dev/null | wc -c)" = 0 ]
}

@test "a reader that goes away is no error; a full disk is" {
    digits >"$BATS_TEST_TMPDIR/in.pgm"
    run bash -c "preproc '$BATS_TEST_TMPDIR/in.pgm' 2>&1 >/dev/full"
    [ "$status" = 1 ]
    [[ $output == "preproc: standard output: No space left on device" ]]
    run bash -c "preproc '$BATS_TEST_TMPDIR/in.pgm' | head -c 10 >/dev/null"
    [ -z "$output" ]
}

@test "a file is not read while it is written to" {
    digits >"$BATS_TEST_TMPDIR/in.pgm"
    cd "$BATS_TEST_TMPDIR"
    size=$(wc -c <in.pgm)
    run bash -c 'preproc in.pgm >>in.pgm'
    [ "$status" -eq 1 ]
    [ "$output" = "preproc: in.pgm: is also the file to write to" ]
    run bash -c 'preproc <in.pgm >>in.pgm'
    [ "$status" -eq 1 ]
    [ "$output" = "preproc: standard input: is also the file to write to" ]
    [ "$(wc -c <in.pgm)" -eq "$size" ]
}

@test "no name and a name that steers terminals are said in print" {
    run preproc ''
    [ "$output" = "preproc: '': cannot open: No such file or directory" ]
    run preproc $'a\e[2Jb\u009b2Jcé'
    [ "$output" = "preproc: a?[2Jb??2Jcé: cannot open: No such file or directory" ]
}

@test "wrong options are refused with status 2" {
    for options in '-j 0' '-j x' '-r 1,2,3' '-r 0,0,0,5' '-r 1,1,9,9x' '-q'; do
        # shellcheck disable=SC2086
        run preproc $options
        [ "$status" = 2 ]
        [[ $output == *"usage: preproc"* ]]
    done
}

# row FROM TO GAP: digits of MNIST side by side, each 60 pixels high, as light ink.
row() {
    mkdir -p "$BATS_TEST_TMPDIR/row"
    rm -f "$BATS_TEST_TMPDIR"/row/*
    local i
    for ((i = $1; i < $2; i++)); do
        digits -r "$i:$((i + 1))" | pnmcrop -black 2>/dev/null | pamscale -height 60 |
            pnmpad -black -left "$3" -right "$3" >"$BATS_TEST_TMPDIR/row/$(printf %04d "$i").pgm"
    done
    pnmcat -lr "$BATS_TEST_TMPDIR"/row/*.pgm
}

# page: three lines of five digits, 72104, 07401 and 51244, dark on light.
page() {
    row 0 5 12 >"$BATS_TEST_TMPDIR/a.pgm"
    row 25 30 12 >"$BATS_TEST_TMPDIR/b.pgm"
    row 45 50 12 >"$BATS_TEST_TMPDIR/c.pgm"
    pgmmake 0 200 70 >"$BATS_TEST_TMPDIR/gap.pgm"
    pnmcat -tb -jleft -black "$BATS_TEST_TMPDIR"/{a,gap,b,gap,c}.pgm |
        pnmpad -black -left 40 -right 60 -top 50 -bottom 50 | pnminvert
}

# facts KEY FILE: the values of a fact, one a frame.
facts() {
    grep -a "^# $1=" "$2" | cut -d= -f2
}

@test "-m reads a page in reading order, with lines and words" {
    page >"$BATS_TEST_TMPDIR/page.pgm"
    preproc -m "$BATS_TEST_TMPDIR/page.pgm" >"$BATS_TEST_TMPDIR/out.pgm"
    [ "$(facts line "$BATS_TEST_TMPDIR/out.pgm" | tr -d '\n')" = 000001111122222 ]
    [ "$(facts word "$BATS_TEST_TMPDIR/out.pgm" | tr -d '\n')" = 000001111122222 ]
    [ "$(cnn-predict <"$BATS_TEST_TMPDIR/out.pgm" | cut -f1 | tr -d '\n')" = 721040740151244 ]
}

@test "-m reads a page on its side, upside down, and a tilted one" {
    for turn in 'pamflip -r90' 'pamflip -r180' 'pamflip -r270' 'pnmrotate -background=white 5' \
        'pnmrotate -background=white -5'; do
        page | $turn | preproc -m >"$BATS_TEST_TMPDIR/out.pgm"
        [ "$(facts line "$BATS_TEST_TMPDIR/out.pgm" | tr -d '\n')" = 000001111122222 ]
        [ "$(cnn-predict <"$BATS_TEST_TMPDIR/out.pgm" | cut -f1 | tr -d '\n')" = 721040740151244 ]
    done
}

@test "-m on ruled paper: the lines are no digits and no parts of digits" {
    page >"$BATS_TEST_TMPDIR/page.pgm"
    read -r w h < <(pamfile -size "$BATS_TEST_TMPDIR/page.pgm")
    pgmmake 1 "$w" 28 | pnmpad -black -bottom 2 >"$BATS_TEST_TMPDIR/rule.pgm"
    pnmtile "$w" "$h" "$BATS_TEST_TMPDIR/rule.pgm" | pamfunc -adder 110 >"$BATS_TEST_TMPDIR/ruled.pgm"
    pamarith -min "$BATS_TEST_TMPDIR/page.pgm" "$BATS_TEST_TMPDIR/ruled.pgm" |
        preproc -m >"$BATS_TEST_TMPDIR/out.pgm"
    # A frame that no digit is in may stand between them.
    read=$(cnn-predict <"$BATS_TEST_TMPDIR/out.pgm" | cut -f1 | tr -d '\n')
    echo "$read"
    [ "${read//-/}" = 721040740151244 ]
}

@test "-m takes touching digits apart" {
    row 0 5 0 | pnmpad -black -left 40 -right 40 -top 40 -bottom 40 | pnminvert |
        preproc -m >"$BATS_TEST_TMPDIR/out.pgm"
    [ "$(facts box "$BATS_TEST_TMPDIR/out.pgm" | wc -l)" = 5 ]
    [ "$(facts word "$BATS_TEST_TMPDIR/out.pgm" | tr -d '\n')" = 00000 ]
}

@test "-m reads numbers whose digits hang together" {
    local i
    for ((i = 20; i < 80; i += 5)); do
        row "$i" $((i + 5)) 0 | pnmpad -black -left 40 -right 40 -top 60 -bottom 60 | pnminvert
    done >"$BATS_TEST_TMPDIR/rows.pgm"
    digits -r 20:80 | grep -a '^# label=' | cut -d= -f2 | paste -sd '' | fold -w 5 >"$BATS_TEST_TMPDIR/truth"
    preproc -m "$BATS_TEST_TMPDIR/rows.pgm" | cnn-predict -w | cut -f1 >"$BATS_TEST_TMPDIR/read"
    paste "$BATS_TEST_TMPDIR/truth" "$BATS_TEST_TMPDIR/read"
    [ "$(comm -12 <(sort "$BATS_TEST_TMPDIR/truth") <(sort "$BATS_TEST_TMPDIR/read") | wc -l)" -ge 8 ]
}

@test "-m reads a page of such numbers whichever way it lies" {
    local i turn
    for i in 25 35 40 45; do
        row "$i" $((i + 5)) 0 | pnmpad -black -left 40 -right 40 -top 20 -bottom 20 >"$BATS_TEST_TMPDIR/line$i.pgm"
    done
    pnmcat -tb -jleft -black "$BATS_TEST_TMPDIR"/line*.pgm | pnminvert >"$BATS_TEST_TMPDIR/page.pgm"
    for turn in cat 'pamflip -r90' 'pamflip -r270'; do
        $turn "$BATS_TEST_TMPDIR/page.pgm" | preproc -m | cnn-predict -w | cut -f1 >"$BATS_TEST_TMPDIR/read"
        [ "$(grep -cxE '07401|27121|17423|51244' "$BATS_TEST_TMPDIR/read")" -ge 3 ]
    done
}

@test "-m on a page without digits gives one empty frame" {
    pgmmake 0.8 400 300 | preproc -m >"$BATS_TEST_TMPDIR/out.pgm"
    [ "$(grep -ac '^28 28$' "$BATS_TEST_TMPDIR/out.pgm")" = 1 ]
    [ "$(grep -ac "^# box=" "$BATS_TEST_TMPDIR/out.pgm")" = 0 ]
}

@test "-m finds digits in a row of boxes" {
    for i in 20 30 40; do
        row "$i" $((i + 5)) 0 | pnmpad -black -left 8 -right 8 -top 8 -bottom 8 | pnminvert |
            pnmpad -black -left 3 -right 3 -top 3 -bottom 3 | pnmpad -white -left 60 -right 60 -top 60 -bottom 60 |
            preproc -m
    done >"$BATS_TEST_TMPDIR/found.pgm"
    [ "$(grep -ac '^# box=' "$BATS_TEST_TMPDIR/found.pgm")" -ge 14 ]
}

@test "dim frames of MNIST are made bright" {
    digits -r 0:50 >"$BATS_TEST_TMPDIR/digits.pgm"
    preproc "$BATS_TEST_TMPDIR/digits.pgm" | cnn-predict | cut -f1 >"$BATS_TEST_TMPDIR/bright"
    pamexec 'pamfunc -multiplier 0.5' "$BATS_TEST_TMPDIR/digits.pgm" | preproc | cnn-predict | cut -f1 >"$BATS_TEST_TMPDIR/dim"
    cmp "$BATS_TEST_TMPDIR/bright" "$BATS_TEST_TMPDIR/dim"
}

@test "-x draws what the finder saw" {
    row 20 25 0 | pnmpad -black -left 40 -right 40 -top 40 -bottom 40 | pnminvert >"$BATS_TEST_TMPDIR/row.pgm"
    preproc -m -x "$BATS_TEST_TMPDIR/sight.ppm" "$BATS_TEST_TMPDIR/row.pgm" >"$BATS_TEST_TMPDIR/out.pgm"
    pamfile "$BATS_TEST_TMPDIR/sight.ppm" | grep PPM
    ppmtopgm "$BATS_TEST_TMPDIR/sight.ppm" | cmp -s - "$BATS_TEST_TMPDIR/row.pgm" && return 1
    [ "$(pamfile "$BATS_TEST_TMPDIR/sight.ppm" | grep -o '[0-9]* by [0-9]*')" = "$(pamfile "$BATS_TEST_TMPDIR/row.pgm" | grep -o '[0-9]* by [0-9]*')" ]
}

@test "-x writes over no file that is read, and over none before all options make sense" {
    cd "$BATS_TEST_TMPDIR"
    pgmmake 0.8 40 30 >in.pgm
    cp in.pgm before.pgm
    cp "$TREE/models/find.onnx" .
    ln in.pgm same.pgm
    for input in in.pgm 'before.pgm in.pgm' '- <in.pgm'; do
        run ! bash -c "preproc -x same.pgm $input"
        [[ $output == "preproc: "*": is also the file to write to" ]]
    done
    run ! preproc -M find.onnx -x find.onnx in.pgm
    [[ $output == "preproc: find.onnx: is also the file to write to" ]]
    for wrong in '-f none.form' '-r 0,0,9,9 -r 0,0,9,9' '-j 0'; do
        # shellcheck disable=SC2086 # several words
        run ! preproc -x in.pgm $wrong before.pgm
    done
    cmp in.pgm before.pgm
    cmp find.onnx "$TREE/models/find.onnx"
}

@test "-M or INKPIPE_FINDER names the finder; what is none is an error that says why" {
    local none=$BATS_TEST_TMPDIR/none.onnx
    for way in "preproc -M '$none'" "INKPIPE_FINDER='$none' preproc"; do
        run ! bash -c "$way </dev/null"
        [[ $output == "preproc: $none: cannot open: No such file or directory" ]]
    done
    run ! preproc -M "$TREE/models/default.onnx" </dev/null
    [[ $output == *"default.onnx: not a finder: it does not end in boxes"* ]]
    head -c 5000 "$TREE/models/find.onnx" >"$none"
    run ! preproc -M "$none" </dev/null
    [[ $output == "preproc: $none: "* ]]
    pgmmake 0.8 40 30 | INKPIPE_FINDER=$none preproc -M "$TREE/models/find.onnx" | pamfile | grep '28 by 28'
}

@test "without turn.onnx beside the finder a page is read as it lies; a broken one is an error" {
    cp "$TREE/models/find.onnx" "$BATS_TEST_TMPDIR"
    page | pamflip -r90 | preproc -m -M "$BATS_TEST_TMPDIR/find.onnx" >"$BATS_TEST_TMPDIR/out.pgm"
    [ "$(cnn-predict <"$BATS_TEST_TMPDIR/out.pgm" | cut -f1 | tr -d '\n')" != 721040740151244 ]
    local none=$BATS_TEST_TMPDIR/turn.onnx
    cp "$TREE/models/default.onnx" "$none"
    run ! preproc -M "$BATS_TEST_TMPDIR/find.onnx" </dev/null
    [[ $output == "preproc: $none: it does not make 4 values of 28x28 pixels" ]]
    head -c 5000 "$TREE/models/turn.onnx" >"$none"
    run ! preproc -M "$BATS_TEST_TMPDIR/find.onnx" </dev/null
    [[ $output == "preproc: $none: "* ]]
}

@test "without refine.onnx beside the finder this alone counts; a broken one is an error" {
    cp "$TREE/models/find.onnx" "$BATS_TEST_TMPDIR"
    page | preproc -m -M "$BATS_TEST_TMPDIR/find.onnx" | cnn-predict | cut -f1 | tr -d '\n' | grep 721040740151244
    local none=$BATS_TEST_TMPDIR/refine.onnx
    cp "$TREE/models/default.onnx" "$none"
    run ! preproc -M "$BATS_TEST_TMPDIR/find.onnx" </dev/null
    [[ $output == "preproc: $none: not a finder: it does not end in boxes" ]]
    head -c 5000 "$TREE/models/refine.onnx" >"$none"
    run ! preproc -M "$BATS_TEST_TMPDIR/find.onnx" </dev/null
    [[ $output == "preproc: $none: "* ]]
}

@test "where no finder is installed the error says where it was looked for" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cp "$B/preproc" "$BATS_TEST_TMPDIR/bin"
    [ ! -e /usr/local/share/inkpipe/find.onnx ] || skip "one is installed"
    run "$BATS_TEST_TMPDIR/bin/preproc" </dev/null
    [ "$status" = 1 ]
    [[ $output == "preproc: no model: name one with -M or INKPIPE_FINDER; neither /"*"/share/inkpipe/find.onnx nor the tree's models/find.onnx is there" ]]
}

# within SECONDS MB COMMAND...: it ends with a status of 0 in so much processor time and memory.
within() {
    python3 -c 'import resource, subprocess, sys
status = subprocess.run(sys.argv[3:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{used.ru_utime:.1f} s, {used.ru_maxrss >> 10} MB")
sys.exit(status or used.ru_utime > float(sys.argv[1]) or used.ru_maxrss >> 10 > int(sys.argv[2]))' "$@"
}

# bats test_tags=once
@test "pictures made to be hard take bounded time and memory" {
    cd "$BATS_TEST_TMPDIR"
    python3 - <<'END'
import random
random.seed(1)
side = 2000
def save(name, rows):
    with open(name, "wb") as file:
        file.write(b"P5 %d %d 255\n" % (side, side) + b"".join(rows))
save("noise.pgm", [random.randbytes(side) for _ in range(side)])
save("barcode.pgm", [bytes(255 * (x * x // 700 % 2) for x in range(side))] * side)
maze = [[255] * side for _ in range(side)]
rows = []
for y in range(side // 20):
    walls = [random.random() < 0.5 for _ in range(side // 20)]
    for j in range(20):
        rows.append(bytes(0 if (j < 4 and walls[x // 20]) or (x % 20 < 4 and not walls[x // 20]) else 230
                          for x in range(side)))
save("maze.pgm", rows)
dot = [bytes(255 * (x % 6 >= 3 or y % 6 >= 3) for x in range(side)) for y in range(6)] # 110,000 of them
save("dots.pgm", [dot[y % 6] for y in range(side)])
END
    for ((i = 0; i < 100; i++)); do echo "The quick brown fox has 0123456789 and 1,234.56 times over the lazy dog"; done |
        pbmtext | pbmtopgm 1 1 >print.pgm
    { printf 'P5 16384 16384 255\n' && head -c $((16384 * 16384)) /dev/zero; } >large.pgm
    printf 'P5 1 1 255\n\0' >one.pgm
    for many in '' -m; do
        for picture in noise barcode maze dots print one; do
            # shellcheck disable=SC2086 # no option is none
            within 5 150 preproc $many $picture.pgm
        done
        # shellcheck disable=SC2086
        within 10 700 preproc $many large.pgm
    done
}

# bats test_tags=once
@test "frames of many sizes take no more memory than one size does, a thread" {
    cd "$BATS_TEST_TMPDIR"
    for ((i = 0; i < 40; i++)); do
        ((w = 700 + i * 97 % 400, h = 700 + i * 61 % 400, 1))
        printf 'P5 %d %d 255\n' $w $h && head -c $((w * h)) /dev/zero
    done >sizes.pgm
    within 60 150 preproc -m sizes.pgm
    within 60 550 preproc -m -j 4 sizes.pgm
}
