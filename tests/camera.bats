# camgrab with cameras: a preload stands in for V4L2 devices (see v4l2-shim.c).
load helper

setup_file() {
    cc -shared -fPIC -o "$BATS_FILE_TMPDIR/shim.so" "$TREE/tests/v4l2-shim.c" -ldl
    ffmpeg -v error -f lavfi -i testsrc=size=640x480 -frames:v 1 "$BATS_FILE_TMPDIR/frame.jpg"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    export FAKE_JPEG=$BATS_FILE_TMPDIR/frame.jpg
}

teardown() {
    kill_background
}

# with_cameras COMMAND...: with the cameras that FAKE_VIDEO0, FAKE_VIDEO1, ... describe.
with_cameras() {
    LD_PRELOAD=$BATS_FILE_TMPDIR/shim.so "$@"
}

facts() { # KEY: the fact's values in the stream on standard input
    grep -a "^# $1=" | cut -d= -f2-
}

@test "the first camera is taken, metadata nodes are not cameras" {
    export FAKE_VIDEO0=meta FAKE_VIDEO2='yuyv mjpeg' FAKE_VIDEO3=yuyv
    [ "$(with_cameras camgrab -n 1 -s 0 | facts source)" = /dev/video2 ]
    [ "$(with_cameras camgrab -n 1 -s 0 /dev/video3 | facts source)" = /dev/video3 ]
    [ "$(with_cameras camgrab -f v4l2 -n 1 -s 0 /dev/video3 | facts source)" = /dev/video3 ]
}

@test "-l lists cameras with what they offer" {
    FAKE_VIDEO0=meta FAKE_VIDEO1='yuyv mjpeg' FAKE_VIDEO4=denied with_cameras camgrab -l >list
    [ "$(cat list)" = "\
/dev/video1	Fake Camera 1	yuyv422 320x240 640x480 1280x720; mjpeg 320x240 640x480 1280x720
/dev/video4		(Permission denied)" ]
    run with_cameras camgrab -l
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: no camera found" ]
}

@test "640x480 is asked for, whatever size the last program left" {
    FAKE_VIDEO0=yuyv with_cameras camgrab -n 1 -s 0 | pamfile | grep -q '640 by 480'
    FAKE_VIDEO0=yuyv with_cameras camgrab -g 1280x720 -n 1 -s 0 | pamfile | grep -q '1280 by 720'
    FAKE_VIDEO0=yuyv with_cameras camgrab -g 300x200 -n 1 -s 0 | pamfile | grep -q '320 by 240'
}

@test "raw pictures at full rate, Motion JPEG where raw is slow" {
    # The drawn raw picture is a ramp, the Motion JPEG one is not.
    ramp() { pamcut -height 1 | pamsumm -mean -brief; }
    FAKE_VIDEO0='yuyv mjpeg' with_cameras camgrab -n 1 -s 0 | ramp | grep -q '^12[678]'
    FAKE_VIDEO0='yuyv mjpeg slow' with_cameras camgrab -n 1 -s 0 >got.pgm
    ffmpeg -v error -i "$FAKE_JPEG" -pix_fmt gray expected.pgm
    pnmpsnr -machine got.pgm expected.pgm | awk '{ exit !($1 == "inf" || $1 > 40) }'
    FAKE_VIDEO0='yuyv mjpeg slow' with_cameras camgrab -n 1 -s 0 -o input_format=yuyv422 | ramp | grep -q '^12[678]'
}

@test "limited range of a camera becomes black to white" {
    FAKE_VIDEO0=yuyv with_cameras camgrab -n 1 -s 0 >got.pgm
    [ "$(pamsumm -min -brief got.pgm)" -eq 0 ]
    [ "$(pamsumm -max -brief got.pgm)" -eq 255 ]
}

@test "with -n the first second is dropped, -s 0 keeps it" {
    [ "$(FAKE_VIDEO0=yuyv with_cameras camgrab -n 1 | facts time)" \> 0.999 ]
    FAKE_VIDEO0='yuyv asked=9' with_cameras camgrab -n 1 -s 0 9< <(echo -n .) >got.pgm
    [ "$(facts time <got.pgm)" = 0.000 ]
}

@test "damaged pictures are passed over" {
    FAKE_VIDEO0='mjpeg corrupt=3' with_cameras camgrab -n 20 -s 0 2>err | facts frame | wc -l | grep -qx 20
    [ ! -s err ]
}

@test "pictures that change size in mid-stream, and rubbish between them" {
    head -c 3000 "$FAKE_JPEG" | tail -c 2000 >rubbish
    ffmpeg -v error -f lavfi -i testsrc=size=320x240 -frames:v 1 small.jpg
    export FAKE_VIDEO0='mjpeg rate=100' FAKE_JPEG=$FAKE_JPEG:rubbish:small.jpg
    with_cameras camgrab -n 20 -s 0 2>err >got
    [ "$(wc -l <err)" -le 1 ]
    [ "$(pamfile -allimages got | grep -c ' 640 by 480 ')" -ge 1 ]
    [ "$(pamfile -allimages got | grep -c ' 320 by 240 ')" -ge 1 ]
    [ "$(preproc got | cnn-predict -t 0 | wc -l)" -eq 20 ]
}

@test "a camera that only gives rubbish is lost after five seconds, said once" {
    head -c 200 "$FAKE_JPEG" >rubbish
    FAKE_VIDEO0=mjpeg FAKE_JPEG=rubbish run with_cameras camgrab
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -le 2 ]
    [[ "$output" = *"damaged pictures passed over"* ]]
}

