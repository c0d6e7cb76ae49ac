# camgrab: pictures of every kind to gray frames. Pictures are made here, by ffmpeg.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# picture NAME [SIZE]: a test picture of the kind that NAME's ending says.
picture() {
    ffmpeg -v error -f lavfi -i "testsrc=size=${2:-64x48}" -frames:v 1 "$1"
}

@test "an image file is one frame with its name" {
    picture photo.png
    run camgrab photo.png
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = P5 ]
    [ "${lines[1]}" = "# source=photo.png" ]
    [ "${lines[2]}" = "# frame=0" ]
}

@test "a video file is all its frames, none twice" {
    ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=10:duration=2 clip.mp4
    run bash -c 'camgrab clip.mp4 | grep -a "^# frame=" | uniq | wc -l'
    [ "$output" -eq 20 ]
}

@test "one bad picture among several is reported and passed over" {
    picture a.png
    picture c.png
    head -c 100 a.png > b.png
    run bash -c 'camgrab a.png b.png c.png 2>err | grep -a "^# source="; exit ${PIPESTATUS[0]}'
    [ "$status" -eq 1 ]
    [ "$output" = "# source=a.png
# source=c.png" ]
    grep -q '^camgrab: b.png: ' err
}
