# The frame stream: what pgm-stream(5) says of it, with Netpbm, ffmpeg and cat on either side.
# framecat reads and writes as every program of the suite does.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    PATH=$B/tool:$PATH
}

teardown() {
    kill_background
}

digits() {
    (cd "$DATA" && mnist2pgm -r "${1:-0:3}" digits-images.gz digits-labels.gz)
}

# same A B: the two files hold the same frames, facts and all.
same() {
    cmp "$1" "$2"
}

# frames FILE...: how many there are.
frames() {
    framecat -l "$@" | wc -l
}

# near FILE FILE: the bytes of the two differ by at most 1.
near() {
    [ "$(wc -c <"$1")" = "$(wc -c <"$2")" ]
    cmp -l "$1" "$2" | while read -r _ a b; do
        d=$((8#$a - 8#$b))
        ((d * d <= 1))
    done
}

@test "our own frames come through as they were" {
    digits >a
    framecat <a >b
    same a b
}

@test "no bytes are a stream of no frames" {
    run framecat </dev/null
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "cat joins streams" {
    digits 0:2 >a
    digits 5:7 >b
    cat a b | framecat >c
    cat a b | same - c
}

@test "source and frame are the file's name and the count where no facts are" {
    pgmramp -lr 5 4 >"a b.pgm"
    cat "a b.pgm" "a b.pgm" >two
    run framecat -l "a b.pgm" two
    [ "${lines[0]}" = "5x4	-	a%20b.pgm	0	-" ]
    [ "${lines[2]}" = "5x4	-	two	1	-" ]
    run bash -c "framecat -l <two"
    [ "${lines[0]}" = "5x4	-	-	0	-" ]
}

@test "white space may stand between frames" {
    digits 0:2 >a
    { digits 0:1; printf '\n \r\n\t'; digits 1:2; printf '\n'; } | framecat >b
    same a b
}

@test "files of other programs: numbers on one line, CR, VT and FF as space, comments after values" {
    printf 'P5 2 2 255\nabcd' >one-line
    printf 'P5\r\n2 2\r255\rabcd' >cr
    printf 'P5\v2\f2\t255 abcd' >vt-ff
    printf 'P5\n2 # wide\n2 # high\n# all\n255\nabcd' >comments
    printf 'P5\n2 2\n255\nabcd' >plain
    for file in one-line cr vt-ff comments; do
        framecat $file | same - plain
    done
}

@test "the raster is what stands behind one byte of white space, whatever it is" {
    for first in '#' '\r' '\n' ' ' 7; do
        printf "P5\n2 1\n255\n${first}x" >in
        framecat <in | same - in
        pamtopnm <in | same - in
    done
}

@test "Netpbm sees a comment glued to maxval as we do" {
    printf 'P5\n2 1\n255#c\nab' >in
    framecat <in >ours
    pamtopam <in | pamtopnm >theirs
    same ours theirs
}

@test "bad streams: the message, the status, and the frames before the fault" {
    export DATA
    export -f digits
    while read -r name; do
        case $name in '' | \#*) continue ;; esac
        read -r command
        read -r before
        read -r message
        echo "case: $name"
        for program in framecat preproc; do
            status=0
            bash -c "$command" </dev/null | $program >out 2>err || status=$?
            [ "$status" -eq 1 ]
            [ "$(cat err)" = "$program: standard input: $message" ]
            [ "$(frames out)" -eq "$before" ]
        done
        cases=$((cases + 1))
    done <"$BATS_TEST_DIRNAME/stream.cases"
    [ "$cases" -ge 24 ]
}

@test "the files that cannot be opened or read are named" {
    digits 0:1 >good
    run framecat -l missing . good
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "framecat: missing: cannot open: No such file or directory" ]
    [ "${lines[1]}" = "framecat: .: frame 0: cannot read: Is a directory" ]
    [[ ${lines[2]} = 28x28* ]]
}

@test "a header that lies about the largest frame costs no memory" {
    for lie in 'P5 16384 16384 255' 'P6 16384 16384 65535' 'P4 16384 16384' 'P2 16384 16384 9'; do
        printf "$lie\n000" >lie
        run framecat lie
        [ "$status" -eq 1 ]
        [[ $output = *truncated* ]]
        [ "$(peak framecat lie)" -lt 100 ]
    done
}

@test "an escape sequence in a fact does not reach what we write" {
    printf 'P5\n# source=\033[2Jx\n1 1\n255\na' | framecat >out
    grep -aq '^# source=?\[2Jx$' out
}

# ---- Netpbm ----

@test "P1 to P7 are read, mixed in one stream" {
    pgmramp -diag 20 10 >p5
    pgmtoppm rgbi:1/1/1 <p5 >p6
    pgmtopbm <p5 >p4
    pnmtoplainpnm <p6 >p3
    pnmtoplainpnm <p5 >p2
    pnmtoplainpnm <p4 >p1
    pamtopam <p6 >p7
    pnmdepth 255 <p4 | ppmtopgm >bits
    for p in p2 p3 p5 p6 p7; do
        framecat $p | same - p5
    done
    for p in p1 p4; do
        framecat $p | same - bits
    done
    for i in 1 2 3 4 5 6 7; do
        [ "$(head -c 2 p$i)" = P$i ]
    done
    cat p1 p5 p2 p7 p3 p4 p6 p5 >mixed
    framecat mixed >out
    cat bits p5 p5 p5 p5 bits p5 p5 | same - out
}

@test "colour becomes gray as ppmtopgm makes it" {
    ppmpat -tartan -randomseed=1 60 40 >in
    framecat in >ours
    ppmtopgm in >theirs
    near ours theirs
}

@test "a plain image needs no newline at its end" {
    printf 'P2 2 1 10 5 10' | framecat | tail -c 2 | od -An -tu1 >out
    [ "$(cat out)" = " 128 255" ]
}

@test "facts in the header of a colour image are kept" {
    printf 'P6\n# label=4\n1 1\n255\nabc' | framecat -l >out
    grep -q '^1x1	4	' out
}

@test "16 bits, 10 bits and maxval 1 are scaled by maxval, the high byte first" {
    pgmramp -lr 256 3 >in
    for maxval in 65535 1023 511; do
        pamdepth $maxval in >deep
        framecat deep | same - in
    done
    pamdepth 1 in >bits
    framecat bits >ours
    pamdepth 255 bits | same - ours
}

@test "a sample above maxval is white, and the frame says it was clipped" {
    printf 'P5 3 1 100\n\0\144\145P5 3 1 100\n\0\144\144' >in
    run framecat -l in
    [[ ${lines[0]} = *clipped ]]
    [[ ${lines[1]} = *- ]]
    [ "$(framecat in | tail -c 3 | od -An -tu1)" = "   0 255 255" ]
}

@test "programs say once that samples were clipped" {
    printf 'P5 3 1 100\n\0\144\145P5 3 1 100\n\0\144\145' >in
    run bash -c 'preproc in >/dev/null'
    [ "$status" -eq 0 ]
    [ "$output" = "preproc: in: samples above maxval are taken as white" ]
}

@test "Netpbm reads our stream: pamfile sees each frame" {
    digits >in
    [ "$(pamfile -allimages in | wc -l)" -eq 3 ]
    pamtopam <in | framecat | pamfile -allimages | wc -l | grep -qx 3
}

# The commands that pgm-stream(5) lists under a heading of its source.
listed() {
    sed -n "/list: $1/,/^\.Ed/p" "$TREE/man/pgm-stream.5" | grep -v '^\.'
}

# passes N HEADING: each listed filter gives N frames of three.
passes() {
    digits >in
    digits 0:1 >palette.pgm
    listed "$2" >list
    while read -r filter; do
        echo "$filter"
        [ "$(bash -c "$filter" <in 2>/dev/null | frames)" -eq "$1" ]
    done <list
}

@test "the Netpbm filters that pass on every frame are those of the manual" {
    passes 3 'every frame'
    [ "$(wc -l <list)" -eq 11 ]
}

@test "the Netpbm filters that pass on the first frame alone are those of the manual" {
    passes 1 'the first frame'
    [ "$(wc -l <list)" -eq 17 ]
}

@test "inside pamexec each of them passes on every frame" {
    digits >in
    digits 0:1 >palette.pgm
    listed 'the first frame' | while read -r filter; do
        echo "$filter"
        [ "$(pamexec "$filter" <in 2>/dev/null | frames)" -eq 3 ]
    done
}

@test "every Netpbm filter drops facts, pamexec too" {
    digits >in
    for filter in 'pamtopnm' "pamexec cat"; do
        [ "$(framecat -l in | cut -f2 | tr '\n' ' ')" = "7 2 1 " ]
        [ "$(bash -c "$filter" <in | framecat -l | cut -f2 | tr '\n' ' ')" = "- - - " ]
    done
}

# ---- ffmpeg ----

@test "ffmpeg's stream is read: pgm, in full range" {
    ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=5:duration=1 -f image2pipe -c:v pgm - >in
    framecat in >out
    same in out
    [ "$(frames in)" -eq 5 ]
    ffmpeg -v error -f lavfi -i 'color=white:size=8x8,format=yuv420p' -frames:v 1 -f image2pipe \
        -c:v pgm - | framecat | tail -c 64 | od -An -tu1 -v -w1 | sort -u >white
    [ "$(cat white)" = " 255" ]
}

@test "ffmpeg's 16-bit pgm is read" {
    pgmramp -lr 256 3 >in
    ffmpeg -v error -f image2pipe -c:v pgm -i in -pix_fmt gray16be -f image2pipe -c:v pgm - >deep
    grep -aqx 65535 deep
    framecat deep | same - in
}

@test "ffmpeg's ppm, pbm and pam streams are read" {
    ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=3:duration=1 -f image2pipe -c:v ppm - >ppm
    ppmtopgm ppm >gray
    framecat ppm >ours
    near ours gray
    for codec in pbm pam; do
        ffmpeg -v error -f image2pipe -c:v ppm -i ppm -f image2pipe -c:v $codec - >other
        [ "$(frames other)" -eq 3 ]
    done
}

@test "ffmpeg reads our stream, 5000 bytes of facts too" {
    digits >in
    printf 'P5\n# long=%05000d\n28 28\n255\n' 0 >>in
    head -c 784 /dev/zero >>in
    ffmpeg -v error -f image2pipe -c:v pgm -i in -f image2pipe -c:v pgm - >out
    framecat in | pamtopnm >bare
    same out bare
    [ "$(frames out)" -eq 4 ]
}

@test "ffmpeg scales frames of other sizes to the first" {
    { pgmramp -lr 40 30; pgmramp -lr 20 10; } >in
    ffmpeg -v error -f image2pipe -c:v pgm -i in -f image2pipe -c:v pgm - >out
    run framecat -l out
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[1]} = 40x30* ]]
}

