# xcanvas: a person draws; the frames, the keys, and what the window shows.
load helper
load xcommon

# canvas [option ...]: xcanvas in a window of its own, its frames in `out`.
canvas() {
    start_x
    background run_canvas "$@"
    CANVAS=$!
    window "draw a digit"
}

run_canvas() {
    exec xcanvas "$@" >out
}

# A command that answers every frame with a 7, and one that needs no model to do so.
SAY7='grep -a --line-buffered "^# frame=" | sed -u "s/# frame=\(.*\)/7\t0.98\txcanvas\t\1\t-\t1:0.015/"'

# The bytes of the last frame's pixels.
raster() {
    last_frame out | tail -c 78400
}

@test "each release writes a frame of 280x280 with its source and number" {
    canvas
    line 20 20 80 80
    wait_for frames out 1
    line 80 20 20 80
    wait_for frames out 2
    run pamfile -allimages out
    [ "$(grep -c 'PGM raw, 280 by 280  maxval 255' <<<"$output")" -eq 2 ]
    run grep -a '^# ' out
    [ "${lines[0]} ${lines[1]}" = "# source=xcanvas # frame=0" ]
    [ "${lines[3]}" = "# frame=1" ]
}

@test "ink is white on black, and a quick stroke has no gap" {
    canvas
    line 10 50 90 50
    wait_for frames out 1
    last_frame out >f.pgm
    [ "$(pamcut -left 30 -width 220 -top 140 -height 1 f.pgm | pgmhist | awk '$1 == 255 { print $2 }')" -eq 220 ]
    [ "$(pamcut -width 280 -top 0 -height 100 f.pgm | pgmhist | awk '$1 == 0 { print $2 }')" -eq 28000 ]
}

@test "the stroke is a tenth of the paper thick, and -p changes that" {
    canvas -p 40
    line 10 50 90 50
    wait_for frames out 1
    last_frame out >f.pgm
    thick=$(pamcut -left 140 -width 1 f.pgm | tail -c 280 | od -An -v -tu1 -w1 | awk '{ s += $1 } END { print s / 255 }')
    awk -v t="$thick" 'BEGIN { exit !(t > 39.5 && t < 40.5) }'
}

@test "u takes back the last whole stroke, and the frame follows" {
    canvas
    line 20 20 80 20
    wait_for frames out 1
    raster >one
    draw round 3
    wait_for frames out 2
    xdotool key u
    wait_for frames out 3
    raster | cmp - one
    xdotool key u
    wait_for frames out 4
    raster | cmp -n 78400 - /dev/zero
}

@test "c clears: the next frame holds the next stroke alone" {
    canvas
    line 20 20 80 20
    wait_for frames out 1
    raster >one
    line 20 80 80 80
    wait_for frames out 2
    xdotool key c
    line 20 20 80 20
    wait_for frames out 3
    raster | cmp - one
}

@test "a held c clears once, a held u undoes stroke by stroke" {
    canvas
    xdotool key c keydown c
    for y in 20 40 60 80; do line 20 $y 80 $y; done
    wait_for frames out 4
    raster >four
    xdotool keyup c keydown u
    wait_for frames out 8
    xdotool keyup u
    raster | cmp -n 78400 - /dev/zero
    [ "$(od -An -v -tu1 -w1 four | grep -c 255)" -gt 15000 ]
}

@test "q, the window's close button and SIGTERM end it with status 0" {
    canvas
    xdotool key q
    wait "$CANVAS"
    background run_canvas
    CANVAS=$!
    window "draw a digit"
    xclose "$WINDOW"
    wait "$CANVAS"
    background run_canvas -e 'echo $$ >child; exec sleep 1000'
    CANVAS=$!
    window "draw a digit"
    line 20 20 80 20
    wait_for test -s child
    kill "$CANVAS"
    wait "$CANVAS"
    run kill -0 "$(cat child)"
    [ "$status" -ne 0 ]
}

