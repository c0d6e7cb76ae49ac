# scripts/classify-folder: a folder of pictures to a table and sorted copies, on this machine and on
# others (here: two ssh servers on the loopback).
load helper
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    "$B/tool/pixelmodel" model.onnx
    export INKPIPE_MODEL=$PWD/model.onnx
}

teardown() {
    kill_background
    for server in $SERVERS; do kill_tree "$server"; done
}

# kill_tree PID: a process and what it started.
kill_tree() {
    local child
    for child in $(pgrep -P "$1"); do kill_tree "$child"; done
    kill -9 "$1" 2>/dev/null || : gone
}

# photos N: a folder of N pictures of digits.
photos() {
    mkdir -p photos
    mnist2pgm -r "0:$1" "$DATA/digits-images.gz" | preproc 2>/dev/null |
        ffmpeg -v error -f image2pipe -c:v pgm -i - -vf negate,scale=280:280 photos/%03d.png
}

# expect FOLDER: what the plain line says.
expect() {
    camgrab -R "$1" 2>/dev/null | preproc 2>/dev/null | cnn-predict 2>/dev/null
}

@test "the table is what the plain line says, in the same order" {
    photos 30
    expect photos >expected
    classify-folder photos >got 2>err
    cmp expected got
    grep -q '^classify-folder: 30 pictures: ' err
}

@test "a picture that cannot be read has a line too, and the exit status tells" {
    photos 3
    head -c 100 photos/001.png >photos/002.png
    run classify-folder photos
    [ "$status" -eq 1 ]
    grep -qx -- '-	-	photos/002.png	-	-' <<<"$output"
    grep -qx 'classify-folder: photos/002.png: not a whole png picture: [A-Za-z ]*' <<<"$output"
    grep -q 'not readable: 1$' <<<"$output"
}

@test "names with spaces, tabs, newlines, percent and UTF-8; sorted copies" {
    photos 1
    mkdir -p photos/sub
    for name in 'a b' $'tab\t' $'new\nline' '100%' größe -dash 'sub/a b'; do
        cp photos/001.png "photos/$name.png"
    done
    echo 'no picture' >photos/notes.txt
    expect photos >expected
    classify-folder -R -s sorted photos >got 2>/dev/null
    cmp expected got
    [ "$(wc -l <got)" -eq 8 ]
    digit=$(head -n 1 got | cut -f1)
    for name in 001 'a b' 'a b~2' $'tab\t' $'new\nline' '100%' größe -dash; do
        cmp photos/001.png "sorted/$digit/$name.png"
    done
    [ "$(find sorted -type f -print0 | tr -cd '\0' | wc -c)" -eq 8 ]
}

@test "pictures without a digit and unreadable ones have folders of their own" {
    mkdir photos
    ffmpeg -v error -f lavfi -i color=white:size=200x200 -frames:v 1 photos/white.png
    echo damaged >photos/damaged.jpg
    run classify-folder -s sorted photos
    [ "$status" -eq 1 ]
    [ -f sorted/none/white.png ]
    [ -f sorted/bad/damaged.jpg ]
    rm photos/damaged.jpg
    run classify-folder photos
    [ "$status" -eq 3 ]
}

