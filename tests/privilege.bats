# What a program can still do once it reads strangers' bytes: a preload (escape.c) tries, as one that
# was taken over would. Sanitizers need what is given up.
# bats file_tags=once
load helper

teardown() {
    kill_background
}

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    cc -shared -fPIC -o escape.so "$TREE/tests/escape.c" -ldl
    mnist2pgm -r 0:3 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    pnmtopng <digits.pgm >photo.png 2>talk
}

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR"
    touch here
    from=$BATS_FILE_TMPDIR
    programs=("preproc $from/digits.pgm" "cnn-predict -j 2 $from/digits.pgm"
        "cnn-predict -m $DATA/models/mean-image.onnx -S 1/255 $from/digits.pgm"
        "camgrab $from/photo.png" "camgrab $from"
        "mnist2pgm -r 0:3 $DATA/digits-images.gz $DATA/digits-labels.gz")
}

# try HOW COMMAND: run it, with that attempt in its first read.
try() {
    run env ESCAPE="$1" LD_PRELOAD="$BATS_FILE_TMPDIR/escape.so" bash -c "exec $2 2>&1 >out"
    echo "$2: $1: status $status: $output"
}

@test "starting a program, a socket, writing, removing, signals and tracing end the program" {
    for program in "${programs[@]}"; do
        for how in exec fork vfork socket write append rename remove folder signal trace type; do
            try $how "$program"
            [ "$status" -eq $((128 + $(kill -l SYS))) ]
            [ "$output" = "" ]
            [ -e here ]
            [ ! -e escaped ]
        done
    done
}

# Each call of the table in escape.c.
calls() {
    sed -n 's/^    {"\([a-z_0-9]*\)", .*/\1/p' "$TREE/tests/escape.c"
}

@test "signals, limits, modes and times of files, shared memory, mounts: what is not listed ends the program" {
    [ "$(calls | wc -l)" -ge 30 ]
    make_table
    for program in "$checker" "preproc $from/digits.pgm" "inkpipe-read -m $TREE/models/seed.onnx </dev/zero" \
        "cnn-train -n $DATA/tiny.net -e 1 -o model.onnx $from/digits.pgm" \
        "mnist2pgm -r 0:3 -d digits $DATA/digits-images.gz $DATA/digits-labels.gz"; do
        for how in own async paste $(calls); do
            try "$how" "$program"
            [ "$status" -eq $((128 + $(kill -l SYS))) ]
            [ "$output" = "" ]
        done
    done
}

@test "-V tells what holds here" {
    for program in preproc cnn-predict cnn-train camgrab formtable mnist2pgm xcheck xview inkpipe-read; do
        run "$program" -V
        [[ $output = *", sandbox: Landlock and seccomp" ]]
    done
}

@test "no file that was not named can be read, and the work goes on" {
    for program in "${programs[@]}"; do
        try read "$program"
        [ "$status" -eq 0 ]
        [ "$output" = "read: Permission denied" ]
        bash -c "$program" >alone
        cmp out alone
    done
}

@test "mnist2pgm -d writes in its folder and nowhere else" {
    program="mnist2pgm -r 0:3 -d digits $DATA/digits-images.gz $DATA/digits-labels.gz"
    for how in exec fork socket signal trace type; do
        try $how "$program"
        [ "$status" -eq $((128 + $(kill -l SYS))) ]
    done
    for how in read write append outside rename remove folder; do
        rm -rf digits
        try $how "$program"
        [ "$status" -eq 0 ]
        [ "$output" = "$how: Permission denied" ]
        [ -e here ]
        [ ! -e escaped ]
        [ ! -e ../escaped ]
        [ "$(find digits -name '*.pgm' | wc -l)" -eq 3 ]
    done
}

# A table of a form, in a folder of its own, of which nothing is in check: no window is needed.
make_table() {
    mkdir -p tables
    printf 'page a4\nfield id digits 1 "Number"\n' >t.form
    printf 'page\tid\tprobability\tcheck\tsource\tframe\n1\t7\t1.0000\t-\ta.pgm\t0\n' >tables/marks.tsv
    checker="xcheck t.form tables/marks.tsv $from/digits.pgm"
}

@test "xcheck reads what was named and writes beside its table alone" {
    make_table
    for how in exec fork socket signal trace type; do
        try $how "$checker"
        [ "$status" -eq $((128 + $(kill -l SYS))) ]
    done
    cp tables/marks.tsv before.tsv
    for how in read write append outside rename remove folder; do
        try $how "$checker"
        [ "$status" -eq 0 ]
        [ "$output" = "$how: Permission denied
xcheck: tables/marks.tsv: nothing is in check" ]
        [ -e here ]
        [ ! -e escaped ]
        [ ! -e ../escaped ]
        cmp before.tsv tables/marks.tsv
    done
}

@test "cnn-train reads what was named and writes in its model's folder alone" {
    mkdir models
    program="cnn-train -n $DATA/tiny.net -e 1 -v 0 -o models/model.onnx $from/digits.pgm"
    for how in read write append outside rename remove folder; do
        try $how "$program"
        [ "$status" -eq 0 ]
        [ "${lines[0]}" = "$how: Permission denied" ]
        [ -e here ]
        [ ! -e escaped ]
        [ ! -e ../escaped ]
        [ -s models/model.onnx ]
    done
}

@test "pipes, descriptors, named pipes and standard input are read as ever" {
    digits=$BATS_FILE_TMPDIR/digits.pgm
    mkfifo pipe
    background cp "$digits" pipe
    for input in "$digits" "- <$digits" "<(cat $digits)" "/dev/stdin <$digits" "pipe" \
        "<(cat $digits | cat) $digits"; do
        run -0 bash -c "preproc $input | cnn-predict -"
        [ "$(cut -c 1 <<<"$output" | head -n 3 | tr -d '\n')" = 721 ]
    done
}
