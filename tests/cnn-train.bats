# cnn-train: labelled frames -> a model.
load helper
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    digits >digits.pgm
    NET=$DATA/tiny.net
}

# digits [FIRST:END]: labelled frames.
digits() {
    mnist2pgm -r "${1:-0:1000}" "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
}

# train MODEL [OPTION...]: a short run.
train() {
    local model=$1
    shift
    cnn-train -n "$NET" -o "$model" -e 3 "$@" digits.pgm
}

# The fields of a line of the log.
field() {
    sed -n "$1p" log | cut -f "$2"
}

# stopped SIGNAL LINES OPTION...: cnn-train, sent the signal at once when it has told so many lines; what
# it ends with is in $status.
stopped() {
    local signal=$1 lines=$2
    shift 2
    [ -p told ] || mkfifo told
    env --default-signal=INT,HUP cnn-train "$@" >told 2>talk 3>&- &
    exec 4<told
    while ((lines--)); do read -r <&4; done
    kill "-$signal" $!
    status=0
    wait $! || status=$?
    exec 4<&-
    [ "$status" -eq $((128 + $(kill -l "$signal"))) ]
}

@test "frames on standard input become a model, and every epoch a line" {
    digits | cnn-train -n "$NET" -o m.onnx -e 4 >log 2>talk
    [ -s m.onnx ]
    [ "$(wc -l <talk)" -eq 10 ] # the classes
    [ "$(wc -l <log)" -eq 5 ]
    header='epoch loss accuracy validation_loss validation_accuracy rate seconds images_per_second'
    [ "$(head -1 log | tr '\t' ' ')" = "$header" ]
    [ "$(tail -n +2 log | cut -f1 | tr '\n' ' ')" = "1 2 3 4 " ]
    tail -n +2 log | awk -F'\t' 'NF != 8 || $3 > 1 || $5 > 1 || $8 <= 0 { exit 1 }'
    # It learns: the loss falls, and most of what was set aside is right.
    awk -F'\t' 'NR == 2 { first = $2 } NR == 5 && ($2 >= first || $5 < 0.7) { exit 1 }' log
    [ "$(ls)" = "$(printf 'digits.pgm\nlog\nm.onnx\ntalk')" ]
}

@test "an eleventh output learns what is no digit" {
    printf 'input 1 28 28\nflatten\ndense 32\nrelu\ndense 11\nsoftmax\n' >eleven.net
    # bars across the frame, and frames with nothing in them, which are left out
    perl -e 'for $i (1 .. 200) {
        print "P5\n# label=none\n28 28\n255\n", "\0" x (28 * (4 + $i % 19)), chr(55 + $i) x 56,
            "\0" x (28 * (22 - $i % 19));
    }' >none.pgm
    { printf 'P5\n# label=none\n28 28\n255\n'; head -c 784 /dev/zero; } >blank.pgm
    cnn-train -n eleven.net -o m.onnx -e 4 -a none digits.pgm none.pgm blank.pgm
    grep -qa '0 1 2 3 4 5 6 7 8 9 none' m.onnx
    cnn-predict -e -m m.onnx none.pgm blank.pgm | grep '^false digits [0-4]\.'
    cnn-predict -e -m m.onnx digits.pgm | awk 'NR == 1 { exit !($2 > 70) }'
}

