# xview: a stream in a window; its keys, its answers, and what it costs.
load helper
load xcommon

# film [COUNT]: numbered gray frames of 320x240 at 30 a second, in the file `film`.
film() {
    camgrab -f lavfi -n "${1:-90}" 'color=gray:size=320x240:rate=30' >film
}

# view [option ...]: xview in a window of its own, `film` as its input and its frames in `out`.
view() {
    start_x
    background run_view "$@"
    VIEW=$!
    window "inkpipe view"
}

run_view() {
    exec xview "$@" <film >out
}

# A command that answers every frame with a 7 in a box.
SAY7='grep -a --line-buffered "^# frame=" | sed -u "s/# frame=\(.*\)/7\t0.98\t-\t\1\t40,40,60,80/"'

# The strip below a picture of 240 lines.
strip_shows() {
    shows 0 242 320 60 "$1"
}

ALARM="255 138 128"

@test "frames are shown in a window that fits them, with nothing kept that this does not take" {
    film 1
    view
    case $B in */build) grep -q '^Seccomp:.*2$' "/proc/$VIEW/status" ;; esac # (sanitizers need it all)
    wait_for shows 100 100 4 4 "128 128 128"
    [ "$(xdotool getwindowgeometry "$WINDOW" | awk '/Geometry/ { print $2 }')" = 320x304 ]
}

@test "a resized window keeps the picture's shape" {
    film 1
    view
    xdotool windowsize --sync "$WINDOW" 900 544
    wait_for shows 450 240 4 4 "128 128 128"
    [ "$(pixel 120 240)" = "0 0 0" ]
    [ "$(pixel 140 240)" = "128 128 128" ]
    [ "$(pixel 760 240)" = "128 128 128" ]
    [ "$(pixel 780 240)" = "0 0 0" ]
}

@test "light and dark are those of the frame" {
    printf 'P5\n2 1\n255\n\000\377' >film
    view
    wait_for shows 60 80 4 4 "0 0 0"
    wait_for shows 260 80 4 4 "255 255 255"
}

@test "the region is outlined, and what is in it goes to the command" {
    film 1
    view -r 100,50,120,90 -e 'head -c 10895 >got; cat'
    wait_for shows 100 90 2 2 "232 234 237"
    wait_for test -s got
    run grep -a -A1 '^# time' got
    [[ "$output" == *"120 90"* ]]
}

@test "the answer is drawn on the picture and in the strip" {
    film 1
    view -e "$SAY7"
    wait_for shows 38 60 2 2 "$ACCENT"
    wait_for strip_shows "$ACCENT"
    shows 99 60 4 2 "$ACCENT"
}

@test "boxes are moved by the region" {
    film 1
    view -r 100,50,120,120 -e "$SAY7"
    wait_for shows 138 120 2 2 "$ACCENT"
}

@test "a late answer is never drawn on another frame" {
    film 90
    view -t -e "${SAY7//\\1/0}"
    wait_for strip_shows "$ACCENT"
    # Frame 0 itself may still be there, with its box; after it none has one.
    unboxed() { ! shows 38 60 2 2 "$ACCENT"; }
    wait_for unboxed
    for _ in {1..10}; do
        run shows 38 60 2 2 "$ACCENT"
        [ "$status" -ne 0 ]
    done
}

@test "a slow command holds no frame up" {
    film 60
    start_x
    began=${EPOCHREALTIME/./}
    xview -t -x -e 'while read -r l; do sleep 0.5; done' <film
    took=$((${EPOCHREALTIME/./} - began))
    [ $took -gt 1900000 ]
    [ $took -lt 15000000 ] # had it been waited for: half a minute
}

@test "a flickering answer does not flicker in the strip" {
    film 90
    view -t -s 0.1 -e 'grep -a --line-buffered "^# frame=" |
        sed -u "s/# frame=\(.*[05]\)$/1\t0.9\t-\t\1/; s/# frame=\(.*\)/7\t0.98\t-\t\1/"'
    wait_for shows 18 256 1 1 "$ACCENT" # the upper left end of a 7
    for _ in {1..20}; do
        [ "$(pixel 18 256)" = "$ACCENT" ]
    done
}