@test "missing, busy, forbidden and wrong devices: what to do" {
    run with_cameras camgrab
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: /dev/video0: no such camera; there is no camera here" ]

    FAKE_VIDEO1=yuyv FAKE_VIDEO2=yuyv run with_cameras camgrab /dev/video7
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: /dev/video7: no such camera; cameras here: /dev/video1, /dev/video2" ]

    FAKE_VIDEO0='yuyv busy' run with_cameras camgrab
    [ "$status" -eq 1 ]
    [[ "$output" = "camgrab: /dev/video0: in use by another program"* ]]

    FAKE_VIDEO0=denied run with_cameras camgrab
    [ "$status" -eq 1 ]
    [[ "$output" = "camgrab: /dev/video0: no permission"*"group \`video'"* ]]

    FAKE_VIDEO0=meta FAKE_VIDEO1=yuyv run with_cameras camgrab /dev/video0
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: /dev/video0: not a node that captures video; cameras here: /dev/video1" ]
}

# camgrab's frame numbers on standard output, its talk in err. The camera's next picture (asked=9) is due
# when the one before was read: however busy the machine is, none is passed over.
asked_for() {
    mkfifo ask
    exec 9<>ask
    echo -n . >&9
    with_cameras camgrab "$@" 2>err | grep --line-buffered -a '^# frame=' | while IFS== read -r _ frame; do
        echo "$frame"
        echo -n . >&9
    done
    return "${PIPESTATUS[0]}"
}

@test "unplugged in mid-stream: said, exit 1, every picture until then is out" {
    FAKE_VIDEO0='yuyv asked=9 gone=12' run asked_for
    [ "$status" -eq 1 ]
    [ "$output" = "$(printf '%s\n' {0..11})" ]
    [ "$(cat err)" = "camgrab: /dev/video0: the camera was unplugged or turned off; there is no camera here" ]
}

# within_bar COMMAND...: on a busy machine a measure of time can be spoilt: one of three must do.
within_bar() {
    "$@" || "$@" || "$@"
}

lost_after_five_seconds() {
    FAKE_VIDEO0='yuyv stall=5' run /usr/bin/time -f '%e %U' -o took \
        env LD_PRELOAD="$BATS_FILE_TMPDIR/shim.so" camgrab
    [ "$status" -eq 1 ] && [[ "$output" = *"camgrab: /dev/video0: no picture for some seconds"* ]] &&
        tail -n 1 took | awk '{ print; exit !($1 >= 5 && $1 < 9 && $2 < 1) }'
}