@test "what is missing is said" {
    run classify-folder
    [ "$status" -eq 2 ]
    run classify-folder missing
    [ "$output" = "classify-folder: missing: not a folder" ]
    mkdir empty
    run classify-folder empty
    [ "$status" -eq 1 ]
    [[ "$output" = *"classify-folder: empty: no pictures" ]]
    photos 1
    run classify-folder -j x photos
    [ "$status" -eq 2 ]
    [ "$output" = "classify-folder: -j x: not a number of jobs" ]
    INKPIPE_MODEL=missing.onnx run classify-folder photos
    [ "$status" -eq 1 ]
    [[ "$output" = "inkpipe-read: missing.onnx: "* ]]
    run -0 classify-folder -h
    [[ ${lines[0]} = 'usage: classify-folder '* ]]
    usage=${lines[0]}
    run -2 classify-folder $'-\e'
    [ "$output" = "classify-folder: Unknown option: ?
$usage" ]
}

@test "inkpipe-read tells what is no picture's line, and input that cannot be read" {
    mnist2pgm -r :2 "$DATA/digits-images.gz" >two.pgm
    run -0 inkpipe-read < <(stat -c '%s %n' two.pgm && cat two.pgm)
    [ "${#lines[@]}" -eq 4 ]
    [ "${lines[3]}" = . ]
    run -1 inkpipe-read <<<'hello'
    [ "${lines[1]}" = "inkpipe-read: standard input: no line of a picture's size in bytes and its name" ]
    run -1 inkpipe-read <.
    [ "${lines[1]}" = 'inkpipe-read: standard input: cannot read: Is a directory' ]
    run -0 inkpipe-read </dev/null
}

@test "temporary files have a place of their own, and nothing stays there" {
    photos 3
    mkdir tmp
    expect photos >expected
    TMPDIR=tmp classify-folder photos >got
    cmp expected got
    [ -z "$(ls -A tmp)" ]
    TMPDIR=none run classify-folder photos
    [ "$status" -eq 1 ]
    [[ "$output" = *"none"*"No such file or directory"* ]]
}

@test "answers belong to the picture they came from, whatever its facts say" {
    mkdir all
    mnist2pgm -d all/one -r 0:3 "$DATA/digits-images.gz"
    mnist2pgm -d all/two -r 3:6 "$DATA/digits-images.gz"
    # Two folders say the same of themselves; a stream claims to be the other pictures.
    for n in 0 1 2 3; do
        printf 'P5\n# source=all/one/0000%s.pgm\n# source=./two/0000%s.pgm\n# frame=0\n28 28 255\n' $n $n
        head -c 784 /dev/zero
    done >all/liar.pgm
    classify-folder -R -s sorted all >got
    camgrab -l -R all | while read -r file; do
        preproc "$file" | cnn-predict 2>/dev/null |
            awk -F'\t' -v OFS='\t' -v file="$file" '{ print $1, $2, file, NR - 1, $5 }'
    done >expected
    cmp expected got
    [ "$(grep -c 'all/liar.pgm' got)" -eq 4 ]
    [ -f sorted/none/liar.pgm ]
}

@test "classes have any names: one may look like an error, a record's end or a path" {
    mkdir all
    mnist2pgm -d all -r 0:40 "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
    sed 's/^dense 10$/dense labels/' "$DATA/tiny.net" >any.net
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" | LC_ALL=C sed 's/^# label=1$/# label=./
        s/^# label=2$/# label=!/; s/^# label=3$/# label=!x/; s/^# label=4$/# label=+/; s/^# label=5$/# label=../
        s/^# label=6$/# label=A/; s/^# label=7$/# label=a\/b/' >odd.pgm
    cnn-train -n any.net -e 3 -o odd.onnx odd.pgm >log 2>talk
    camgrab -R all | preproc | cnn-predict -m odd.onnx | cut -f1,2,5 >expected
    classify-folder -R -m odd.onnx -d state -s sorted all >got 2>err
    cut -f1,2,5 got | cmp expected -
    grep -q '^classify-folder: 40 pictures: !: [0-9]* !x: .* \.: .* \.\.: .* A: .*a/b: .*; not readable: 0$' err
    classes=$(cut -f1 got | sort -u | wc -l)
    [ "$classes" -eq 9 ] # there is no 8 among them
    [ "$(find sorted -mindepth 1 -type d | wc -l)" -eq 9 ]
    [ "$(find sorted -type f | wc -l)" -eq 40 ]
    [ -d sorted/a%2Fb ]
    [ -d sorted/%2E%2E ]
    cp state/answers before
    classify-folder -R -m odd.onnx -d state all >again
    cmp got again
    cmp before state/answers
}

@test "names are data: none is a command, an option or a pattern" {
    photos 1
    # shellcheck disable=SC2016
    for name in '{= system("touch PWNED") =}' '{=1 system("touch PWNED"); =}' '{}' '{#}' '{1}' '{.}' \
        -d '$(touch PWNED)' '`touch PWNED`' "a'b" 'a"b' '|touch PWNED' '*' : ' ' '%41'; do
        mkdir -p -- "odd/$name"
        cp photos/001.png "odd/$name/$name.png"
    done
    classify-folder -R -d 'st{= system("touch PWNED") =}' -s 'out|touch PWNED' odd >got
    camgrab -R odd | preproc | cnn-predict | cmp - got
    for folder in odd/*; do
        [ "$(classify-folder "$folder" 2>/dev/null | cut -f 1)" = "$(cut -f 1 got | head -n 1)" ]
    done
    [ -z "$(find . -name PWNED)" ]
    [ "$(find out* -type f | wc -l)" -eq 16 ]
}

@test "one bad picture, one folder that cannot be read, or a full disk do not end the rest" {
    bats_require_minimum_version 1.5.0
    photos 6
    mkdir photos/locked
    mkfifo photos/pipe.png
    ln -s nowhere photos/dangling.png
    # (root may read everything.)
    if [ "$(id -u)" -ne 0 ]; then
        chmod 000 photos/locked photos/002.png
        run classify-folder -R -s sorted photos
        chmod 755 photos/locked photos/002.png
        [ "$status" -eq 1 ]
        [ "$(grep -c '^camgrab: photos/locked: ' <<<"$output")" -eq 1 ]
        [ "$(grep -c 'photos/002.png' <<<"$output")" -eq 3 ] # its line, why, and why there is no copy
        [ "$(grep -c '	photos/' <<<"$output")" -eq 6 ]
    fi
    mkdir blocked
    kind=$(expect photos/001.png | cut -f 1)
    touch "blocked/$kind" # a folder that cannot be made is as a full disk
    run classify-folder -s blocked photos
    [ "$status" -eq 1 ]
    [ "$(grep -c '	photos/' <<<"$output")" -eq 6 ]
    [[ "$output" = *"classify-folder: blocked/$kind: "* ]]
    [[ "${lines[-1]}" = *"; not copied: "* ]]
    [ "$(find blocked -name '*.png' | wc -l)" -ge 3 ]
    run -1 bash -c 'classify-folder photos >/dev/full'
    [[ "$output" = *"classify-folder: standard output: No space left on device"* ]]
}

@test "a second run into the same folder replaces no copy" {
    photos 2
    mkdir other
    cp photos/001.png other/001.png
    echo another >>other/001.png # the same digit, other bytes
    kind=$(classify-folder -s sorted photos | sed -n '1s/\t.*//p')
    cp -r sorted before
    classify-folder -s sorted other >/dev/null
    [ "$(find sorted -type f | wc -l)" -eq 3 ]
    cmp other/001.png "sorted/$kind/001~2.png"
    for file in before/*/*; do cmp "$file" "sorted/${file#before/}"; done
    # What is there already is not copied again, and nothing is written through a link.
    ln -s "$PWD/precious" "sorted/$kind/002.png"
    cp photos/001.png photos/002.png
    classify-folder -s sorted photos >/dev/null
    classify-folder -s sorted other >/dev/null
    [ "$(find sorted -type f | wc -l)" -eq 4 ]
    cmp photos/002.png "sorted/$kind/002~2.png"
    [ ! -e precious ]
}

@test "two runs at once into the same folder lose no copy" {
    photos 8
    mkdir other
    for file in photos/*; do
        cp "$file" other
        echo another >>"other/${file##*/}" # the same digit, other bytes
    done
    background "$TREE/scripts/classify-folder" -j 1 -s sorted photos >one
    classify-folder -j 1 -s sorted other >two
    wait "${BACKGROUND[0]}"
    [ "$(cut -f 1 one)" = "$(cut -f 1 two)" ]
    [ "$(find sorted -type f | wc -l)" -eq 16 ]
    [ "$(cat sorted/*/* | wc -c)" -eq "$(cat photos/* other/* | wc -c)" ]
}