# The window is the same after three frames' time.
still() {
    xshot 0 0 320 304 >one.ppm
    sleep 0.15
    xshot 0 0 320 304 | cmp -s - one.ppm
}

@test "space pauses and goes on" {
    film 60
    view -d 0.05
    xdotool key space
    wait_for still
    cp one.ppm paused.ppm
    xdotool key space
    wait_for still
    run cmp -s one.ppm paused.ppm
    [ "$status" -eq 1 ]
}

@test "q quits before a frame, while paused, at the end and while frames come" {
    film 3
    start_x
    mkfifo nothing
    exec 5<>nothing
    background bash -c 'exec xview <nothing'
    window "inkpipe view"
    xdotool key q
    wait "$!"
    for state in end paused running; do
        background bash -c 'exec xview -d $1 film' - "$([ $state = running ] && echo 1 || echo 0)"
        window "inkpipe view"
        [ $state != paused ] || xdotool key space
        xdotool key q
        wait "$!"
    done
    background bash -c 'exec xview film'
    pid=$!
    window "inkpipe view"
    xclose "$WINDOW"
    wait "$pid"
    exec 5>&-
}

@test "s saves the frame as it came, under a new name each time" {
    film 1
    view
    xdotool key s
    wait_for test -s xview-0001.pgm
    cmp film xview-0001.pgm
    xdotool key s
    wait_for test -s xview-0002.pgm
}

@test "a digit key appends the region, labelled" {
    film 1
    view -r 100,50,120,90 -o mine.pgm
    xdotool key 4
    wait_for frames mine.pgm 1
    xdotool key 9
    wait_for frames mine.pgm 2
    [ "$(grep -a '^# label' mine.pgm | xargs)" = "# label=4 # label=9" ]
    [ "$(pamfile -allimages mine.pgm | grep -c '120 by 90')" -eq 2 ]
}