@test "a digit key labels the drawing, writes it and begins anew" {
    canvas
    draw round 7
    wait_for frames out 1
    xdotool key 7
    wait_for frames out 2
    last_frame out | head -n 5 | grep -a -x '# label=7'
    cmp <(raster) <(tail -c +$((78442 - 78399)) out | head -c 78400)
    xdotool key 3
    line 20 20 80 20
    wait_for frames out 3
    [ "$(grep -ac '^# label' out)" -eq 1 ]
}

@test "any printable key labels: a letter, a sign by its name, after a backslash what is a command, too" {
    local n=0 key
    start_x
    touch mine.pgm
    background bash -c 'exec xcanvas >>mine.pgm'
    window "draw a digit"
    for key in a Z plus slash question 'backslash c' 'backslash backslash'; do
        draw round 7
        # shellcheck disable=SC2086 # two keys
        xdotool key $key
        wait_for frames mine.pgm $((++n))
    done
    [ "$(grep -a '^# label' mine.pgm | cut -d = -f 2 | xargs -d '\n')" = 'a Z plus slash ? c \' ]
    line 20 20 80 20
    xdotool key F1 # no character: the drawing stays
    xdotool key 5
    wait_for frames mine.pgm $((++n))
}

@test "xcanvas >> mine.pgm keeps only labelled drawings" {
    start_x
    touch mine.pgm
    background bash -c 'exec xcanvas >>mine.pgm'
    window "draw a digit"
    draw round 4
    xdotool key 4
    wait_for frames mine.pgm 1
    draw round 2
    xdotool key 2
    wait_for frames mine.pgm 2
    [ "$(grep -a '^# label' mine.pgm | xargs)" = "# label=4 # label=2" ]
}

@test "the answer is shown large, with its bar" {
    canvas -e "$SAY7"
    draw round 7
    wait_for bar_shown 7
    xdotool key c
    wait_for bar_shown ""
    frames out 1
}

@test "the answer follows an undo, and an empty paper has none" {
    canvas -e "$SAY7"
    line 20 20 80 20
    line 20 80 80 80
    wait_for bar_shown 7
    xdotool key u
    wait_for frames out 3
    wait_for bar_shown 7
    xdotool key u
    wait_for bar_shown ""
}

@test "no digit is said in words" {
    canvas -e "${SAY7//7\\t0.98/-\\t-}"
    line 20 20 80 20
    wait_for shows 452 60 200 60 "232 234 237"
    bar_shown ""
}

@test "an answer to an older frame is not shown" {
    canvas -e 'grep -a --line-buffered "^# frame=" | sed -u "s/.*/7\t0.98\txcanvas\t0\t-/"'
    line 20 20 80 20
    wait_for bar_shown 7
    line 20 40 80 40
    wait_for frames out 2
    wait_for bar_shown ""
}

@test "a command that dies is shown, and the next stroke starts it again" {
    canvas -e "echo start >>starts; head -c 78442 | tail -c 1 >/dev/null; exit 3"
    line 20 20 80 20
    wait_for shows 452 40 300 60 "255 138 128"
    [ "$(wc -l <starts)" -eq 1 ]
    line 20 40 80 40
    wait_for frames out 2
    wait_for eval '[ "$(wc -l <starts)" -eq 2 ]'
    wait_for shows 452 40 300 60 "255 138 128"
}

@test "a command that is silent or deaf freezes nothing" {
    canvas -e 'sleep 1000'
    for i in 1 2 3 4 5 6 7 8; do line 20 $((i * 10)) 80 $((i * 10)); done
    wait_for frames out 8
    wait_for shows 452 60 200 60 "152 161 171"
    xdotool key c
    xdotool key q
    wait "$CANVAS"
}

@test "a command that answers something else is told apart" {
    canvas -e 'grep -a --line-buffered "^# frame="'
    line 20 20 80 20
    wait_for shows 452 40 300 60 "255 138 128"
}

@test "a resized window keeps the drawing" {
    canvas
    line 10 50 90 50
    wait_for frames out 1
    raster >one
    xdotool windowsize --sync "$WINDOW" 864 891
    wait_for shows 425 435 6 6 "255 255 255"
    xdotool windowsize --sync "$WINDOW" 236 263
    wait_for shows 110 117 6 6 "255 255 255"
    line 10 10 11 10
    xdotool key u
    wait_for frames out 3
    raster | cmp - one
}

@test "an uncovered window shows the drawing again" {
    canvas
    line 10 50 90 50
    wait_for shows 220 220 6 6 "255 255 255"
    background bash -c 'exec xcanvas >over'
    over=$!
    wait_for shows 220 220 6 6 "0 0 0"
    xclose "$(xdotool search --pid "$over")"
    wait "$over"
    wait_for shows 220 220 6 6 "255 255 255"
}

@test "without shared memory, and with fewer colours, it looks the same" {
    start_x -extension MIT-SHM
    background run_canvas
    window "draw a digit"
    line 10 50 90 50
    wait_for shows 220 220 6 6 "255 255 255"
    shows 220 100 6 6 "0 0 0"
    kill_background
    rm display
    start_x -screen 0 1280x1024x16
    background run_canvas
    window "draw a digit"
    line 10 50 90 50
    wait_for shows 220 220 6 6 "255 255 255"
    shows 220 100 6 6 "0 0 0"
}

@test "the window grows with Xft.dpi, and -z overrides it" {
    start_x
    echo 'Xft.dpi: 192' >.Xdefaults
    HOME=$PWD background run_canvas
    window "draw a digit"
    [ "$(xdotool getwindowgeometry "$WINDOW" | awk '/Geometry/ { print $2 }')" = 904x956 ]
    xdotool key q
    wait "$!"
    background run_canvas -z 1.5
    window "draw a digit"
    [ "$(xdotool getwindowgeometry "$WINDOW" | awk '/Geometry/ { print $2 }')" = 678x717 ]
}

# hand NAME: a person with this hand draws 0 to 9 at human speed; each answer is read from the window
# and each drawing labelled with its key; then all are read once more from the frames on stdout.
hand() {
    real
    canvas -l -e 'preproc | cnn-predict -k 9'
    for d in 0 1 2 3 4 5 6 7 8 9; do
        draw "$1" $d
        wait_for bar_shown $d
        shows_digit $d 448 8 120 150
        xdotool key $d
        wait_for bar_shown ""
    done
    frames out 10
    [ "$(preproc out | cnn-predict | cut -f1 | paste -sd '')" = 0123456789 ]
}

# How well hands are read, and where on the paper, is no matter of the build: in every build scripts/draw and the
# manual's examples below take a drawing all the way.
# bats test_tags=once
@test "ten digits in a round hand" { hand round; }
# bats test_tags=once
@test "ten digits in a slanted hand" { hand slanted; }
# bats test_tags=once
@test "ten digits in a European hand" { hand european; }
# bats test_tags=once
@test "ten digits in an angular hand" { hand angular; }
# bats test_tags=once
@test "ten digits in a hasty hand" { hand hasty; }

# bats test_tags=once
@test "ten digits at nine places in three sizes" {
    real
    canvas -l
    for size in 28 34 40; do
        for x in 25 50 75; do
            for y in 25 50 75; do
                for d in 0 1 2 3 4 5 6 7 8 9; do
                    drawing round $d $x $y $size 0
                    echo "key $d"
                done
            done
        done
    done | xdotool -
    wait_for frames out 270
    run bash -c 'preproc out | cnn-predict -e'
    right=$(sed -n "s/^accuracy .*: \([0-9]*\) of .*/\1/p" <<<"$output") # of those near the edge one may be lost
    echo "$right of 270 right"
    ((right >= 262))
}

# bats test_tags=once,timed
@test "from release to answer on the screen in under 30 ms" {
    real
    canvas -e 'preproc | cnn-predict -k 9'
    draw round 7
    wait_for bar_shown 7
    best=1000000
    for _ in {1..10}; do
        xdotool key c
        wait_for bar_shown ""
        drawing round 7 | grep -v mouseup | xdotool -
        read -r took colour <<<"$(xchange 477 382 xdotool mouseup 1)"
        [ "$colour" = ffd166 ]
        [ "$took" -ge $best ] || best=$took
    done
    echo "$best microseconds, the start of xdotool included"
    [ $best -lt 30000 ]
}

@test "scripts/draw starts all of it, and says what is missing" {
    real
    start_x
    background bash -c 'exec draw >out'
    window "draw a digit"
    draw round 5
    wait_for bar_shown 5
    xdotool key q
    wait "$!"
    DISPLAY='' run "$TREE/scripts/draw"
    [ "$status" -eq 1 ]
    [[ "$output" == "draw: no display"* ]]
    cp -r "$TREE/scripts" "$TREE/config.mk" .
    run scripts/draw
    [ "$status" -eq 1 ]
}

@test "the manual's examples" {
    real
    start_x
    mkdir -p tree
    cd tree
    examples xcanvas.1 >../examples
    [ "$(wc -l <../examples)" -ge 3 ]
    while read -r example; do
        background bash -o pipefail -c "$example"
        window "draw a digit"
        draw round 8
        xdotool key 8
        xdotool key q
        wait "$!"
    done <../examples
    frames mine.pgm 1
    frames drawings.pgm 2
}

# bats test_tags=once,timed
@test "5,000 strokes: every frame comes, and undo stays quick" {
    start_x
    background bash -c 'xcanvas | grep -a --line-buffered "^# frame=" >lines'
    window "draw a digit"
    seq 5000 | awk '{ print "mousemove", 40 + $1 % 370, 40 + int($1 / 13) % 370, "mousedown 1",
        "mouseup 1" }' | xdotool -
    wait_for grep -qx '# frame=4999' lines
    start=${EPOCHREALTIME/./}
    for _ in 1 2 3 4 5 6 7 8 9 10; do xdotool key u; done
    wait_for grep -qx '# frame=5009' lines
    [ $((${EPOCHREALTIME/./} - start)) -lt 3000000 ]
}

