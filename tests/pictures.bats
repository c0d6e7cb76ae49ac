# The scripts that make pictures: plot-confusion, plot-training, mistakes.
load helper
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    PATH=$B/tool:$PATH
    pixelmodel model.onnx
    export INKPIPE_MODEL=model.onnx
}

# show K LABEL: a labelled frame that the model takes for K.
show() {
    printf 'P5\n# label=%s\n28 28\n255\n' "$2"
    head -c $((28 * 14 + 9 + $1)) /dev/zero
    printf '\377'
    head -c $((783 - (28 * 14 + 9 + $1))) /dev/zero
}

# plain LABEL: a labelled frame with nothing in it.
plain() {
    printf 'P5\n# label=%s\n28 28\n255\n' "$1"
    head -c 784 /dev/zero
}

# pixel FILE X Y: a pixel of a PNG, as "red green blue".
pixel() {
    pngtopnm "$1" | pamcut "$2" "$3" 1 1 | ppmtoppm | pamtopnm | pamdepth -quiet 255 | tail -c 3 | od -An -tu1 | xargs
}

@test "plot-confusion shows right answers gray, wrong ones red" {
    { for _ in {1..9}; do show 7 7; done; show 0 7; } >in
    cnn-predict -e in >report
    plot-confusion report >plot.png
    pngtopnm plot.png | pamfile | grep -q '1360 by 700'
    plot-confusion <report | cmp - plot.png
    # colours of the plot's left half, but for the ones of letters
    pngtopnm plot.png | pamcut -right 680 | ppmhist -noheader | awk '{ print $1, $2, $3, $5 }' >colours
    awk '$1 == 217 && $2 == 222 && $3 == 227 { n = $4 } END { exit !(n > 1000) }' colours # one cell
    awk '$1 == 205 && $2 == 40 && $3 == 40 { n = $4 } END { exit !(n > 1000) }' colours   # another
}

@test "plot-confusion has a row for frames without a digit, where there are some" {
    { show 7 7; show 3 none; show 7 7; } >in
    cnn-predict -e in >report
    run -0 --separate-stderr bash -c 'plot-confusion report >plot.png'
    [ -z "$stderr" ]
    sed '/^ none/d' report | plot-confusion >without.png
    run ! cmp -s plot.png without.png
}

@test "plot-confusion does without any answer given" {
    show 7 7 >in
    cnn-predict -e -t 1 in >report || [ $? -eq 3 ]
    run -0 --separate-stderr plot-confusion report
    [ -z "$stderr" ]
}

@test "plot-training draws a line an epoch" {
    printf 'epoch\tloss\taccuracy\tvalidation_loss\tvalidation_accuracy\trate\tseconds\timages_per_second\n' >log
    printf '1\t2.1\t0.4\t1.3\t0.6\t0.001\t3\t100\n' >>log
    plot-training log >one.png
    printf '2\t0.9\t0.8\t0.5\t0.9\t0.002\t3\t100\n3\t0.4\t0.9\t0.2\t1\t0\t3\t100\n' >>log
    plot-training log >three.png
    plot-training <log | cmp - three.png
    # blue is drawn in both halves: more of it with more epochs
    for x in 0 680; do
        for name in one three; do
            pngtopnm $name.png | pamcut $x 100 660 450 | ppmhist -noheader |
                awk '$1 == 32 && $2 == 96 && $3 == 176 { n = $5 } END { print n + 0 }' >$name
        done
        [ "$(cat one)" -gt 20 ]
        [ "$(cat three)" -gt $(($(cat one) * 3)) ]
    done
}

@test "plot-training draws what cnn-train prints" {
    mnist2pgm -r :200 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" |
        cnn-train -n "$DATA/tiny.net" -o tiny.onnx -e 2 >log
    run -0 --separate-stderr plot-training log
    [ -z "$stderr" ]
}

