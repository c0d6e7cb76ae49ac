# For the tests of the windows: an X server without a screen, a mouse, and what the windows show.
# Without a window manager a new window lies at 0,0 of the screen.

PATH=$TOOLS:$PATH

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    kill_background
}

# start_x [option ...]: an X server on a free display, for this test.
start_x() {
    mkfifo "$BATS_TEST_TMPDIR/display"
    background run_x "$@"
    read -r display <"$BATS_TEST_TMPDIR/display"
    export DISPLAY=:$display
}

run_x() {
    exec Xvfb -displayfd 6 -screen 0 1280x1024x24 -nolisten tcp -noreset "$@" \
        6>"$BATS_TEST_TMPDIR/display" 2>"$BATS_TEST_TMPDIR/x.log"
}

# window NAME: wait for a window of this name, give it the keys, keep its number in $WINDOW.
window() {
    wait_for has_window "$1"
    xdotool windowfocus --sync "$WINDOW"
}

has_window() {
    WINDOW=$(xdotool search --onlyvisible --name "$1" 2>/dev/null | tail -n 1)
    [ -n "$WINDOW" ]
}

# frames FILE COUNT: so many frames are in the file.
frames() {
    [ "$(grep -ac '^# frame=' "$1")" -eq "$2" ]
}

# last_frame FILE: the last frame of a stream, whole.
last_frame() {
    tail -c +"$(grep -aob 'P5$' "$1" | tail -n 1 | awk -F: '{ print $1 + 1 }')" "$1"
}

# Where xcanvas puts its paper in the window when it opens (scale 1), and the paper's side.
PAPER=16
SIDE=420

# drawing HAND DIGIT [X Y SIZE]: xdotool's commands that draw a digit of tests/data/strokes/HAND.txt
# at human speed, around X,Y (percent of the paper), SIZE percent of it high.
drawing() {
    awk -v digit="$2" -v cx="${3:-50}" -v cy="${4:-50}" -v size="${5:-65}" -v paper=$PAPER \
        -v side=$SIDE -v pause="${6:-0.008}" '
        function at(point, xy) {
            split(point, xy, ",")
            return int(paper + (cx + (xy[1] - 50) * size / 100) * side / 100 + 0.5) " " \
                int(paper + (cy + (xy[2] - 50) * size / 100) * side / 100 + 0.5)
        }
        $1 == digit && !/^#/ {
            print "mousemove", at($2)
            print "mousedown 1"
            for (i = 3; i <= NF; i++) {
                print "sleep", pause
                print "mousemove", at($i)
            }
            print "mouseup 1"
        }' "$DATA/strokes/$1.txt"
}

draw() {
    drawing "$@" | xdotool -
}

# line X0 Y0 X1 Y1: a stroke of two points, in percent of the paper.
line() {
    local p=() v
    for v in "$@"; do p+=($((PAPER + v * SIDE / 100))); done
    xdotool mousemove "${p[0]}" "${p[1]}" mousedown 1 mousemove "${p[2]}" "${p[3]}" mouseup 1
}

# pixel X Y [FILE]: its colour, "r g b", on the screen or in a picture of it.
pixel() {
    if [ -n "$3" ]; then
        pamcut -left "$1" -top "$2" -width 1 -height 1 "$3"
    else
        xshot "$1" "$2" 1 1
    fi | tail -c 3 | od -An -tu1 | xargs
}

ACCENT="255 209 102"

# bar_shown DIGIT: the bar of this digit, and no other, has the colour of the answer. (One look at the column
# that goes through all ten, 22 pixels apart: it is taken again and again until the answer is there.)
bar_shown() {
    local found
    found=$(xshot 477 $((PAPER + 206 + 6)) 1 $((22 * 9 + 1)) | tail -c $((3 * (22 * 9 + 1))) | od -An -v -tu1 -w3 |
        awk -v accent="$ACCENT" 'NR % 22 == 1 && $1 " " $2 " " $3 == accent { printf "%d", NR / 22 }')
    [ "$found" = "$1" ]
}

# shows X Y WIDTH HEIGHT COLOUR: that part of the screen has a pixel of this colour.
shows() {
    xshot "$1" "$2" "$3" "$4" | ppmhist -noheader |
        awk -v want="$5" '$1 " " $2 " " $3 == want { found = 1 } END { exit !found }'
}

# The network that is shipped.
real() {
    export INKPIPE_MODEL=$TREE/models/default.onnx
}

# read_screen X Y WIDTH HEIGHT: the digit shown there, as the programs themselves read it.
read_screen() {
    xshot "$@" | preproc | cnn-predict | cut -f1
}

# shows_digit DIGIT X Y WIDTH HEIGHT
shows_digit() {
    [ "$(read_screen "${@:2}")" = "$1" ]
}
