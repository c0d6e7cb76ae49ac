# scripts/classify-folder: a folder of pictures to a table and sorted copies, on this machine and on
# others (here: two ssh servers on the loopback).
load helper

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
    grep -q '^camgrab: ./002.png: ' <<<"$output"
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
    [[ "$output" = "classify-folder: cnn-predict: missing.onnx: "* ]]
    classify-folder -h | grep -q '^usage: classify-folder'
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

@test "pictures that say themselves where they are from are found again" {
    mnist2pgm -d digits -r 0:9 "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
    classify-folder -R -s sorted digits >got
    for file in digits/*/*.pgm; do
        printf '%s\t%s\t0\t%s\n' "$(preproc "$file" | cnn-predict | cut -f 1,2)" "$file" \
            "$(preproc "$file" | cnn-predict | cut -f 5)"
    done >expected
    cmp expected got
    [ ! -e sorted/bad ]
}

@test "work that cannot begin makes no picture a bad one" {
    photos 3
    mkdir -p state/joblog
    run classify-folder -d state -s sorted photos
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "classify-folder: parallel could not do the work" ]
    [ ! -e sorted/bad ]
}

@test "killed in the middle and started again, it goes on: the same table" {
    photos 60
    expect photos >expected
    setsid "$TREE/scripts/classify-folder" -j 1 -d state photos >first 2>/dev/null 3>&- &
    run_pid=$!
    jobs_done() { [ -e state/joblog ] && [ "$(wc -l <state/joblog)" -ge 3 ]; }
    wait_for jobs_done
    kill -9 -- -$run_pid
    before=$(tail -n +2 state/joblog | wc -l)
    run classify-folder -d state photos
    [ "$status" -eq 0 ]
    grep -a '	photos/' <<<"$output" | cmp expected -
    # What was done was not done again.
    [ "$(tail -n +2 state/joblog | cut -f1 | sort | uniq -d | wc -l)" -eq 0 ]
    [ "$before" -ge 2 ] && [ "$(tail -n +2 state/joblog | wc -l)" -gt "$before" ]
    # Other pictures than it was begun with: not mixed up.
    rm photos/001.png
    run classify-folder -d state photos
    [ "$status" -eq 1 ]
    [[ "$output" = *"begun with other pictures"* ]]
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
    [ "$(tail -n +2 state/joblog | cut -f2 | sort -u | wc -l)" -eq 2 ]
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

@test "a host that dies in the middle: its pictures go to the other, none lost, none twice" {
    photos 60
    expect photos >expected
    server one
    server two
    dying=$PID
    classify-folder -H hosts -d state -m model.onnx photos >got 2>err 3>&- &
    run_pid=$!
    two_works() { [ -e state/joblog ] && cut -f2 state/joblog | grep -q two; }
    wait_for two_works
    kill_tree "$dying"
    wait $run_pid || { cat err; return 1; }
    cmp expected got
    [ "$(cut -f2 state/joblog | grep -c one)" -ge 2 ]
}