@test "mistakes shows each frame that is read wrongly, the surest first" {
    { show 1 1; show 2 3; show 4 4; show 5 6 | tr '\377' '\200'; show 9 9; } >in
    run -0 --separate-stderr bash -c 'mistakes in >sheet.png'
    [ "$stderr" = "mistakes: 2 of 5 are read wrongly; 2 on the sheet" ]
    pngtopnm sheet.png | pamfile | grep -q '248 by 144'
    # each pixel of a frame is 4 on the sheet: that of class 2 is white, that of 5 gray
    [ "$(pixel sheet.png $((6 + 4 * (9 + 2) + 1)) $((6 + 4 * 14 + 1)))" = "255 255 255" ]
    [ "$(pixel sheet.png $((6 + 4 * (9 + 5) + 1)) $((6 + 4 * 14 + 1)))" = "0 0 0" ]
    [ "$(pixel sheet.png $((130 + 4 * (9 + 5) + 1)) $((6 + 4 * 14 + 1)))" = "128 128 128" ]
    mistakes -n 1 in 2>/dev/null | pngtopnm | pamfile | grep -q '124 by 144'
    cat in in in in in in | mistakes 2>/dev/null | pngtopnm | pamfile | grep -q '1240 by 282'
}

@test "mistakes reads folders of pictures, each as preproc makes it" {
    mnist2pgm -r :20 -d photos "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
    mkdir photos/none
    n=0
    for file in photos/7/*; do # as pictures that say nothing of themselves
        n=$((n + 1))
        pnmtopng -quiet "$file" >photos/none/$n.png
    done
    rm -r photos/7
    run -0 --separate-stderr bash -c "mistakes -m '$TREE/models/default.onnx' photos >sheet.png"
    [ "$stderr" = "mistakes: $n of 20 are read wrongly; $n on the sheet" ]
}

@test "mistakes passes models on and shows refused frames too" {
    mkdir "it's here"
    pixelmodel -l "9 8 7 6 5 4 3 2 1 0" "it's here/a model.onnx"
    show 7 2 >in
    run -0 --separate-stderr bash -c 'mistakes -m "it'"'"'s here/a model.onnx" in >sheet.png'
    [ "$stderr" = "mistakes: 0 of 1 are read wrongly; 0 on the sheet" ]
    { show 7 7; plain 3; } >in
    run -0 --separate-stderr bash -c 'mistakes in >sheet.png'
    [ "$stderr" = "mistakes: 1 of 2 are read wrongly; 1 on the sheet" ]
}

@test "mistakes: where there is no digit a digit is one, and no answer is not" {
    { show 7 7; show 3 none; plain none; } >in
    run -0 --separate-stderr bash -c 'mistakes in >sheet.png'
    [ "$stderr" = "mistakes: 1 of 3 are read wrongly; 1 on the sheet" ]
}

@test "bad input is told, and no picture comes out" {
    show 1 1 | sed '/^# label/d' >unlabelled
    echo junk >junk
    while read -r status command message; do
        echo "# $command" >&2
        # shellcheck disable=SC2086
        run -"$status" --separate-stderr bash -c "${command//+/ }"
        [ -z "$output" ]
        [[ $stderr == $message ]]
    done <<'END'
1 plot-confusion+junk plot-confusion: junk: not a report of cnn-predict -e
1 plot-confusion+absent plot-confusion: absent: cannot read it
1 plot-confusion+</dev/null plot-confusion: standard input: not a report of cnn-predict -e
2 plot-confusion+junk+junk plot-confusion: one report at a time
1 plot-training+junk plot-training: junk: not a table of cnn-train
1 plot-training+absent plot-training: absent: cannot read it
1 plot-training+$'\e[31m' plot-training: [?][[]31m: cannot read it
1 plot-confusion+$'\u202e' plot-confusion: [?][?][?]: cannot read it
2 plot-training+-x *usage: plot-training*
2 mistakes+-n+0+junk mistakes: -n 0: not a whole number from 1
1 mistakes+absent *absent*
1 mistakes+junk cnn-predict: *not a PGM frame*
1 mistakes+unlabelled mistakes: a frame has no label*
1 mistakes+-m+absent.onnx+unlabelled cnn-predict: absent.onnx: *
END
}

@test "-h fits on a screen" {
    for script in plot-confusion plot-training mistakes; do
        run -0 $script -h
        [[ ${lines[0]} == "usage: $script "* ]]
        [ "${#lines[@]}" -le 24 ]
        [ "$(awk 'length > 80' <<<"$output" | wc -l)" -eq 0 ]
    done
}

@test "what a report says is no command to gnuplot" {
    { for _ in {1..9}; do show 7 7; done; show 0 7; } >in
    cnn-predict -e in >report
    sed -i "s/^accuracy .*/&'; system('touch PWNED'); x='/; s/^expected calibration error .*/&'; system(\"touch PWNED\"); x='/" report
    plot-confusion report >plot.png
    [ ! -e PWNED ]
}