@test "a copy that another run is at work on is waited for, and not made again" {
    photos 1
    classify-folder -s sorted photos >answers
    local copy
    copy=$(find sorted -type f)
    mv "$copy" whole
    touch "$copy"
    background flock "${copy%/*}" sh -c 'sleep 3; cat "$1" >"$2"' - whole "$copy"
    while flock -n "${copy%/*}" true; do sleep 0.05; done
    classify-folder -s sorted photos >answers
    wait "${BACKGROUND[0]}"
    [ "$(find sorted -type f)" = "$copy" ]
}

@test "a picture that its reader dies of three times is not readable; the rest is read" {
    photos 5
    mkdir bin
    cp "$TREE/scripts/classify-folder" bin
    ln -s "$B/camgrab" bin
    cat >bin/inkpipe-read <<'END'
#!/usr/bin/perl
# The reader, but that a picture called 003.png kills it.
use IPC::Open2;
my $pid = open2(my $from, my $to, $ENV{READER}, @ARGV);
$| = 1;
print scalar <$from>;
while (my $head = <STDIN>) {
    kill 'KILL', $pid, $$ if $head =~ /003/;
    read STDIN, my $bytes, $head;
    print $to $head, $bytes;
    $to->flush;
    while (<$from>) { print; last if $_ eq ".\n" }
}
END
    chmod +x bin/inkpipe-read
    READER=$B/inkpipe-read PATH=$PWD/bin:$PATH run bin/classify-folder -j 2 photos
    [ "$status" -eq 1 ]
    [ "$(grep -c '^[0-9].*	photos/00[1245].png' <<<"$output")" -eq 4 ]
    grep -qx -- '-	-	photos/003.png	-	-' <<<"$output"
    [[ "$output" = *"classify-folder: photos/003.png: the program that read it died 3 times"* ]]
}