# bats test_tags=once
@test "drawing, undoing, resizing and a command that dies, under valgrind: no error, no leak" {
    # The network that is shipped would take a minute, and is run under the sanitizers.
    printf '%s\n' 'input 1 64 64' 'conv 4 3x3 stride 2 pad same' 'conv 23 3x3 stride 2 pad same' boxes >small.net
    printf 'P5\n# boxes=20,20,20,20,7\n64 64\n255\n%04096d' 0 | cnn-train -n small.net -o small.onnx -e 1 -v 0
    export INKPIPE_FINDER=$PWD/small.onnx
    start_x
    background bash -c "exec valgrind -q --leak-check=full --error-exitcode=9 \
        --errors-for-leak-kinds=definite,possible xcanvas -e 'head -c 100000 | wc -c' >out"
    pid=$!
    wait_for has_window "draw a digit"
    xdotool windowfocus "$WINDOW"
    for y in 20 45 70; do line 20 $y 80 $y; done
    wait_for frames out 3
    xdotool windowsize "$WINDOW" 1000 700 key u key u
    wait_for frames out 5
    xdotool key 5
    wait_for frames out 6
    xdotool key q
    wait "$pid"
}

@test "a reader that ends, ends it quietly" {
    start_x
    background bash -o pipefail -c 'xcanvas 2>err | head -c 100 >part'
    window "draw a digit"
    line 10 50 90 50
    wait "$!"
    [ ! -s err ]
    [ "$(wc -c <part)" -eq 100 ]
}

@test "standard output that is closed is said" {
    start_x
    background bash -c 'xcanvas >&- 2>err'
    window "draw a digit"
    line 10 50 90 50
    ended=0
    wait "$!" || ended=$?
    [ "$ended" -eq 1 ]
    [ "$(cat err)" = "xcanvas: standard output: Bad file descriptor" ]
}

@test "without a display it says so" {
    DISPLAY='' run xcanvas </dev/null
    [ "$status" -eq 1 ]
    [[ "$output" == "xcanvas: no display: DISPLAY is not set"* ]]
    DISPLAY=:987 run xcanvas
    [ "$status" -eq 1 ]
    [[ "$output" == *"cannot open display :987"* ]]
}

@test "wrong usage is status 2" {
    run xcanvas -p 0
    [ "$status" -eq 2 ]
    run xcanvas file
    [ "$status" -eq 2 ]
    run xcanvas -z large
    [ "$status" -eq 2 ]
}
