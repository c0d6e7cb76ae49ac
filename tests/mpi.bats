# cnn-train as several ranks under mpirun.
# bats file_tags=once
load helper
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    NET=$DATA/tiny.net
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
}

teardown() {
    kill_background
}

ranks() { # COUNT COMMAND...: on a busy machine minutes; what waits for ever is ended
    timeout 300 mpirun --oversubscribe -n "$@"
}

is_epoch() { # FILE NUMBER: the epoch is in the log
    grep -q "^$2"$'\t' "$1"
}

@test "one model, whatever the number of ranks" {
    # All numbers of ranks once; what else a batch may be of, or be added in, with few and with many.
    for options in '-b 64' '-b 37 -v 0 -O sgd' '-b 50 -p bf16'; do
        # shellcheck disable=SC2086 # words
        cnn-train -n "$NET" -o one.onnx -e 2 $options -j 1 digits.pgm
        counts='1 2 4 8'
        [ "$options" = '-b 64' ] || counts='2 8'
        for count in $counts; do
            # shellcheck disable=SC2086
            ranks $count cnn-train -n "$NET" -o many.onnx -e 2 $options digits.pgm >log
            cmp one.onnx many.onnx
            [ "$(wc -l <log)" -eq 3 ] # rank 0 alone speaks
            rm many.onnx
        done
    done
}

@test "rank 0 alone reads the data, from a pipe too" {
    cnn-train -n "$NET" -o one.onnx -e 1 digits.pgm
    ranks 2 cnn-train -n "$NET" -o two.onnx -e 1 <digits.pgm
    cmp one.onnx two.onnx
}

@test "told to stop, all stop after one step; another number goes on" {
    cnn-train -n "$NET" -o whole.onnx -e 40 digits.pgm
    background mpirun --oversubscribe -n 4 cnn-train -n "$NET" -o m.onnx -e 40 digits.pgm >log 2>talk
    wait_for is_epoch log 2
    kill "$!"
    ! wait "$!" || false
    [ ! -e m.onnx ]
    ranks 2 cnn-train -n "$NET" -o m.onnx -e 40 -r digits.pgm
    cmp whole.onnx m.onnx
}

@test "a rank that dies ends the run, and its checkpoint is good" {
    cnn-train -n "$NET" -o whole.onnx -e 40 digits.pgm
    background mpirun --oversubscribe -n 2 cnn-train -n "$NET" -o m.onnx -e 40 digits.pgm >log 2>talk
    wait_for is_epoch log 2
    kill -KILL "$(pgrep -P "$!" cnn-train | tail -n 1)"
    ! wait "$!" || false
    grep 'rank 1 with PID' talk
    [ ! -e m.onnx ]
    cnn-train -n "$NET" -o m.onnx -e 40 -r digits.pgm
    cmp whole.onnx m.onnx
}

@test "what cannot work is said once, and nothing is written" {
    run ! ranks 3 cnn-train -n "$NET" -o m.onnx digits.pgm
    [ "$(grep -c '^cnn-train: ' <<<"$output")" -eq 1 ]
    [[ $output == *'cnn-train: 3 ranks cannot share a batch: 1, 2, 4 or 8 can'* ]]
    echo junk >junk.pgm
    run ! ranks 2 cnn-train -n "$NET" -o m.onnx junk.pgm
    [[ $output == *'cnn-train: junk.pgm: '* ]]
    sed 's/dense 10/dropout 0.5\ndense 10/' "$NET" >other.net
    cp "$NET" 0.net
    mv other.net 1.net
    run ! ranks 2 sh -c 'cnn-train -n $OMPI_COMM_WORLD_RANK.net -o m.onnx digits.pgm'
    [[ $output == *'rank 1 has another network, other options or another kind of CPU'* ]]
    [ "$(ls)" = "$(printf '0.net\n1.net\ndigits.pgm\njunk.pgm')" ]
}

# A network namespace is a host: process HOST1, HOST2 holds it. A cable of their own joins the two.
new_host() { # NAME
    background unshare --net sleep 600
    declare -g "$1=$!"
    wait_for in_namespace "$!"
}

in_namespace() {
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

plug_in() {
    new_host HOST1
    new_host HOST2
    ip link add ink1 netns "$HOST1" type veth peer name ink2 netns "$HOST2"
    for host in 1 2; do
        pid=HOST$host
        for command in "addr add 10.77.0.$host/24 dev ink$host" "link set ink$host up" 'link set lo up'; do
            # shellcheck disable=SC2086 # words
            nsenter --net -t "${!pid}" ip $command
        done
    done
    cat >agent <<END
#!/bin/bash
# agent HOST COMMAND...: runs it there, as ssh would
pids=(0 $HOST1 $HOST2)
host=\${1#host}
shift
exec nsenter --net -t "\${pids[host]}" unshare --uts bash -c "hostname host\$host; \$*"
END
    chmod +x agent
}

@test "two hosts over the network make the same model" {
    [ "$(id -u)" -eq 0 ] || skip 'network namespaces need root'
    cnn-train -n "$NET" -o one.onnx -e 2 digits.pgm
    plug_in
    ./agent host1 "mpirun --mca plm_rsh_agent $PWD/agent -H host1,host2 -n 2 \
        bash -c 'hostname; cnn-train -n $NET -o two.onnx -e 2 digits.pgm'" >log
    grep -q host1 log
    grep -q host2 log
    cmp one.onnx two.onnx
}

@test "a finder is trained by one process" {
    printf 'input 1 16 16\nconv 4 3x3 stride 4 pad same\nrelu\nconv 17 1x1\nboxes\n' >f.net
    run ! ranks 2 cnn-train -n f.net -o f.onnx digits.pgm
    [[ $output = *"cnn-train: f.net: a finder is trained by one process, not by several ranks"* ]]
    [ ! -e f.onnx ]
}
