# mnist2pgm: IDX files to frames.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    PATH=$B/tool:$PATH
    IMAGES=$DATA/digits-images.gz
    LABELS=$DATA/digits-labels.gz
}

be32() {
    for n; do
        printf "\\x$(printf %02x $((n >> 24 & 255)))\\x$(printf %02x $((n >> 16 & 255)))"
        printf "\\x$(printf %02x $((n >> 8 & 255)))\\x$(printf %02x $((n & 255)))"
    done
}

head3() {
    printf '\0\0\10\3'
    be32 "$@"
}

head1() {
    printf '\0\0\10\1'
    be32 "$@"
}

zeros() {
    head -c "$1" /dev/zero
}

@test "images and labels become frames with source, frame and label" {
    cp "$IMAGES" 'a b'
    mnist2pgm 'a b' "$LABELS" >out
    [ "$(framecat -l out | wc -l)" -eq 1000 ]
    [ "$(framecat -l out | sed -n '1p;8p;1000p')" = "28x28	7	a%20b	0	-
28x28	9	a%20b	7	-
28x28	9	a%20b	999	-" ]
}

@test "the pixels are those of the file" {
    mnist2pgm "$IMAGES" | pamtopnm | grep -av '^P5$\|^28 28$\|^255$' | head -c 500000 >pixels
    zcat "$IMAGES" | tail -c +17 >wanted
    mnist2pgm "$IMAGES" | framecat -l | wc -l | grep -qx 1000
    for i in 0 1 500 999; do
        mnist2pgm -r $i:$((i + 1)) "$IMAGES" | tail -c 784 |
            cmp - <(tail -c +$((i * 784 + 1)) wanted | head -c 784)
    done
}

@test "without labels there is no label" {
    run bash -c "mnist2pgm -r 0:1 '$IMAGES' | framecat -l | cut -f2"
    [ "$output" = - ]
}

@test "plain files, gzip files and standard input are read alike" {
    zcat "$IMAGES" >digits-images
    zcat "$LABELS" >digits-labels
    mnist2pgm digits-images digits-labels | pamtopnm >plain
    mnist2pgm "$IMAGES" "$LABELS" | pamtopnm | cmp - plain
    mnist2pgm - digits-labels <digits-images | pamtopnm | cmp - plain
    cat digits-labels | mnist2pgm "$IMAGES" - | pamtopnm | cmp - plain
    gzip -c <digits-images | mnist2pgm - | pamtopnm | cmp - plain
}

# numbers RANGE: the numbers of the frames, first and last.
numbers() {
    mnist2pgm -r "$1" "$IMAGES" "$LABELS" | framecat -l | cut -f4 | sed -n '1p;$p' | tr '\n' ' '
}

@test "-r takes from..to-1; either end may be left out" {
    [ "$(numbers 0:1000)" = "0 999 " ]
    [ "$(numbers 10:20)" = "10 19 " ]
    [ "$(numbers :3)" = "0 2 " ]
    [ "$(numbers 998:)" = "998 999 " ]
    [ "$(numbers 998:5000000)" = "998 999 " ]
    [ "$(numbers 5:5)" = "" ]
    [ "$(numbers 5000:6000)" = "" ]
}

@test "labels follow the range" {
    mnist2pgm "$IMAGES" "$LABELS" | framecat -l | sed -n 501,510p >all
    [ "$(wc -l <all)" -eq 10 ]
    mnist2pgm -r 500:510 "$IMAGES" "$LABELS" | framecat -l | cmp - all
}

@test "a range that is none is wrong usage" {
    for range in 5 a:b 5:4 -1:3 1:2:3 : 99999999999:; do
        run bash -c "mnist2pgm -r '$range' '$IMAGES' | cat; exit \${PIPESTATUS[0]}"
        if [ "$range" = : ]; then
            [ "$status" -eq 0 ]
        else
            [ "$status" -eq 2 ]
            [ "${lines[0]}" = "mnist2pgm: -r $range: not a range like 0:1000" ]
        fi
    done
}

@test "-T exchanges rows and columns" {
    { head3 1 2 3; printf 'abcdef'; } >i
    [ "$(mnist2pgm i | tail -c 19 | tr '\n' ' ')" = "me=0 3 2 255 abcdef" ]
    [ "$(mnist2pgm -T i | tail -c 19 | tr '\n' ' ')" = "me=0 2 3 255 adbecf" ]
}

@test "-T undoes what EMNIST does: twice is once" {
    mnist2pgm -r 0:5 -T "$IMAGES" | pamexec 'pamflip -transpose' >a
    mnist2pgm -r 0:5 "$IMAGES" | pamtopnm | cmp - a
}

@test "a file named emnist-* is read with a hint that -T is probably wanted" {
    cp "$IMAGES" emnist-digits-test-images-idx3-ubyte.gz
    run bash -c 'mnist2pgm -r 0:1 ./emnist-*.gz | cat >/dev/null'
    [ "$output" = "mnist2pgm: ./emnist-digits-test-images-idx3-ubyte.gz: EMNIST stores images\
 transposed: -T is probably wanted" ]
    run bash -c 'mnist2pgm -T -r 0:1 emnist-*.gz | cat >/dev/null'
    [ -z "$output" ]
}

@test "a name with an escape sequence in it is not sent to the terminal" {
    cp "$IMAGES" $'emnist-\e[2J'
    run bash -c "mnist2pgm -r 0:1 emnist-* | grep -a '^# source'"
    [ "${lines[0]}" = "mnist2pgm: emnist-?[2J: EMNIST stores images transposed: -T is probably wanted" ]
    [ "${lines[1]}" = "# source=emnist-%1B[2J" ]
}

@test "-d writes a folder for each digit" {
    mnist2pgm -r 0:20 -d out "$IMAGES" "$LABELS"
    [ "$(find out -type f | wc -l)" -eq 20 ]
    [ "$(ls out)" = "0
1
2
3
4
5
6
7
9" ]
    [ "$(ls out/7)" = "00000.pgm
00017.pgm" ]
    mnist2pgm -r 17:18 "$IMAGES" "$LABELS" | cmp - out/7/00017.pgm
}

@test "-d without labels writes one folder, over what is there" {
    mkdir out
    echo old >out/00001.pgm
    mnist2pgm -r 0:2 -d out "$IMAGES"
    mnist2pgm -r 1:2 "$IMAGES" | cmp - out/00001.pgm
    [ "$(ls -A out)" = "00000.pgm
00001.pgm" ]
}

@test "-d where nothing can be written says so" {
    run mnist2pgm -d none/out "$IMAGES"
    [ "$status" -eq 1 ]
    [ "$output" = "mnist2pgm: none/out: cannot make directory: No such file or directory" ]
    echo >file
    run mnist2pgm -d file "$IMAGES"
    [ "$status" -eq 1 ]
    [ "$output" = "mnist2pgm: file/00000.pgm: cannot write: Not a directory" ]
}

@test "bad files: the message, the status, and the frames before the fault" {
    while read -r name; do
        case $name in '' | \#*) continue ;; esac
        read -r command
        read -r before
        read -r message
        echo "case: $name"
        rm -rf i l
        eval "$command"
        files=(i)
        [ ! -e l ] || files+=(l)
        status=0
        mnist2pgm "${files[@]}" >out 2>err || status=$?
        [ "$status" -eq 1 ]
        [[ "$(cat err)" == "mnist2pgm: "$message ]]
        frames=$(framecat -l out | wc -l)
        [ "$before" = - ] || [ "$frames" -eq "$before" ]
        cases=$((cases + 1))
    done <"$BATS_TEST_DIRNAME/idx.cases"
    [ "$cases" -ge 20 ]
}

@test "a count that lies costs no memory" {
    head3 4294967295 16384 16384 >i
    run mnist2pgm -d out i
    [ "$status" -eq 1 ]
    [ "$output" = "mnist2pgm: i: frame 0: truncated: the header says 4294967295 images" ]
    [ "$(peak mnist2pgm -d out i)" -lt 100 ]
}

@test "wrong usage exits 2 with one line of usage" {
    for arguments in '' "a b c" "-x a" "- -" "-r"; do
        run bash -c "mnist2pgm $arguments | cat; exit \${PIPESTATUS[0]}"
        [ "$status" -eq 2 ]
        [ "${lines[-1]}" = "usage: mnist2pgm [-hTV] [-d dir] [-M mapping] [-r from:to] images [labels]" ]
    done
}

@test "frames are not written to a terminal" {
    run script -qec "mnist2pgm '$IMAGES'" /dev/null
    [ "$status" -eq 2 ]
    [[ $output = *"frames are not for a terminal"* ]]
}

@test "-h and -V" {
    run mnist2pgm -h
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -lt 24 ]
    run mnist2pgm -V
    [[ $output = "mnist2pgm (inkpipe) "* ]]
}

@test "a full disk is said, once" {
    run bash -c "mnist2pgm '$IMAGES' >/dev/full"
    [ "$status" -eq 1 ]
    [ "$output" = "mnist2pgm: standard output: cannot write: No space left on device" ]
}

@test "a reader that goes early ends it without a word" {
    run bash -c "mnist2pgm '$IMAGES' | head -c 10 >/dev/null; echo \${PIPESTATUS[0]}"
    [ "$output" = 141 ]
    run bash -c "trap '' PIPE; mnist2pgm '$IMAGES' | head -c 10 >/dev/null; echo \${PIPESTATUS[0]}"
    [ "$output" = 0 ]
}

# word N: N as four bytes, the highest first.
word() {
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
}

@test "EMNIST's files: -M says which characters its labels are, -T turns its images" {
    { printf '\0\0\10\3'; word 3; word 2; word 3; printf 'abcdefghijklmnopqr'; } | gzip >emnist-images
    { printf '\0\0\10\1'; word 3; printf '\0\12\76'; } | gzip >emnist-labels
    printf '0 48\n10 65\n62 43 45\n' >mapping.txt
    mnist2pgm -T -M mapping.txt emnist-images emnist-labels >frames.pgm
    [ "$(grep -a '^# label=' frames.pgm | tr '\n' ' ')" = '# label=0 # label=A # label=plus ' ]
    [ "$(tail -c 6 frames.pgm)" = mpnqor ]
    mnist2pgm -d out -M mapping.txt emnist-images emnist-labels
    [ -e out/A/00001.pgm ]
    printf '0 48\n' >mapping.txt
    run mnist2pgm -M mapping.txt emnist-images emnist-labels
    [ "$status" -eq 1 ]
    [[ $output = *'emnist-labels: frame 1: label 10 is not in mapping.txt' ]]
    printf '0 48\n1 9\n' >mapping.txt
    run mnist2pgm -M mapping.txt emnist-images emnist-labels
    [ "$status" -eq 1 ]
    [[ $output = *"mapping.txt: '1 9' is not a label and the code of a printable character" ]]
}

@test "QMNIST's labels are rows of integers, the first is the digit" {
    { printf '\0\0\10\3'; word 2; word 1; word 1; printf 'ab'; } >images
    { printf '\0\0\14\2'; word 2; word 8; for n in 5 4 1 2 3 4 5 6 9 0 0 0 0 0 0 0; do word $n; done; } >labels
    run bash -c 'mnist2pgm images labels | grep -a "^# label"'
    [ "$output" = $'# label=5\n# label=9' ]
}