# begin ARGUMENT...: classify-folder with one job in the background; three pictures are in its state.
begin() {
    background "$TREE/scripts/classify-folder" -j 1 -d state "$@" >first 2>err
    some_done() { [ -e state/answers ] && [ "$(grep -c '^\.$' state/answers)" -ge 3 ]; }
    wait_for some_done
}

# bats test_tags=once
@test "killed in the middle and started again, it goes on: the same table" {
    photos 300
    expect photos >expected
    begin photos
    kill -9 "${BACKGROUND[0]}"
    before=$(grep -c '^\.$' state/answers)
    [ "$before" -lt 300 ]
    printf '%s' '123 456' >>state/answers # half a record
    run classify-folder -d state photos
    [ "$status" -eq 0 ]
    grep -a '	photos/' <<<"$output" | cmp expected -
    # What was done was not done again; half a record is none.
    [ "$(grep -c '^\.$' state/answers)" -eq 300 ]
    [ -z "$(grep '^[0-9]* [0-9.]* /' state/answers | sort | uniq -d)" ]
    [ "$(grep -c '^123 456' state/answers)" -eq 0 ]
}

@test "a folder that took a picture's place is said to be no file" {
    photos 1
    mkdir -p bin photos/folder.png
    cp "$TREE/scripts/classify-folder" bin
    ln -s "$B/inkpipe-read" bin
    printf '#!/bin/sh\necho photos/folder.png\n' >bin/camgrab
    chmod +x bin/camgrab
    PATH=$PWD/bin:$PATH run -1 bin/classify-folder photos
    grep -qx 'classify-folder: photos/folder.png: is no file' <<<"$output"
}

@test "SIGTERM to it alone ends its readers, and nothing stays" {
    photos 300
    mkdir tmp
    TMPDIR=$PWD/tmp begin photos
    readers=$(pgrep -P "${BACKGROUND[0]}")
    [ "$readers" ]
    kill "${BACKGROUND[0]}"
    status=0
    wait "${BACKGROUND[0]}" || status=$?
    [ "$status" -eq $((128 + 15)) ]
    grep -q '	photos/001.png	' first # what was told by then is kept
    for reader in $readers; do
        gone() { ! kill -0 "$reader" 2>/dev/null; }
        wait_for gone
    done
    [ -z "$(ls -A tmp)" ]
}