@test "a camera that falls silent is lost after five seconds, without burning a core" {
    within_bar lost_after_five_seconds
}

@test "-w waits for a camera that comes back" {
    FAKE_VIDEO0='yuyv asked=9 lose=10' run asked_for -w -s 0 -n 30
    [ "$status" -eq 0 ]
    [ "$output" = "$(printf '%s\n' {0..9} {0..19})" ]
    grep -q unplugged err
}

# A reader that takes a picture every 200 ms for 4 s: the gaps between those it got are six pictures
# wide, and it is never more than two of its steps behind.
pictures_are_new() {
    with_cameras camgrab -n 20 -s 0 | perl -e '
        use Time::HiRes qw(time sleep);
        binmode STDIN;
        my ($start, $worst) = (undef, 0);
        while (defined(my $magic = <STDIN>)) {
            my %fact;
            my $line;
            while (($line = <STDIN>) =~ /^# (\w+)=(.*)/) { $fact{$1} = $2 }
            <STDIN>;
            my ($w, $h) = split " ", $line;
            read STDIN, my $pixels, $w * $h;
            $start //= time - $fact{time};
            my $age = time - $start - $fact{time};
            $worst = $age if $age > $worst;
            sleep 0.2;
        }
        printf "%.3f\n", $worst' >worst
    cat worst
    awk '{ exit !($1 < 0.45) }' worst
}

@test "of the pictures that queue up the newest is taken" {
    export FAKE_VIDEO0=yuyv
    within_bar pictures_are_new
}

# Each line is read byte by byte, as a shell does, and takes 200 ms; the camera's 30 frames a second
# make the time of an answer known by its number. The bar: two of the reader's steps and two frames.
answers_are_new() {
    LD_PRELOAD=$BATS_FILE_TMPDIR/shim.so timeout 5 camgrab -s 0 | preproc | cnn-predict 2>/dev/null |
        perl -e '
        use Time::HiRes qw(time sleep);
        my ($start, $worst, $n, $line) = (undef, 0, 0, "");
        while (sysread STDIN, my $byte, 1) {
            $line .= $byte;
            next unless $byte eq "\n";
            my $taken = (split /\t/, $line)[3] / 30;
            $start //= time - $taken;
            my $age = time - $start - $taken;
            $worst = $age if $age > $worst;
            $line = "";
            $n++;
            sleep 0.2;
        }
        printf "%d %.3f\n", $n, $worst' >answers
    cat answers
    awk '{ exit !($1 > 10 && $2 < 2 * 0.2 + 2 / 30) }' answers
}

# bats test_tags=once,timed
@test "the newest wins through the whole line before a slow reader" {
    export FAKE_VIDEO0=yuyv INKPIPE_MODEL=model.onnx
    "$B/tool/pixelmodel" model.onnx
    within_bar answers_are_new
}

@test "a recorded stream is not live: every frame is answered, however slow the reader" {
    export FAKE_VIDEO0=yuyv INKPIPE_MODEL=model.onnx
    "$B/tool/pixelmodel" model.onnx
    with_cameras camgrab -n 40 -s 0 >recorded.pgm
    ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=10:duration=4 clip.mp4
    for from in 'cat recorded.pgm' 'camgrab clip.mp4'; do
        $from | preproc 2>/dev/null | cnn-predict 2>/dev/null |
            perl -ne 'select undef, undef, undef, 0.02; $n++; END { print "$n\n" }' >count
        [ "$(cat count)" -eq 40 ]
    done
}

# bats test_tags=once
@test "nothing leaks when a camera comes and goes" {
    export FAKE_VIDEO0=mjpeg
    LD_PRELOAD=$BATS_FILE_TMPDIR/shim.so valgrind -q --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite camgrab -n 5 -s 0 >got
    [ "$(facts frame <got | wc -l)" -eq 5 ]
}

# ---- scripts/camera ----

@test "scripts/camera says what is missing: a display, a camera" {
    run env -u DISPLAY "$TREE/scripts/camera"
    [ "$status" -eq 1 ]
    [[ "$output" = "camera: no display: DISPLAY is not set"* ]]
    DISPLAY=:99 run with_cameras "$TREE/scripts/camera"
    [ "$status" -eq 1 ]
    [[ "$output" = "camera: no camera found"* ]]
    run "$TREE/scripts/camera" -Z
    [ "$status" -eq 2 ]
    "$TREE/scripts/camera" -h | grep -q '^usage: camera'
}

@test "scripts/camera shows the camera until q, and a lost camera is said" {
    load xcommon
    start_x
    "$B/tool/pixelmodel" model.onnx
    export FAKE_VIDEO0=yuyv INKPIPE_MODEL=$PWD/model.onnx
    with_cameras "$TREE/scripts/camera" 2>err 3>&- &
    camera=$!
    window "inkpipe view"
    # The camera's ramp is on the screen: black at the left, white at the right.
    gray_at() { xshot "$1" "$2" 1 1 | ppmtopgm | tail -c 1 | od -An -tu1; }
    shows_ramp() { [ "$(gray_at 20 400)" -lt 40 ] && [ "$(gray_at 620 400)" -gt 200 ]; }
    wait_for shows_ramp || { gray_at 20 400; gray_at 620 400; return 1; }
    xdotool key q
    wait $camera
    FAKE_VIDEO0='yuyv gone=10' run with_cameras "$TREE/scripts/camera"
    [ "$status" -eq 1 ]
    [[ "$output" = *"/dev/video0: the camera was unplugged"* ]]
}

# ---- the manuals' examples that need a camera or a screen ----

# example COMMAND: with a camera; what is drawn or shown is looked at, and q ends it.
example() {
    background with_cameras bash -o pipefail -c "$1"
    local pid=$!
    case $1 in
    *xview*-x*) ;; # ends with its stream
    *draw*)
        window "draw a digit"
        draw round 8
        xdotool key 8 key q
        ;;
    *)
        window "inkpipe view"
        [[ $1 == *x11grab* ]] || wait_for shows 0 482 640 60 "$ACCENT" # the answer, in the strip
        xdotool key q
        ;;
    esac
    wait $pid || [ $? -eq 141 ] # the window is closed before the camera is
}