# ---- pipes ----

@test "a reader that goes early ends a writer without a word" {
    digits 0:1000 >in
    cat in in in in >big
    run bash -c 'framecat big | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}"'
    [ "$output" = 141 ]
}

@test "a frame comes through at once, pamexec too, while the writer stays" {
    mkfifo fifo
    background bash -c "pamexec 'pamflip -lr' <fifo | framecat >out"
    exec 7>fifo
    digits 0:1 >&7
    one() { [ "$(frames out)" -eq 1 ]; }
    wait_for one
    exec 7>&-
}

@test "a full disk is said" {
    digits >in
    run bash -c 'framecat in >/dev/full'
    [ "$status" -eq 1 ]
    [[ $output = *"cannot write: No space left on device" ]]
}

# nonblocking INPUT COMMAND: with narrow pipes that are nonblocking (LATER=1: once it has begun to write), fed a
# piece every few milliseconds and read slowly.
nonblocking() {
    python3 -c 'import fcntl, os, subprocess, sys, threading, time
data, later = open(sys.argv[1], "rb").read(), "LATER" in os.environ
(inr, inw), (outr, outw) = os.pipe(), os.pipe()
fcntl.fcntl(outw, 1031, 4096) # F_SETPIPE_SZ
def spoil():
    os.set_blocking(inr, False)
    os.set_blocking(outw, False)
later or spoil()
program = subprocess.Popen(sys.argv[2:], stdin=inr, stdout=outw)
def feed():
    for i in range(0, len(data), 20000):
        time.sleep(.01)
        os.write(inw, data[i:i + 20000])
    os.close(inw)
threading.Thread(target=feed, daemon=True).start()
if later:
    sys.stdout.buffer.write(os.read(outr, 4096))
    spoil()
os.close(inr)
os.close(outw)
while piece := os.read(outr, 4096):
    sys.stdout.buffer.write(piece)
    time.sleep(.0005)
sys.exit(program.wait())' "$@"
}

@test "nonblocking descriptors are waited for" {
    cd "$BATS_TEST_TMPDIR"
    mnist2pgm -r 0:300 "$DATA/digits-images.gz" >in.pgm
    zcat "$DATA/digits-images.gz" >images
    for program in preproc 'cnn-predict -o json' 'camgrab -'; do
        # shellcheck disable=SC2086
        nonblocking in.pgm $program >out
        $program <in.pgm | cmp - out
    done
    nonblocking images mnist2pgm - >out
    mnist2pgm - <images | cmp - out
}

@test "descriptors that another program makes nonblocking meanwhile are waited for" {
    cd "$BATS_TEST_TMPDIR"
    mnist2pgm -r 0:100 "$DATA/digits-images.gz" >in.pgm
    for program in preproc 'cnn-predict -k 10 -o json' 'camgrab -'; do
        # shellcheck disable=SC2086
        LATER=1 nonblocking in.pgm $program >out
        $program <in.pgm | cmp - out
    done
}