@test "ended while it copies a picture, it leaves no half of a copy" {
    photos 1
    mkdir -p slow/File
    cat >slow/File/Copy.pm <<'END'
package File::Copy; # which begins a copy, and takes its time
use Exporter 'import';
our @EXPORT = ('copy');
sub copy { open my $to, '>', $_[1]; print $to 'half'; close $to; sleep 60 }
1;
END
    for signal in TERM INT HUP; do
        PERL5LIB=$PWD/slow background "$TREE/scripts/classify-folder" -s sorted photos >got
        half() { grep -qs half sorted/*/.part.*; }
        wait_for half
        kill -s $signal "${BACKGROUND[-1]}"
        status=0
        wait "${BACKGROUND[-1]}" || status=$?
        [ "$status" -ne 0 ]
        [ -z "$(find sorted -type f)" ]
    done
}

@test "the state is tied to the model and to each picture's size and time" {
    photos 3
    classify-folder -d state photos >first
    run classify-folder -d state -m "$TREE/models/seed.onnx" photos
    [ "$status" -eq 1 ]
    [ "$output" = "classify-folder: state: begun with another model or version: remove it to begin again" ]
    # A picture that was replaced is read again, one that is new is read, one that went is not told.
    cp photos/001.png photos/003.png
    cp photos/002.png photos/004.png
    rm photos/002.png
    classify-folder -d state photos >second
    expect photos | cmp - second
    # Two at once with one state: the second says so.
    background flock state/answers sleep 60
    locked() { ! flock -n state/answers true; }
    wait_for locked
    run classify-folder -d state photos
    [ "$status" -eq 1 ]
    [ "$output" = "classify-folder: state: another run is at work with it" ]
}

# server NAME: an ssh server on the loopback which `ssh -F config NAME` reaches; its process in $PID. Its
# home is the test's: what the user's .bashrc does, and may have to finish, is none of this.
server() {
    local port
    [ -e key ] || ssh-keygen -q -t ed25519 -N '' -f key
    [ -e hostkey ] || ssh-keygen -q -t ed25519 -N '' -f hostkey
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    until [ -e "ready.$1" ]; do
        port=$((20000 + RANDOM % 20000))
        "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f /dev/null -h "$PWD/hostkey" -p $port \
            -o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$PWD/key.pub" -o StrictModes=no \
            -o UsePAM=no -o PidFile=none -o PermitRootLogin=yes -o MaxStartups=100 \
            -o PermitUserEnvironment=no -o SetEnv="HOME=$PWD" 2>"log.$1" 3>&- &
        PID=$!
        disown $PID
        wait_for grep -q 'Server listening\|Bind to port\|Address already' "log.$1"
        grep -q 'Server listening' "log.$1" && touch "ready.$1"
    done
    SERVERS+=" $PID"
    cat >>config <<EOF
Host $1
    HostName 127.0.0.1
    Port $port
    IdentityFile $PWD/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ControlMaster auto
    ControlPath $PWD/mux-%n
    ControlPersist 20
EOF
    echo "1/ssh -F $PWD/config $1" >>hosts
}

@test "on two hosts that see the folder" {
    photos 40
    expect photos >expected
    server one
    server two
    classify-folder -H hosts -d state -m model.onnx photos >got 2>err || { cat err; return 1; }
    cmp expected got
    for host in one two; do grep -q '^Accepted publickey' "log.$host"; done
}

@test "the manual's examples" {
    unset INKPIPE_MODEL
    photos 4
    mkdir bin shared
    cp -r photos shared
    ln -s "$TREE/scripts/classify-folder" bin/inkpipe-classify
    printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$PWD/config" >bin/ssh
    chmod +x bin/ssh
    PATH=$PWD/bin:$PATH
    server one.example.org
    server two.example.org
    examples inkpipe-classify.1 | sed "s,/shared,$PWD/shared," >examples
    [ "$(wc -l <examples)" -eq 3 ]
    while IFS= read -r line; do
        bash -c "$line" 2>err </dev/null || { cat err; return 1; }
        ! [[ $line == inkpipe-* ]] || [ "$(cut -f1 answers.tsv | tr -d '\n')" = 7210 ]
    done <examples
}

@test "on hosts that are sent the pictures" {
    photos 6
    cp photos/001.png 'photos/a b.png'
    cp photos/001.png $'photos/new\nline.png'
    mkdir photos/sub
    cp photos/001.png photos/sub
    expect photos >expected
    server one
    classify-folder -R -T -H hosts -m model.onnx photos >got 2>err || { cat err; return 1; }
    cmp expected got
}

# bats test_tags=once
@test "a host that dies in the middle: its pictures go to the other, none lost, none twice" {
    photos 300
    expect photos >expected
    server one
    server two
    dying=$PID
    classify-folder -H hosts -d state -m model.onnx photos >got 2>err 3>&- &
    run_pid=$!
    some_done() { [ -e state/answers ] && [ "$(grep -c '^\.$' state/answers)" -ge 5 ]; }
    wait_for some_done
    kill_tree "$dying"
    wait $run_pid || { cat err; return 1; }
    cmp expected got
    grep -q '^classify-folder: two: inkpipe-read cannot be started there' err
}

@test "a host with another model is not asked" {
    photos 4
    # A command that reaches this machine, with the model that is there.
    printf '#!/bin/sh\nINKPIPE_MODEL=%s exec sh -c "$2"\n' "$TREE/models/seed.onnx" >reach
    chmod +x reach
    printf '1/%s there\n' "$PWD/reach" >hosts
    run classify-folder -H hosts photos
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = 'classify-folder: there: its model or its version is another than here' ]
    [ "${lines[1]}" = 'classify-folder: no job is left that works' ]
}
