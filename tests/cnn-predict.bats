# cnn-predict: frames to answers. Most tests use models of tests/tool/pixelmodel.c, whose answer is
# the position of the brightest of ten pixels.
load helper
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    PATH=$B/tool:$PATH
    pixelmodel model.onnx
    export INKPIPE_MODEL=model.onnx
}

teardown() {
    kill_background
}

# show K [VALUE [FACT...]]: a frame that shows class K by a pixel of VALUE (in octal; 377).
show() {
    local at=$((28 * 14 + 9 + $1)) value=${2:-377}
    shift $(($# < 2 ? $# : 2))
    printf 'P5\n'
    (($# == 0)) || printf '# %s\n' "$@"
    printf '28 28\n255\n'
    head -c $at /dev/zero
    printf "\\$value"
    head -c $((783 - at)) /dev/zero
}

# plain GRAY [SIDE]: a frame of one gray (in octal), 28x28 unless SIDE says another.
plain() {
    local side=${2:-28}
    printf 'P5 %d %d 255\n' "$side" "$side"
    head -c $((side * side)) /dev/zero | tr '\0' "\\$1"
}

@test "an answer is digit, probability, source, frame and box" {
    show 7 377 source=a%20b.jpg frame=12 box=3,4,50,60 time=1.5 other=x >in
    run -0 cnn-predict in
    [ "$output" = "7	0.943	a%20b.jpg	12	3,4,50,60" ]
}

@test "what a stream does not say is its name, a count and -" {
    { show 3; show 4; } >'my file'
    run -0 cnn-predict 'my file'
    [ "$output" = "3	0.943	my%20file	0	-
4	0.943	my%20file	1	-" ]
    run -0 pipe "cat 'my file' | cnn-predict | cut -f1,3,4"
    [ "$output" = "3	-	0
4	-	1" ]
}

@test "facts that make no sense are as if not there" {
    show 1 377 source= frame=-3 box=1,2,3 time=noon label=x line=a word=b >in
    run -0 cnn-predict in
    [ "$output" = "1	0.943	-	0	-" ]
}

@test "a source cannot break the line or steer a terminal" {
    show 1 377 "source=$(printf 'a\tb\033[2J')" >in
    run -0 cnn-predict in
    [ "$output" = "1	0.943	a?b?[2J	0	-" ]
}

@test "-k adds the digits that came next" {
    show 7 >in
    run -0 cnn-predict -k 2 in
    [ "$output" = "7	0.943	in	0	-	0:0.006	1:0.006" ]
    run -0 pipe "cnn-predict -k 9 in | tr '\t' '\n' | wc -l"
    [ "$output" -eq 14 ]
}

@test "-o json gives every probability, and the label" {
    show 7 377 label=1 box=1,2,3,4 >in
    run -0 cnn-predict -o json in
    [[ $output == '{"digit":"7","probability":0.942826,"source":"in","frame":0,"box":[1,2,3,4],"label":"1","probabilities":{"0":0.006353,"1":'* ]]
    [[ $output == *',"9":0.006353}}' ]]
    plain 0 >blank
    run -3 cnn-predict -o json blank
    [ "${lines[0]}" = '{"digit":null,"probability":null,"source":"blank","frame":0,"box":null,"label":null,"probabilities":null}' ]
}

@test "a frame of one gray is no digit, whatever the model thinks of it" {
    pixelmodel -g -5 darkest.onnx
    { plain 0; show 0 0 box=1,2,3,4; show 3; plain 377; } >in
    run -0 pipe 'cnn-predict -m darkest.onnx in 2>/dev/null | cut -f1,2,5'
    [ "$(sed 3d <<<"$output")" = "-	-	-
-	-	1,2,3,4
-	-	-" ]
}

@test "a model's class \"none\" is no digit" {
    pixelmodel -l "0 1 2 none 4" none.onnx
    { printf 'P5 28 28 255\n'; head -c $((28 * 14 + 11 + 3)) /dev/zero; printf '\377'; head -c 377 /dev/zero; } >in
    run -3 cnn-predict -k 1 -m none.onnx in
    [ "${lines[0]}" = "-	-	in	0	-	0:0.007" ]
    run -3 cnn-predict -o json -m none.onnx in
    [[ ${lines[0]} == '{"digit":null,'*'"none":0.973'* ]]
}

@test "-t refuses what is less probable" {
    { show 7; show 6 200; } >in
    run -0 pipe 'cnn-predict -t 0.9 in | cut -f1,2'
    [ "$output" = "7	0.943
-	-" ]
    run -0 pipe 'cnn-predict in | cut -f1,2'
    [ "$output" = "7	0.943
6	0.578" ]
}

@test "a model's temperature and labels are used" {
    pixelmodel -m temperature=2.5 -l "a b c d e f g h i j" model.onnx
    show 2 >in
    run -0 cnn-predict in
    [ "$output" = "c	0.451	in	0	-" ]
}

@test "-S sets the input's scaling, in numbers or fractions" {
    pixelmodel -r raw.onnx
    pixelmodel -r -m input_scale=1 wrong.onnx
    show 7 >in
    for model in raw wrong; do
        run -0 cnn-predict -S 1/255 -m $model.onnx in
        [ "$output" = "7	0.943	in	0	-" ]
        run -0 cnn-predict -S 0.00784313725,0.5,2/4 -m $model.onnx in
        [ "$output" = "7	1.000	in	0	-" ]
    done
}

@test "a model without scaling is read as 0..1, which is said once" {
    pixelmodel -r model.onnx
    { show 7; show 8; } >in
    run -0 cnn-predict in in
    [ "$(grep -c 'says nothing of its input' <<<"$output")" -eq 1 ]
    [ "$(grep -c 0.943 <<<"$output")" -eq 4 ]
}

@test "several models vote, by the mean of their probabilities" {
    pixelmodel -g 1 weak.onnx
    pixelmodel -l "9 8 7 6 5 4 3 2 1 0" other.onnx
    show 7 >in
    run -0 cnn-predict -m weak.onnx -m model.onnx in
    [ "$output" = "7	0.587	in	0	-" ] # (0.232 + 0.943) / 2
    run -0 cnn-predict -k 1 -m weak.onnx -m other.onnx in
    [ "$output" = "2	0.514	in	0	-	7:0.119" ]
}

@test "models that know other classes vote too" {
    pixelmodel -l "0 1 2 3 4 5 6 7 8 9 none" none.onnx
    show 7 >in
    run -0 pipe 'cnn-predict -o json -m model.onnx -m none.onnx in | grep -o "none.*"'
    [[ $output == 'none":0.'* ]]
}

@test "-1 prints the first digit and ends, though the input goes on" {
    mkfifo in
    background bash -c '{ cat blank seven eight; sleep 1000; } >in'
    plain 0 >blank
    show 7 >seven
    show 8 >eight
    run -0 timeout 120 cnn-predict -1 in
    [ "$output" = "7	0.943	in	1	-" ]
}

@test "-1 without a digit prints nothing and exits 3" {
    plain 0 >in
    run -3 --separate-stderr cnn-predict -1 in
    [ -z "$output" ]
}

@test "-s prints what has held, when it changes" {
    {
        for t in 0.0 0.1; do show 1 377 time=$t frame=0; done
        for t in 0.2 0.7 1.1 1.2 1.3; do show 7 377 time=$t frame=${t/./}; done
        show 3 377 time=1.4
        for t in 1.5 2.6; do show 7 377 time=$t; done
        for t in 3 4 5; do plain 0 | sed "1s/P5/P5\n# time=$t\n/"; done
        for t in 6 6.9 7; do show 7 377 time=$t frame=${t/./}; done
    } >in
    run -0 pipe 'cnn-predict -s 1 in | cut -f1,4'
    [ "$output" = "7	12
-	11
7	7" ]
}

@test "-w -s: a number that has held" {
    {
        for t in 0.0 0.6; do show 1 377 time=$t frame=${t/./} line=0 word=0; show 7 377 time=$t frame=${t/./} line=0 word=0; done
        show 1 377 time=1 frame=10 line=0 word=0
        for t in 1.1 1.7 2.2; do show 4 377 time=$t frame=${t/./} line=0 word=0; show 2 377 time=$t frame=${t/./} line=0 word=0; done
    } >in
    run -0 pipe 'cnn-predict -w -s 0.5 in | cut -f1,4'
    [ "$output" = "17	6
42	17" ]
}

@test "-s goes by the clock when frames do not say the time" {
    show 7 >seven
    mkfifo in
    background bash -c 'exec 9>in; while cat seven >&9; do sleep 0.05; done'
    run -0 timeout 120 cnn-predict -1 -s 0.2 in
    [[ $output == "7	0.943	in	"* ]]
    [ "$(cut -f4 <<<"$output")" -gt 0 ]
}

@test "-w joins the digits of a word" {
    {
        show 0 377 frame=5 line=0 word=0 box=10,20,10,20
        show 4 377 frame=5 line=0 word=0 box=22,18,8,20
        plain 0 | sed '1s/P5/P5\n# frame=5\n# line=0\n# word=0\n/'
        show 2 377 frame=5 line=0 word=0 box=32,20,8,21
        show 9 377 frame=5 line=0 word=1 box=90,20,8,20
        show 1 377 frame=6 line=0 word=1 box=90,20,8,20
        plain 0
    } >in
    run -0 cnn-predict -w in
    [ "$output" = "042	0.838	in	5	10,18,30,23
9	0.943	in	5	90,20,8,20
1	0.943	in	6	90,20,8,20
-	-	in	6	-" ]
    run -0 pipe 'cnn-predict -w -t 0.9 in | cut -f1,2'
    [ "${lines[0]}" = "-	-" ]
    [ "${lines[1]}" = "9	0.943" ]
    run -0 pipe 'cnn-predict -w -o json in | sed -n 1p'
    [[ $output == '{"digit":"042","probability":0.838097,"source":"in","frame":5,"box":[10,18,30,23],"label":null,"probabilities":null,"places":['* ]]
}

# mark PLACE...: a word of frames: a digit K; a sign; ? for other writing; _ for nothing; none for 9, which a
# model may take for no digit; a line and a word further at | and ,,.
mark() {
    local line=0 word=0 x=0 place
    for place; do
        local facts=(frame=0 "line=$line" "word=$word" "box=$x,20,8,20")
        x=$((x + 10))
        case $place in
        [0-9]) show "$place" 377 "${facts[@]}" ;;
        none) show 9 377 "${facts[@]}" ;;
        _) plain 0 | sed "1s/P5/P5\n# frame=0\n# line=$line\n# word=$word\n/" ;;
        \?) show 8 377 "${facts[@]}" mark=other ;;
        ,,) word=$((word + 1)) ;;
        \|) word=$((word + 1)) line=$((line + 1)) ;;
        *) show 1 377 "${facts[@]}" mark=sign "sign=$place" ;;
        esac
    done
}

@test "-w: of a number that a damaged stream cuts off nothing is said" {
    mark 1 2 ,, 3 4 5 >in
    head -c -1 in >cut
    run --separate-stderr cnn-predict -w cut in
    [ "$status" -eq 1 ]
    [ "$(cut -f 1,3 <<<"$output" | tr '\t\n' '  ')" = '12 cut 12 in 345 in ' ]
    [[ $stderr == "cnn-predict: cut: "* ]]
}

@test "-w writes the signs of a number where they stand" {
    mark 3 . 1 4 ,, 1 2 , 5 0 ,, - 5 ,, 1 2 / 0 3 / 2 4 '|' 1 7 : 4 5 ,, 1 + 2 = 3 >in
    run -0 pipe 'cnn-predict -w in | cut -f1'
    [ "$output" = "3.14
12,50
-5
12/03/24
17:45
1+2=3" ]
    run -0 pipe 'cnn-predict -w in | sed -n 1p'
    [ "$output" = "3.14	0.754	in	0	0,20,38,20" ] # 0.943^3 * 0.9
    run -0 pipe 'cnn-predict -wd in | cut -f1 | paste -sd " "'
    [ "$output" = "314 1250 5 120324 1745 123" ]
}

@test "-w: a place that cannot be read is ? and makes the number improbable" {
    pixelmodel -l "0 1 2 3 4 5 6 7 8 none" none.onnx
    mark 2 6 '?' 4 7 ,, 1 none 3 ,, 2 _ 6 >in
    for digits in '' -d; do
        run -0 pipe "cnn-predict -w $digits -m none.onnx in | cut -f1,2"
        [ "$output" = "26?47	0.079
1?3	0.089
26	0.889" ]
    done
    run -0 pipe 'cnn-predict -w -t 0.5 -m none.onnx in | cut -f1,2'
    [ "$output" = "-	-
-	-
26	0.889" ]
}

@test "-w: a printed word, a dash on an empty page and dust are no numbers" {
    mark '?' '?' '?' '?' '|' - '|' . ,, '?' : >in
    run -3 --separate-stderr cnn-predict -w in
    [ "$(cut -f1,2 <<<"$output" | sort -u)" = "-	-" ]
    [ "${#lines[@]}" -eq 4 ]
    mark 1 2 . >in # it ends a sentence
    run -0 cnn-predict -w in
    [ "$output" = "12	0.889	in	0	0,20,18,20" ]
    mark '?' '?' 4 '|' 5 ,, . ,, 6 >in
    run -0 pipe 'cnn-predict -w in | cut -f1 | paste -sd " "'
    [ "$output" = "??4 5 - 6" ]
}

@test "-w -o json: what may stand at each place" {
    mark 3 . '?' >in
    run -0 cnn-predict -w -o json in
    [[ $output == '{"digit":"3.?",'*',"places":[{'*'}]}' ]]
    run -0 pipe "cnn-predict -w -o json in | sed 's/.*places.:.//' | grep -o '{.digit[^}]*[^}]:{...'"
    [ "$output" = '{"digit":"3","probability":0.942826,"box":[0,20,8,20],"probabilities":{"3"
{"digit":".","probability":0.900000,"box":[10,20,8,20],"probabilities":{"1"
{"digit":"?","probability":null,"box":[20,20,8,20],"probabilities":{"8"' ]
    run -3 cnn-predict -w -t 0.5 -o json in
    [[ ${lines[0]} == '{"digit":null,"probability":null,'*',"places":[{"digit":"3",'* ]]
}

@test "without -w a sign or other writing is no digit, but what it looks like is told" {
    mark . '?' >in
    run -3 --separate-stderr cnn-predict -k 1 in
    [ "$output" = "-	-	in	0	0,20,8,20	1:0.943
-	-	in	0	10,20,8,20	8:0.943" ]
    # what preproc says in no words that we know is other writing
    show 7 377 frame=0 word=0 mark=sign sign=x >in
    show 7 377 frame=0 word=0 mark=stain >>in
    show 7 377 frame=0 word=0 >>in
    run -0 pipe 'cnn-predict -w in | cut -f1'
    [ "$output" = "??7" ]
}

@test "a model that knows letters and signs answers the frames that preproc took for them" {
    pixelmodel -l "0 1 2 3 4 5 6 plus A 9" letters.onnx
    { show 7 377 word=0 frame=0 mark=sign sign=+; show 8 377 word=0 frame=0 mark=other; show 9 377 word=0 frame=0; } >in
    run -0 pipe 'cnn-predict -m letters.onnx in | cut -f1 | paste -sd " "'
    [ "$output" = "plus A 9" ]
    run -0 pipe 'cnn-predict -w -m letters.onnx in | cut -f1'
    [ "$output" = "+A9" ]
    { show 8 377 word=0 frame=0 mark=sign sign=+; show 9 377 word=0 frame=0 mark=other; show 9 377 word=0 frame=0; } >in
    run -0 pipe 'cnn-predict -m letters.onnx in | cut -f1 | paste -sd " "'
    [ "$output" = "- - 9" ]
}

@test "a word is said when a live input pauses" {
    mkfifo in
    { show 4 377 frame=0 word=0; show 2 377 frame=0 word=0; } >digits
    # A pipe of one page is what programs write to that are fed live.
    background bash -c '{ python3 -c "import fcntl; fcntl.fcntl(1, 1031, 4096)"; cat digits; sleep 1000; } >in'
    cnn-predict -w in >out 3>&- &
    BACKGROUND+=($!)
    wait_for grep -q '^42	' out
}

@test "an answer is out while the input waits" {
    mkfifo in
    show 7 >seven
    exec 8<>in
    cnn-predict in >out 3>&- 8>&- &
    BACKGROUND+=($!)
    cat seven >&8
    wait_for grep -q '	0	-$' out
    cat seven seven >&8
    wait_for grep -q '	2	-$' out
    head -c 500 seven >&8 # half a frame does not hold back the answers before it
    cat <(tail -c +501 seven) seven <(head -c 300 seven) >&8
    wait_for grep -q '	4	-$' out
    [ "$(wc -l <out)" -eq 5 ]
}

@test "a thousand digits, and the same answers with several threads" {
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits
    cnn-predict digits >out
    [ "$(wc -l <out)" -eq 1000 ]
    [ "$(cut -f4 out | sort -n | uniq | wc -l)" -eq 1000 ]
    cnn-predict -j 3 digits | cmp - out
    cnn-predict <digits | cmp - out
}

@test "-e tells accuracy, confusions and calibration" {
    {
        for i in 1 2 3; do show 7 377 label=7; done
        show 1 377 label=7
        show 1 200 label=1
        plain 0 | sed '1s/P5/P5\n# label=4\n/'
    } >in
    run -0 cnn-predict -e in
    [ "${lines[0]}" = "accuracy 66.67 %: 4 of 6 right, 1 wrong, 1 refused" ]
    [ "${lines[1]}" = "expected calibration error 23.88 %" ] # (|3 - 4 * 0.9428| + 1 - 0.5775) / 5
    [ "${lines[2]}" = "truth     0     1     2     3     4     5     6     7     8     9     -  right %" ]
    [ "${lines[4]}" = "    1     0     1     0     0     0     0     0     0     0     0     0   100.00" ]
    [ "${lines[7]}" = "    4     0     0     0     0     0     0     0     0     0     0     1     0.00" ]
    [ "${lines[10]}" = "    7     0     1     0     0     0     0     0     3     0     0     0    75.00" ]
    [ "${lines[13]}" = "probability  answers   mean %  right %" ]
    [ "${lines[14]}" = " 0.55-0.60         1    57.75   100.00" ]
    [ "${lines[15]}" = " 0.90-0.95         4    94.28    75.00" ]
    [ "${#lines[@]}" -eq 16 ]
    run -0 pipe 'cnn-predict -e -t 0.9 in | sed -n 1p'
    [ "$output" = "accuracy 50.00 %: 3 of 6 right, 1 wrong, 2 refused" ]
}

@test "-e: where there is no digit none is right, and a digit a false one" {
    pixelmodel -l "0 1 2 3 4 5 6 7 8 9 none" model.onnx
    { # eleven pixels begin one further to the left
        show 6 377 label=7
        show 9 377 label=7
        show 9 377 label=none
        show 9 200 label=none
        show 7 377 label=none
        plain 0 | sed '1s/P5/P5\n# label=none\n/'
    } >in
    run -0 cnn-predict -e -m model.onnx in
    [ "${lines[0]}" = "accuracy 66.67 %: 4 of 6 right, 1 wrong, 1 refused" ]
    [ "${lines[2]}" = "false digits 25.00 %: 1 of 4 frames without one" ]
    [ "${lines[11]}" = "    7     0     0     0     0     0     0     0     1     0     0     1    50.00" ]
    [ "${lines[14]}" = " none     0     0     0     0     0     0     0     0     1     0     3    75.00" ]
    run -0 pipe 'cnn-predict -o json -m model.onnx in | grep -c "\"label\":\"none\""'
    [ "$output" -eq 4 ]
    # with a model that knows no such class, a threshold can refuse; and all frames may be empty
    show 1 200 label=none >in
    run -0 pipe 'cnn-predict -e in | sed -n 3p'
    [ "$output" = "false digits 100.00 %: 1 of 1 frames without one" ]
    run -0 pipe 'cnn-predict -e -t 0.9 in | sed -n 3p'
    [ "$output" = "false digits 0.00 %: 0 of 1 frames without one" ]
}

@test "a frame that preproc did not make is warned of, once" {
    mnist2pgm -r 0:20 "$DATA/digits-images.gz" >digits
    run -0 --separate-stderr cnn-predict digits
    [ -z "$stderr" ]
    pamexec pnminvert <digits >inverted
    run -0 --separate-stderr cnn-predict inverted
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "cnn-predict: inverted: frame 0: the border is bright, as paper is: was it made by preproc?"* ]]
    # a stroke from edge to edge
    { cat digits; printf 'P5 28 28 255\n'; head -c 392 /dev/zero; head -c 28 /dev/zero | tr '\0' '\377'; head -c 364 /dev/zero; } >edge
    run -0 --separate-stderr cnn-predict edge edge
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "cnn-predict: edge: frame 20: the ink runs into the edge: was it made by preproc?"* ]]
    # a digit cut out of a corner
    pamcut 6 6 28 28 -pad <digits >corner
    run -0 --separate-stderr cnn-predict corner
    [[ $stderr == "cnn-predict: corner: frame "*": the ink runs into the edge"* ]]
}

@test "clipped samples are warned of, once" {
    { show 7; show 8; } | sed 's/^255$/254/' >in
    run -0 --separate-stderr cnn-predict in
    [ "$stderr" = "cnn-predict: in: samples above maxval are taken as white" ]
    [ "${lines[0]}" = "7	0.943	in	0	-" ]
}

@test "no digit in any frame: exit status 3 and what to look at" {
    { plain 0; plain 0; } >in
    run -3 --separate-stderr cnn-predict in
    [ "${#lines[@]}" -eq 2 ]
    [[ $stderr == "cnn-predict: no digit in 2 frames: "*preproc* ]]
    show 7 >seven
    run -3 cnn-predict -t 0.95 seven
    run -0 cnn-predict in seven
}

@test "bad input: the message, the status, and the answers before it" {
    while IFS= read -r -u 9 name; do
        [[ -n $name && $name != \#* ]] || continue
        read -r -u 9 make
        read -r -u 9 command
        read -r -u 9 answers
        read -r -u 9 message
        rm -rf ./*
        pixelmodel model.onnx
        echo "# $name" >&2
        eval "$make"
        run --separate-stderr eval "$command"
        echo "status $status, $stderr" >&2
        [ "$status" -eq 1 ]
        [ "$(cut -f1 <<<"$output" | tr '\n' ' ')" = "${answers#-} " ]
        # shellcheck disable=SC2053
        [[ $stderr == cnn-predict:\ $message ]]
    done 9<"$TREE/tests/predict.cases"
}

@test "wrong options are told with the usage" {
    for bad in "-t 2" "-t x" "-k -1" "-j 0" "-j many" "-o xml" "-S 1,2" "-S 1/0" "-S x" \
        "-S 1,0,0" "-s -1" "-e -1" "-e -w" "-e -o json" "-w -k 1" -d -x; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr cnn-predict $bad
        [ -z "$output" ]
        [[ ${stderr_lines[-1]} == "usage: cnn-predict "* ]]
    done
}

@test "-h fits on a screen, -V tells the kernels" {
    run -0 --separate-stderr cnn-predict -h
    [ "${#lines[@]}" -le 24 ]
    [ "$(awk 'length > 80' <<<"$output" | wc -l)" -eq 0 ]
    run -0 cnn-predict -V
    [[ $output == "cnn-predict (inkpipe) "*" kernels, int8: "* ]]
}

@test "a bad file among several is told and the rest is done" {
    show 7 >seven
    show 8 >eight
    echo junk >junk
    run -1 --separate-stderr cnn-predict seven junk absent eight
    [ "$(cut -f1 <<<"$output" | xargs)" = "7 8" ]
    [ "${#stderr_lines[@]}" -eq 2 ]
}

@test "a closed pipe ends it quietly" {
    show 7 >seven
    perl -0777 -ne 'print $_ x 2000' seven >many
    run --separate-stderr pipe 'cnn-predict many | head -1'
    [ "$output" = "7	0.943	many	0	-" ]
    [ -z "$stderr" ]
}

@test "answers do not go into the file of the frames" {
    show 7 >seven
    cp seven kept
    run -1 pipe 'cnn-predict seven >>seven'
    [ "$output" = "cnn-predict: seven: is also the file to write to" ]
    cmp seven kept
}

@test "a full disk is an error" {
    show 7 >seven
    run -1 pipe 'cnn-predict seven >/dev/full'
    [[ $output == "cnn-predict: standard output: "* ]]
    run -1 pipe 'cat seven | cnn-predict -o json >/dev/full'
    [[ $output == "cnn-predict: standard output: "* ]]
}

@test "the default model: INKPIPE_MODEL, the installed one, the tree's" {
    show 7 >seven
    mkdir -p bin share/inkpipe tree/build tree/models
    cp "$B/cnn-predict" bin/
    cp "$B/cnn-predict" tree/build/
    pixelmodel -l "a b c d e f g installed i j" share/inkpipe/default.onnx
    pixelmodel -l "a b c d e f g tree i j" tree/models/default.onnx
    run -0 bin/cnn-predict seven
    [[ $output == "7	"* ]]
    unset INKPIPE_MODEL
    run -0 bin/cnn-predict seven
    [[ $output == "installed	"* ]]
    if [ ! -e "$(cnn-predict -V | sed 's,.*,/usr/local/share/inkpipe/default.onnx,')" ]; then
        run -0 tree/build/cnn-predict seven
        [[ $output == "tree	"* ]]
        rm tree/models/default.onnx
        run -1 tree/build/cnn-predict seven
        [[ $output == "cnn-predict: no model: name one with -m or INKPIPE_MODEL"* ]]
    fi
}

@test "before a slow reader of a live stream no old answers pile up" {
    show 7 377 time=0 >seven
    perl -0777 -ne 'print $_ x 500' seven >many
    mkfifo out
    cnn-predict many >out 3>&- &
    pid=$!
    exec 8<out
    read -r line <&8
    [ "$line" = "7	0.943	many	0	-" ]
    sleep 0.3 # for it to go ahead, which it must not
    kill $pid
    [ "$(wc -l <&8)" -le 2 ]
}

@test "-w: over a slow link a word ends where the facts say, not where it pauses" {
    for word in 0 0 0 1 1 2; do show 4 377 frame=0 line=0 word=$word; done >page
    split -b 1000 --filter='cat; sleep 0.2' page | cnn-predict -w | cut -f 1 >slow
    [ "$(paste -sd ' ' slow)" = '444 44 4' ]
}