@test "any printable key is a label: a letter, a sign by its name, after a backslash what is a command, too" {
    local n=0 key
    film 1
    view -o mine.pgm
    for key in a Z plus slash question 'backslash q' 'backslash s' 'backslash backslash'; do
        # shellcheck disable=SC2086 # two keys
        xdotool key $key
        wait_for frames mine.pgm $((++n))
    done
    [ "$(grep -a '^# label' mine.pgm | cut -d = -f 2 | xargs -d '\n')" = 'a Z plus slash ? q s \' ]
    [ ! -e xview-0001.pgm ]
}

@test "what cannot be saved is said" {
    film 1
    view -o /dev/full
    xdotool key 4
    wait_for strip_shows "$ALARM"
}

@test "a frame that cannot be saved whole leaves the file as it was" {
    film 1
    ulimit -S -f 16
    view -r 100,50,120,90 -o mine.pgm
    ulimit -S -f unlimited
    xdotool key 4
    wait_for frames mine.pgm 1
    cp mine.pgm before.pgm
    xdotool key 9
    wait_for strip_shows "$ALARM"
    cmp before.pgm mine.pgm
    xdotool key q
    wait "$VIEW"
}

@test "-p passes every frame on as it came, also while paused" {
    film 60
    view -p
    xdotool key space
    wait_for frames out 60
    cmp film out
    xdotool key q
    wait "$VIEW"
}

@test "-x ends with the stream, and takes several files" {
    film 5
    start_x
    xview -x film film
    run xview -x film no-such-file film
    [ "$status" -eq 1 ]
    [[ "$output" == "xview: no-such-file: cannot open: No such file"* ]]
    head -c 100000 film >cut
    run xview -x cut
    [ "$status" -eq 1 ]
    [[ "$output" == "xview: cut: frame 1: "* ]]
}

@test "what cannot be passed on ends it: output that is closed, or the file that is read" {
    film 5
    start_x
    run timeout 120 bash -c 'xview -x -p film >&-'
    [ "$status" -eq 1 ]
    [ "$output" = "xview: standard output: Bad file descriptor" ]
    run timeout 120 bash -c 'ulimit -f 10000; xview -x -p film >>film'
    [ "$status" -eq 1 ]
    [ "$output" = "xview: film: is also the file to write to" ]
    run timeout 120 bash -c 'xview -x <&-'
    [ "$status" -eq 1 ]
    [ "$output" = "xview: standard input: frame 0: cannot read: Bad file descriptor" ]
}

@test "a command that dies is shown and started again, not too often" {
    film 75
    start_x
    background run_view -t -e 'echo start >>starts; exit 3'
    window "inkpipe view"
    wait_for strip_shows "$ALARM"
    wait_for eval '[ "$(wc -l <starts)" -eq 3 ]'
    strip_shows "$ALARM"
}

@test "a reader that ends, ends it quietly" {
    film 60
    start_x
    bash -o pipefail -c 'xview -p film 2>err | head -c 100 >part'
    [ ! -s err ]
}

@test "frames of changing sizes are all shown" {
    for size in 30x20 2x300 300x2 640x480 16x16; do
        camgrab -f lavfi -n 1 "color=white:size=$size"
    done >film
    start_x
    xview -x -e 'cat >/dev/null' film
}

# film_of HAND DIGIT COUNT: a film, film.mp4, of somebody's digit that drifts over white paper.
film_of() {
    start_x
    background bash -c 'exec xcanvas >drawn'
    window "draw a digit"
    draw "$1" "$2"
    xdotool key q
    wait "$!"
    last_frame drawn | pnminvert >digit.pgm
    ffmpeg -v error -f lavfi -i color=white:size=640x480:rate=30 -loop 1 -i digit.pgm \
        -filter_complex 'overlay=x=200+t*20:y=100+t*10' -frames:v "$3" film.mp4
}

@test "a film of a digit: the answer in the strip and on the picture" {
    real
    film_of european 4 90
    background bash -c "camgrab film.mp4 | xview -t -r 150,50,450,400 -e 'preproc | cnn-predict'"
    window "inkpipe view"
    wait_for shows_digit 4 4 484 52 56
    wait_for shows 150 50 450 400 "$ACCENT"
}

@test "a screen on which somebody draws" {
    real
    start_x
    background bash -c 'exec xcanvas >drawn'
    window "draw a digit"
    drawing=$DISPLAY
    rm display
    start_x
    background bash -c "camgrab -f x11grab -g 452x452 $drawing | xview -r 20,20,410,410 -e 'preproc | cnn-predict'"
    window "inkpipe view"
    for d in 3 5; do
        DISPLAY=$drawing draw round $d
        wait_for shows_digit $d 4 456 52 56
        DISPLAY=$drawing xdotool key c
    done
}

@test "a region outside of the frame is no error" {
    film 2
    start_x
    xview -x -r 1000,1000,10,10 -e 'preproc' film
}

# bats test_tags=once
@test "640x480 at 30 a second takes less than 15 % of a core" {
    camgrab -f lavfi -n 90 'testsrc2=size=640x480:rate=30' >film
    start_x
    TIMEFORMAT='%U %S'
    { time xview -t -x -r 300,100,200,200 -e "$SAY7" <film 2>err; } 2>spent
    cat spent
    awk '{ exit !($1 + $2 < 0.15 * 3) }' spent
}

# bats test_tags=once
@test "two hundred frames under valgrind: no error, no leak" {
    start_x
    mnist2pgm -r 0:200 "$DATA/digits-images.gz" >film
    valgrind -q --leak-check=full --errors-for-leak-kinds=definite,possible --error-exitcode=9 \
        "$B/xview" -x -z 0.5 -e "$SAY7" film
}

# The memory, in KiB, and the descriptors of xview when it has shown `film` to its end.
footprint() {
    background run_view -z 0.5 -p -e "$SAY7"
    window "inkpipe view"
    wait_for frames out "$1"
    echo "$(awk '/^VmRSS/ { print $2 }' "/proc/$!/status") $(ls "/proc/$!/fd" | wc -l)"
    xdotool key q
    wait "$!"
}

# bats test_tags=once
@test "10,000 frames take no more memory or descriptors than 1,000" {
    start_x
    mnist2pgm "$DATA/digits-images.gz" >film
    footprint 1000 >few
    cat film{,,,,,,,,,} >films
    mv films film
    footprint 10000 >many
    read -r memory descriptors <few
    read -r more_memory more_descriptors <many
    [ $((more_memory - memory)) -lt 1024 ]
    [ "$more_descriptors" -eq "$descriptors" ]
}