# bats test_tags=once
@test "the manuals' examples: cameras, films, windows" {
    load xcommon
    real
    start_x
    mnist2pgm -r 3:4 "$DATA/digits-images.gz" | pamscale -width 150 -height 150 |
        pnmpad -black -left 325 -right 165 -top 125 -bottom 205 | pnminvert >zero.pgm
    ffmpeg -v error -i zero.pgm -pix_fmt yuvj422p zero.jpg
    ffmpeg -v error -loop 1 -i zero.jpg -frames:v 150 -c:v mpeg4 -q:v 2 film.mp4
    cp film.mp4 clip.mp4
    export FAKE_VIDEO0=mjpeg FAKE_JPEG=$PWD/zero.jpg
    mkdir bin
    ln -s "$TREE/tests" .
    for script in camera draw; do ln -s "$TREE/scripts/$script" bin/inkpipe-$script; done
    PATH=$PWD/bin:$PATH
    [[ $(with_cameras bash -o pipefail -c "$(examples camgrab.1 | tail -n 2 | head -n 1)") == 0* ]]
    { examples camgrab.1 | tail -n 1; examples xview.1; examples inkpipe-camera.1; examples inkpipe-draw.1; } |
        sed "s/ :0\.0/ $DISPLAY/" >examples
    [ "$(wc -l <examples)" -ge 7 ]
    while IFS= read -r line <&4; do
        echo "$line"
        example "$line"
    done 4<examples
    [ "$(grep -ac '^# label=8' mine.pgm)" -eq 1 ]
}