@test "the model says how it was made" {
    train m.onnx -s 7
    for key in input_scale labels temperature data_sha256 validation_accuracy shards seed; do
        grep -aq "$key" m.onnx
    done
    grep -aq 'cnn-train -n tiny.net -e 3 -b 64 -O adamw .* -v 83 -s 7' m.onnx
    # The checksum is that of pixels and label bytes, one after another.
    sum=$(perl -e 'open I, "-|", "zcat $ARGV[0]"; open L, "-|", "zcat $ARGV[1]";
        read I, $_, 16; read L, $_, 8;
        while (read I, $_, 784) { read L, $label, 1; print $_, $label }' \
        "$DATA/digits-images.gz" "$DATA/digits-labels.gz" | sha256sum)
    grep -aq "${sum%% *}" m.onnx
}

@test "any number of threads gives the same model" {
    train one.onnx -j 1
    train two.onnx -j 2
    train five.onnx -j 5
    cmp one.onnx two.onnx
    cmp one.onnx five.onnx
}

# A network whose convolutions bf16 can do.
bf16_net() {
    printf 'input 1 28 28\nconv 16 3x3\nrelu\nbatchnorm\nmaxpool 2x2\nconv 32 3x3\n' >n.net
    printf 'relu\nbatchnorm\nmaxpool 3x3\nflatten\ndense 10\nsoftmax\n' >>n.net
}

# bats test_tags=once
@test "-p bf16: other numbers, but as good" {
    bf16_net
    cnn-train -n n.net -o exact.onnx -e 12 digits.pgm >exact
    cnn-train -p bf16 -n n.net -o m.onnx -e 12 digits.pgm >log
    run ! cmp -s <(field 2 2) <(sed -n 2p exact | cut -f2)
    # Of 83 frames set aside at most two more are wrong.
    awk -v bf16="$(field 13 5)" -v fp32="$(sed -n 13p exact | cut -f5)" \
        'BEGIN { exit !(fp32 > 0.75 && bf16 > fp32 - 2.5 / 83) }'
}

@test "-p bf16: the model says so, any number of threads, interrupted or not" {
    bf16_net
    cnn-train -p bf16 -n n.net -o one.onnx -e 5 -j 1 digits.pgm
    stopped KILL 2 -p bf16 -n n.net -o m.onnx -e 5 -j 2 digits.pgm
    [ ! -e m.onnx ]
    run ! cnn-train -r -n n.net -o m.onnx -e 5 digits.pgm # without -p it is another run
    [[ "$output" = *"m.onnx.ckpt: the checkpoint is of another run"* ]]
    cnn-train -r -p bf16 -n n.net -o m.onnx -e 5 -j 2 digits.pgm
    cmp one.onnx m.onnx
    grep -aq ' -s 1 -p bf16' one.onnx
    cnn-train -n n.net -o exact.onnx -e 1 digits.pgm
    ! grep -aq -- '-p bf16' exact.onnx
}

@test "the same seed gives the same model, another seed another" {
    train a.onnx -s 3
    train b.onnx -s 3
    train c.onnx -s 4
    cmp a.onnx b.onnx
    ! cmp -s a.onnx c.onnx
}

# bats test_tags=once
@test "interrupted and resumed is as if never interrupted" {
    cnn-train -n "$NET" -o whole.onnx -e 8 digits.pgm >whole
    for signal in INT TERM HUP; do
        stopped $signal 3 -n "$NET" -o m.onnx -e 8 digits.pgm
        grep -q 'stopped; -r goes on from m.onnx.ckpt' talk
        [ ! -e m.onnx ]
        cnn-train -r -n "$NET" -o m.onnx -e 8 digits.pgm >log
        cmp m.onnx whole.onnx
        [ ! -e m.onnx.ckpt ]
        # All of the epochs are told again, but for the times the lines are the same.
        cmp <(cut -f1-6 log) <(cut -f1-6 whole)
        rm m.onnx
    done
}

# bats test_tags=once
@test "killed at any moment and resumed is as if never killed" {
    cnn-train -n "$NET" -o whole.onnx -e 10 digits.pgm >whole
    for lines in 2 4 6; do
        stopped KILL $lines -r -n "$NET" -o m.onnx -e 10 digits.pgm
        [ ! -e m.onnx ]
        [ -e m.onnx.ckpt ]
    done
    cnn-train -r -n "$NET" -o m.onnx -e 10 digits.pgm >log
    cmp m.onnx whole.onnx
}

@test "without moving average the same holds" {
    cnn-train -E 0 -O sgd -n "$NET" -o whole.onnx -e 8 digits.pgm >whole
    stopped TERM 4 -E 0 -O sgd -n "$NET" -o m.onnx -e 8 digits.pgm
    cnn-train -r -E 0 -O sgd -n "$NET" -o m.onnx -e 8 -j 3 digits.pgm
    cmp m.onnx whole.onnx
}

@test "a checkpoint of other options or data is refused" {
    stopped TERM 3 -n "$NET" -o m.onnx -e 50 digits.pgm
    run cnn-train -r -n "$NET" -o m.onnx -e 51 digits.pgm
    [ "$status" -eq 1 ]
    [[ "$output" = *"m.onnx.ckpt: the checkpoint is of another run"* ]]
    run cnn-train -r -n "$NET" -o m.onnx -e 50 <(digits 0:999)
    [ "$status" -eq 1 ]
    [[ "$output" = *"m.onnx.ckpt: the checkpoint is of another run"* ]]
    # Without -r it says what is about to be lost.
    run cnn-train -n "$NET" -o m.onnx -e 1 digits.pgm
    [ "$status" -eq 0 ]
    [[ "$output" = *"m.onnx.ckpt is of a run that was not finished; -r would go on with it"* ]]
}

@test "-r without a checkpoint starts" {
    train m.onnx -r
    train n.onnx
    cmp m.onnx n.onnx
}

@test "-v 0 learns from all frames and has nothing to judge by" {
    train m.onnx -v 0 >log
    [ "$(field 4 4)" = - ]
    [ "$(field 4 5)" = - ]
    ! grep -aq validation_accuracy m.onnx
}

@test "-v takes a part or a count" {
    train a.onnx -v 0.25
    train b.onnx -v 250
    cmp a.onnx b.onnx
}

@test "-i starts from a model, and each file's accuracy is told" {
    cnn-train -n "$NET" -o m.onnx -e 6 digits.pgm >log
    digits 0:300 >mine.pgm
    run cnn-train -i m.onnx -o n.onnx -e 2 mine.pgm digits.pgm
    [ "$status" -eq 0 ]
    [[ "$output" =~ "cnn-train: mine.pgm: "[0-9.]+" % of "[0-9]+" frames set aside are right" ]]
    [[ "$output" =~ "cnn-train: digits.pgm: "[0-9.]+" % of "[0-9]+" frames set aside are right" ]]
    # It goes on from where the model was, at a tenth of the rate.
    echo "$output" >again
    first=$(grep -P '^1\t' again | cut -f2)
    awk -v first="$first" -v last="$(field 7 2)" 'BEGIN { exit !(first < 1.5 * last) }'
    grep -aq 'cnn-train -i m.onnx -e 2 -b 64 -O adamw -l 0.0002 ' n.onnx
}

@test "augmentation can be named, and ended before the run" {
    train a.onnx -a rotate=10,zoom=.1,shift=.1
    train b.onnx -a rotate=10,zoom=.1,shift=.1 -A 3
    train c.onnx -a none
    grep -aq -- '-a rotate=10,zoom=0.1,shift=0.1' a.onnx
    grep -aq -- '-a none' c.onnx
    ! cmp -s a.onnx c.onnx
}

@test "a person at a terminal sees a progress bar" {
    script -qec "cnn-train -n '$NET' -o m.onnx -e 2 digits.pgm >log" talk </dev/null
    grep -q 'epoch 1/2 \[=*>* *\] .* images/s  [0-9]*:[0-9][0-9] left  loss' talk
}

@test "a reader that goes away ends it quietly" {
    run bash -c "cnn-train -n '$NET' -o m.onnx -e 200 digits.pgm | head -1"
    [ "$output" = "$(printf 'epoch\tloss\taccuracy\tvalidation_loss\tvalidation_accuracy\trate\tseconds\timages_per_second')" ]
}

@test "a file that may not grow is an error and leaves nothing behind" {
    mkdir out
    run bash -c "ulimit -f 8; cnn-train -n '$NET' -o out/m.onnx -e 2 digits.pgm"
    [ "$status" -eq 1 ]
    [[ "$output" = *"cnn-train: out/m.onnx.ckpt: cannot write: File too large" ]]
    [ -z "$(ls -A out)" ]
}

@test "a model never takes the place of what it is made of" {
    cp digits.pgm kept.pgm
    run cnn-train -n "$NET" -o digits.pgm -e 1 digits.pgm
    [ "$status" -eq 1 ]
    [ "$output" = "cnn-train: digits.pgm: is also the file to write to" ]
    run bash -c "cnn-train -n '$NET' -o ./digits.pgm -e 1 <digits.pgm"
    [ "$status" -eq 1 ]
    cmp digits.pgm kept.pgm
    cp "$NET" my.net
    run cnn-train -n my.net -o my.net -e 1 digits.pgm
    [ "$status" -eq 1 ]
    cmp my.net "$NET"
}

# tiles COUNT: scenes of 64x64 with up to three digits of the thousand, dark on gray, and their boxes.
tiles() {
    perl -e 'open I, "-|", "zcat $ARGV[1]"; open L, "-|", "zcat $ARGV[2]"; read I, $_, 16; read L, $_, 8;
        while (read I, $d, 784) { read L, $l, 1; push @digit, [$d, ord $l] }
        $n = 7; sub draw { $n = ($n * 1103515245 + 12345) % 2147483648; int($n / 65536) % $_[0] }
        for $t (1 .. $ARGV[0]) {
            @p = map { 124 + draw(9) } 1 .. 4096; @box = ();
            for $place (0 .. 3) {
                next if draw(4) == 0;
                ($d, $l) = @{$digit[draw(1000)]};
                ($x, $y) = (($place % 2) * 32 + draw(5), int($place / 2) * 32 + draw(5));
                ($x0, $y0, $x1, $y1) = (28, 28, -1, -1);
                for $i (0 .. 783) {
                    $v = ord substr $d, $i, 1 or next;
                    ($r, $c) = (int($i / 28), $i % 28);
                    $p[($y + $r) * 64 + $x + $c] -= $v * 0.45;
                    next if $v < 100;
                    $x0 = $c if $c < $x0; $x1 = $c if $c > $x1; $y0 = $r if $r < $y0; $y1 = $r if $r > $y1;
                }
                push @box, join ",", $x + $x0, $y + $y0, $x1 - $x0 + 1, $y1 - $y0 + 1, $l;
            }
            printf "P5\n# boxes=%s\n# kind=%s\n64 64\n255\n", join(";", @box), $t % 2 ? "odd" : "even";
            print pack "C*", map { $_ < 0 ? 0 : int } @p;
        }' "$1" "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
}

# A finder that learns in seconds.
finder_net() {
    printf '%s\n' 'input 1 64 64' 'conv 8 3x3 stride 2 pad same nobias' batchnorm relu \
        'conv 16 3x3 stride 2 pad same nobias' batchnorm relu 'name a' \
        'conv 16 3x3 pad same nobias' batchnorm relu 'add a' 'conv 16 3x3 pad same dilation 2 nobias' \
        batchnorm relu 'conv 23 1x1' boxes >f.net
}

# bats test_tags=once
@test "a network that ends in boxes learns where digits are" {
    finder_net
    tiles 200 | cnn-train -n f.net -o f.onnx -e 12 -v 40 >log
    [ "$(wc -l <log)" -eq 20 ]
    awk -F'\t' 'NR == 13 { exit !($6 > 0.8 && $7 > 0.8) }' log
    # It goes on from there.
    tiles 50 | cnn-train -i f.onnx -o g.onnx -e 1 >again
    awk -F'\t' 'NR == 2 && $6 < 0.8 { exit 1 }' again
}

@test "a network that ends in boxes: the log, the report by size and kind, the model" {
    finder_net
    tiles 60 | cnn-train -n f.net -o f.onnx -e 3 -v 40 >log 2>talk
    [ ! -s talk ]
    header='epoch loss centre class box recall precision rate seconds images_per_second'
    [ "$(head -1 log | tr '\t' ' ')" = "$header" ]
    [ "$(wc -l <log)" -eq 11 ]
    awk -F'\t' 'NR > 1 && NR < 5 && (NF != 10 || $6 > 1 || $10 <= 0) { exit 1 }' log
    # At the end: all, by size, by kind of scene.
    [ "$(sed -n 5p log | tr '\t' ' ')" = 'group digits recall precision overlap class' ]
    [ "$(tail -n +6 log | cut -f1 | tr '\n' ' ')" = 'all 9-16 16-32 32-60 odd even ' ]
    awk -F'\t' '$1 == "all" { n = $2 } $1 == "odd" || $1 == "even" { n -= $2 } END { exit n != 0 }' log
    for key in inkpipe_task boxes '0 1 2 3 4 5 6 7 8 9 . , - / : + = other' validation_recall ' -g 0.15 -N 0.15'; do
        grep -aq -- "$key" f.onnx
    done
    tiles 50 | cnn-train -i f.onnx -o g.onnx -e 1 >again
    [ "$(head -1 again)" = "$(head -1 log)" ]
    # It is no model that reads digits.
    run cnn-predict -m f.onnx digits.pgm
    [ "$status" -eq 1 ]
    [ "$output" = 'cnn-predict: f.onnx: a finder, which says where digits are: preproc uses it, on pictures' ]
}

@test "a finder is the same for any number of threads, interrupted or not" {
    finder_net
    tiles 60 >tiles.pgm
    cnn-train -n f.net -o one.onnx -e 4 -j 1 tiles.pgm | cut -f1-8 >one
    cnn-train -n f.net -o two.onnx -e 4 -j 2 tiles.pgm | cut -f1-8 >two
    cmp one.onnx two.onnx
    cmp one two
    for signal in TERM KILL; do
        stopped $signal 2 -n f.net -o m.onnx -e 4 -j 2 tiles.pgm
        [ ! -e m.onnx ]
        cnn-train -r -n f.net -o m.onnx -e 4 -j 2 tiles.pgm | cut -f1-8 >log
        cmp one.onnx m.onnx
        cmp one log
        rm m.onnx
    done
}

@test "a full disk is an error and leaves no half model" {
    run bash -c "cnn-train -n '$NET' -o m.onnx -e 2000 digits.pgm 2>&1 >/dev/full"
    [ "$status" -eq 1 ]
    [ "$output" = "cnn-train: standard output: No space left on device" ]
    [ ! -e m.onnx ]
    run train /dev/full
    [ "$status" -eq 1 ]
    [[ "$output" = *"cnn-train: /dev/full: "*"No space left on device"* ]]
}

@test "a folder that cannot be written is known before the training" {
    run train nowhere/m.onnx
    [ "$status" -eq 1 ]
    [[ "$output" = "cnn-train: nowhere/m.onnx: cannot write in its folder: No such file or directory" ]]
    run train .
    [ "$status" -eq 1 ]
    [[ "$output" = *"is a directory" ]]
}

@test "bad input is one line that names it" {
    printf 'P5\n# label=1\n28 28\n255\n%0784d' 0 | sed 's/0$/1/' >good.pgm
    printf 'input 1 28 28\ndense 10\nfrobnicate 3\n' >word.net
    printf 'input 3 28 28\nflatten\ndense 10\nsoftmax\n' >colour.net
    printf 'input 1 28 28\nflatten\ndense 12\nsoftmax\n' >twelve.net
    printf 'input 1 28 28\nflatten\ndense 5\nsoftmax\n' >five.net
    mnist2pgm "$DATA/digits-images.gz" >unlabelled.pgm
    sed '0,/label=7/s//label=77/' digits.pgm >label.pgm
    sed 's/label=1/label=none/' good.pgm >none.pgm
    (cat good.pgm; head -c 500 good.pgm) >cut.pgm
    head -c 784 /dev/zero | (printf 'P5\n# label=1\n28 28\n255\n'; cat) >blank.pgm
    pgmramp -lr 10 10 >small.pgm
    finder_net
    sed 's/conv 23/conv 24/' f.net >classes.net
    sed 's/64 64/64 32/' f.net >long.net
    tiles 2 >tiles.pgm
    sed '0,/boxes=[^;]*/s//boxes=1,2,3,7/' tiles.pgm >four.pgm
    sed 's/boxes=.*/boxes=1,2,3,4,seven/' tiles.pgm >seven.pgm
    sed '/boxes=/{x;s/^/x/;/xx/{x;s/=.*/=62,2,9,4,7/;x};x}' tiles.pgm >outside.pgm
    "$B/tool/logits" -s f.net f.onnx
    ln -s "$NET" tiny.net
    while IFS= read -r name; do
        [[ -n $name && $name != \#* ]] || continue
        IFS= read -r arguments
        IFS= read -r want
        IFS= read -r message
        run bash -c "cnn-train $arguments 2>&1 >out"
        echo "$name: $status: $output"
        [ "$status" -eq "$want" ]
        [ "${lines[0]}" = "cnn-train: $message" ]
        [ "$want" -ne 1 ] || [ "${#lines[@]}" -eq 1 ]
        [ ! -e m.onnx ]
    done <"$TREE/tests/train.cases"
}

@test "-q makes a model in 8 bits, of a quarter of the size, with the same answers" {
    cnn-train -q -i "$TREE/models/seed.onnx" -o q.onnx digits.pgm >log 2>talk
    [ ! -s talk ]
    [ "$(head -1 log)" = "$(printf 'frames\tfloat\tint8')" ]
    awk -F'\t' 'NR == 2 && ($1 != 83 || $2 < 0.97 || $3 < $2) { exit 1 }' log
    grep -qa 'int8: validation accuracy 0.9[0-9]*, in floats 0.9' q.onnx
    grep -qa DequantizeLinear q.onnx
    [ "$(stat -c %s q.onnx)" -lt "$(($(stat -c %s "$TREE/models/seed.onnx") * 27 / 100))" ]
    cnn-predict -m "$TREE/models/seed.onnx" digits.pgm | cut -f1 >float
    cnn-predict -m q.onnx digits.pgm | cut -f1 >int8
    [ "$(diff float int8 | grep -c '^<')" -le 2 ]
    # Batch norm before relu, padding and a global mean, too.
    digits 0:300 | cnn-train -q -i "$TREE/models/default.onnx" -o d.onnx
    cnn-predict -m d.onnx -e digits.pgm | head -1 | grep 'accuracy 99\.'
}

@test "-q writes no model whose labels no program would read" {
    digits 0:200 >digits.pgm
    cnn-train -n "$NET" -o m.onnx -e 1 digits.pgm >log
    for labels in '0 0 2 3 4 5 6 7 8 9' '- 1 2 3 4 5 6 7 8 9' $'\e 1 2 3 4 5 6 7 8 9' '0 1 2 3 4 5 6 7_8_9'; do
        LC_ALL=C sed "s/0 1 2 3 4 5 6 7 8 9/$labels/" m.onnx >bad.onnx
        run cnn-train -q -i bad.onnx -o q.onnx digits.pgm
        [ "$status" -eq 1 ]
        [[ $output == "cnn-train: bad.onnx: "* && $output != *$'\e'* ]]
        [ ! -e q.onnx ]
    done
}

@test "-q takes no model in 8 bits, and none with residual sums" {
    digits 0:200 >digits.pgm
    cnn-train -q -i "$TREE/models/seed.onnx" -o q.onnx digits.pgm
    run cnn-train -q -i q.onnx -o again.onnx digits.pgm
    [ "$status" -eq 1 ]
    [ "$output" = 'cnn-train: the model is in 8 bits already' ]
    printf '%s\n' 'input 1 28 28' 'conv 4 3x3 pad 1' 'name a' relu 'conv 4 3x3 pad 1' 'add a' \
        flatten 'dense 10' softmax >r.net
    "$B/tool/logits" -s r.net r.onnx
    run cnn-train -q -i r.onnx -o again.onnx digits.pgm
    [ "$status" -eq 1 ]
    [[ $output = *'only chains are quantized'* ]]
    [ ! -e again.onnx ]
}

@test "a run that diverges is an error that says what to lower, and replaces nothing" {
    echo before >m.onnx
    for options in '-O sgd -l 100' '-O sgd -l 100 -v 0 -E 0'; do
        # shellcheck disable=SC2086
        run -1 cnn-train -n "$NET" -o m.onnx -e 20 $options digits.pgm
        [[ "${lines[-1]}" = "cnn-train: the training has diverged: "*"a rate lower than 100 (-l) may hold" ]]
        [ "$(<m.onnx)" = before ]
        [ ! -e m.onnx.ckpt ]
    done
}

@test "a run that ends far worse than a guess is an error too, with batch norm and without, set aside or not" {
    digits 0:600 >more.pgm
    printf 'input 1 28 28\nconv 8 5x5 stride 2\nrelu\nmaxpool 2x2\nflatten\ndense 10\nsoftmax\n' >plain.net
    echo before >m.onnx
    for options in "-n $TREE/models/fast.net -l 10" '-n plain.net -l 10' '-n plain.net -l 100 -v 0' '-n plain.net -O adam -l 10 -r'; do
        # shellcheck disable=SC2086
        run -1 cnn-train $options -o m.onnx -e 2 more.pgm
        [[ "${lines[-1]}" = "cnn-train: nothing was learnt: "*"a rate lower than 10"*" (-l) may help"* ]]
        [ "$(<m.onnx)" = before ]
        [ ! -e m.onnx.ckpt ]
    done
}

@test "a run without -r leaves the checkpoint of another as it is" {
    stopped TERM 3 -n "$NET" -o m.onnx -e 50 digits.pgm
    cp m.onnx.ckpt kept
    run -0 cnn-train -n "$NET" -o m.onnx -e 2 digits.pgm
    [[ "$output" = *"It stays, and this run keeps no checkpoint"* ]]
    cmp m.onnx.ckpt kept
}

@test "words are classes: the frames', counted by \`dense labels\`, or -c's in its order" {
    printf 'input 1 28 28\nflatten\ndense labels\nsoftmax\n' >l.net
    digits 0:400 | sed 's/label=1/label=plus/; s/label=3/label=A/; s/label=7/label=none/' >words.pgm
    cnn-train -n l.net -e 2 -o l.onnx words.pgm >log 2>talk
    [ "$(awk '{ printf "%s ", substr($3, 1, length($3) - 1) }' talk)" = '0 2 4 5 6 8 9 A none plus ' ]
    [ "$(awk '{ n += $4 } END { print n }' talk)" = 400 ]
    cnn-predict -m l.onnx words.pgm | cut -f1 | sort -u >answers
    grep -qx A answers
    grep -qx plus answers
    run ! grep -qx none answers
    cnn-predict -e -m l.onnx words.pgm >report
    grep -E '^plus +[0-9]+ +[0-9]+ +[0-9.]+' report
    printf 'plus\nA\n0\n2\n4\n5\n6\n8\n9\nnone\nz\n' >names
    cnn-train -n l.net -c names -e 1 -o c.onnx words.pgm >log 2>talk
    [ "$(head -1 talk)" = 'cnn-train: there is no frame of class z' ]
    grep -qa 'plus A 0 2 4 5 6 8 9 none z' c.onnx
    # A model's own classes are kept.
    cnn-train -i c.onnx -e 1 -o again.onnx words.pgm >log
    grep -qa 'plus A 0 2 4 5 6 8 9 none z' again.onnx
    digits 0:10 >digits.pgm
    run cnn-train -i c.onnx -o other.onnx digits.pgm
    [ "$status" -eq 1 ]
    [ "$output" = "cnn-train: digits.pgm: frame 0: label '7' is none of the 11 classes" ]
}

@test "classes of which there are few frames are told" {
    digits 0:1000 | LC_ALL=C awk 'BEGIN { RS = "P5\n" } NR > 1 && (!/label=4/ || ++n <= 3) { printf "P5\n%s", $0 }' >few.pgm
    cnn-train -n "$NET" -e 1 -v 0 -o m.onnx few.pgm >log 2>talk
    grep -E '^cnn-train: there are 1[0-9][0-9] frames of class [0-9] and 3 of class 4, which will be read badly$' talk
}
