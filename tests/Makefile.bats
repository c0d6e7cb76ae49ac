# The Makefile: packed by make dist, built elsewhere, installed, removed; what is made again and what not.
# bats file_tags=once
load helper

# The tarball of what is committed, with the Makefile as it is now, built once, without optimising, by
# scripts/demo.
setup_file() {
    unset MAKEFLAGS MAKELEVEL MFLAGS
    # The tree may belong to somebody else than who runs the tests.
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
    cd "$BATS_FILE_TMPDIR" || return
    make -s -C "$TREE" B="$PWD/packed" dist
    tar xzf packed/inkpipe-*.tar.gz
    mv inkpipe-*/ tree
    cp "$TREE/Makefile" "$TREE/config.mk" tree
    sed -i 's/^CFLAGS = .*/CFLAGS = -O0 -g/; s/^LOOPS = .*/LOOPS = -O0/; s/^PREFIX = .*/PREFIX = \/usr/' tree/config.mk
    env -u B tree/scripts/demo </dev/null >demo
}

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_FILE_TMPDIR/tree" || return
    root=$BATS_TEST_TMPDIR/root
}

# make with the settings of the first build.
remake() {
    make 'CFLAGS=-O0 -g' LOOPS=-O0 PREFIX=/usr DESTDIR="$root" "$@"
}

# digits FROM:TO: some digits of MNIST, by the programs found on PATH.
digits() {
    pipe "mnist2pgm -r $1 $DATA/digits-images.gz $DATA/digits-labels.gz | preproc"
}

@test "the tarball holds every file of the commit, below one directory, the same bytes each time" {
    run -0 tar tzf ../packed/inkpipe-*.tar.gz
    version=$(sed -n 's/^VERSION = //p' config.mk)
    [ "$(sed "s,^inkpipe-$version/,," <<<"$output" | grep -v '/$' | sed '/^$/d' | sort)" = \
        "$(git -C "$TREE" ls-tree -r --name-only HEAD | sort)" ]
    make -s -C "$TREE" B="$BATS_TEST_TMPDIR" dist
    cmp ../packed/*.tar.gz "$BATS_TEST_TMPDIR"/*.tar.gz
}

@test "scripts/demo builds all and shows the main job's answers" {
    [[ $(<../demo) = *'$ mnist2pgm '*'preproc | cnn-predict -e'*'accuracy 9'* ]]
}

@test "the tarball's programs work" {
    run -0 build/mnist2pgm -V
    [[ $output == "mnist2pgm (inkpipe) $(sed -n 's/^VERSION = //p' config.mk),"* ]]
    PATH=$PWD/build:$PATH digits 0:1 >digit
    [ "$(head -c 2 digit)" = P5 ]
}

@test "installed programs answer, with the installed models" {
    remake -s install
    cd "$root"
    PATH=$root/usr/bin:$PATH
    digits 0:5 >digits
    run -0 cnn-predict digits
    [ "$(cut -c 1 <<<"$output" | tr -d '\n')" = 72104 ]
    echo broken >usr/share/inkpipe/default.onnx
    run -1 cnn-predict digits
    [[ $output == *"usr/bin/../share/inkpipe/default.onnx: "* ]]
    export TREE
    pipe 'preproc digits | cnn-predict -m "$TREE/models/default.onnx" | cut -f 1 | cmp - <(cut -f 1 <<<"72104" | fold -w 1)'
    echo broken >usr/share/inkpipe/find.onnx
    run -1 preproc digits
    [[ $output == *"usr/bin/../share/inkpipe/find.onnx: "* ]]
}

@test "every program, script, page and model is installed, and uninstall leaves no file" {
    remake -s install
    for source in cmd/*.c; do
        name=$(basename "$source" .c)
        [ "$name" = tool ] || [ -x "$root/usr/bin/$name" ]
    done
    for name in draw camera classify; do [ -x "$root/usr/bin/inkpipe-$name" ]; done
    for page in man/*.[157]; do [ -s "$root/usr/share/man/man${page##*.}/${page##*/}" ]; done
    for model in models/*.net models/*.onnx; do
        [[ $model == *-float.onnx ]] || cmp "$model" "$root/usr/share/inkpipe/${model##*/}"
    done
    for page in man/*.1; do
        name=$(basename "$page" .1)
        grep "complete -F _inkpipe .*$name" "$root/usr/share/bash-completion/completions/$name"
        grep -e "-c $name -s h" "$root/usr/share/fish/vendor_completions.d/$name.fish"
        grep "^#compdef .*$name" "$root/usr/share/zsh/site-functions/_inkpipe"
    done
    [ -x "$root/usr/bin/$(sed -n 's/^Exec=//p' "$root/usr/share/applications/inkpipe-draw.desktop")" ]
    [ -s "$root/usr/share/icons/hicolor/scalable/apps/inkpipe.svg" ]
    remake -s uninstall
    run -0 find "$root" ! -type d
    [ -z "$output" ]
}

@test "spaces in DESTDIR and PREFIX; another PREFIX makes again what looks there, and no more" {
    mkdir -p "$BATS_TEST_TMPDIR/with" # which rm -f of a first word would name
    root="$BATS_TEST_TMPDIR/with a space"
    cp -a build before
    made() { make 'CFLAGS=-O0 -g' LOOPS=-O0 'PREFIX=/opt/two words' DESTDIR="$root" "$@"; }
    made install >log
    grep -q ' -o build/lib/answer/model.o ' log
    [ "$(grep -c '^cc .* -c ' log)" -le 1 ]
    [ -x "$root/opt/two words/bin/preproc" ]
    made -s uninstall
    run -0 find "$root" ! -type d
    [ -z "$output" ]
    [ -d "$BATS_TEST_TMPDIR/with" ]
    rm -r build && mv before build
}

@test "nothing is made again without a reason" {
    run -0 remake all
    [ -z "$output" ]
}

@test "a changed header makes again what includes it, and only that" {
    touch lib/stream/stream.h
    run -0 remake build/mnist2pgm
    [[ $output == *" -o build/lib/stream/idx.o "* ]]
    [[ $output == *" -o build/lib/learn/dataset.o "* ]]
    [[ $output == *" -o build/mnist2pgm "* ]]
    [[ $output != *" -o build/lib/camera/exif.o "* ]]
}

@test "other flags make everything again" {
    mkdir flags
    cp -r build/. flags
    run -0 make B=flags 'CFLAGS=-O0 -g' LOOPS=-O0 PREFIX=/opt flags/lib/camera/exif.o
    [[ $output == *" -o flags/lib/camera/exif.o "* ]]
    run -0 make B=flags 'CFLAGS=-O0 -g' LOOPS=-O0 PREFIX=/opt flags/lib/camera/exif.o
    [[ $output != *" -o flags/lib/camera/exif.o "* ]]
}

@test "whatever the dates of a clone, only the model's own target retrains it" {
    touch -d 2000-01-01 models/*.onnx
    for target in all install test; do
        run -0 make -n B="$BATS_TEST_TMPDIR/b" DESTDIR="$root" $target
        [[ $output == *" -o $BATS_TEST_TMPDIR/b/lib/camera/exif.o "* ]]
        [[ $output != *"cnn-train \$("* ]]
        [[ $output != *fetch-mnist* ]]
    done
    run -0 make -n B="$BATS_TEST_TMPDIR/b" models/default.onnx
    [[ $output == *"models/default.data | "*"cnn-train \$("* ]]
    run -0 make -n B="$BATS_TEST_TMPDIR/b" models/seed.onnx
    [[ $output == *"mnist2pgm data/"*"cnn-train \$("* ]]
}

# The library, installed, and the manual's example.
library() {
    remake -s -j 2 install-library
    export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
    awk '/^\.Sh/ { on = /EXAMPLES/ } /^\.Ed/ { on = 0 } on && started; /^\.Bd/ { started = on }' \
        man/inkpipe.3 | sed 's/\\e/\\/g' >example.c
    pipe "mnist2pgm -r 0:1 $DATA/digits-images.gz | pamscale -width 100 -height 100 |
        pnmpad -width 640 -height 480 -black | tail -c 307200" >picture
}

@test "the library reads a gray buffer: the manual's example, linked either way" {
    PATH=$PWD/build:$PATH
    library
    # shellcheck disable=SC2046 # flags are words
    cc -Werror -Wall -o shared example.c $(pkg-config --cflags --libs inkpipe)
    # shellcheck disable=SC2046
    cc -Werror -Wall -o static example.c $(pkg-config --cflags inkpipe) \
        "$root/usr/lib/libinkpipe.a" -lprotobuf-c -lm -pthread
    run -0 env LD_LIBRARY_PATH="$root/usr/lib" ./shared models/default.onnx models/find.onnx <picture
    [[ $output == 7\ * ]]
    [ "$(./static models/default.onnx models/find.onnx <picture)" = "$output" ]
    run -1 ./static Makefile <picture
    [[ $output == Makefile:\ * ]]
}

@test "the library's names are those listed, and no others" {
    library
    run -0 nm -D --defined-only "$root/usr/lib/libinkpipe.so.0"
    awk '$2 != "A" { print $3 }' <<<"$output" | sort | diff - tests/inkpipe.symbols
    run -0 nm -g --defined-only "$root/usr/lib/libinkpipe.a"
    awk 'NF == 3 { print $3 "@@INKPIPE_0" }' <<<"$output" | sort | diff - tests/inkpipe.symbols
    readelf -d "$root/usr/lib/libinkpipe.so.0" | grep 'SONAME.*libinkpipe.so.0'
}

# Making them takes minutes: make deb-test does.
@test "the Debian packages are of this library: its names, its SONAME, its model" {
    symbols=scripts/debian/libinkpipe0.symbols
    sed -n 's/^ \(inkpipe_.*\)@\(.*\) .*/\1@@\2/p' $symbols | diff - tests/inkpipe.symbols
    soname=$(sed -n 's/.*-soname,\([^ ]*\) .*/\1/p' Makefile)
    [ "$(head -n 1 $symbols)" = "$soname ${soname%.so*}${soname##*.} #MINVER#" ]
    grep "^Package: ${soname%.so*}${soname##*.}$" scripts/debian/control
    run -0 scripts/deb -h
    [[ $output = *"libinkpipe0 and libinkpipe-dev"* ]]
}

# All of it, programs, library and packages: make deb-test.
@test "the same bits wherever, whenever and by whom it is made" {
    cp -r Makefile config.mk lib cmd "$BATS_TEST_TMPDIR"
    objects="build/cmd/mnist2pgm.o build/lib/ink/cut.o build/lib/engine/kernels.o build/cmd/tool.o"
    # shellcheck disable=SC2086 # to be split
    (umask 077 && cd "$BATS_TEST_TMPDIR" &&
        TZ=Asia/Kathmandu LC_ALL=C make -s 'CFLAGS=-O0 -g' LOOPS=-O0 PREFIX=/usr $objects)
    for object in $objects; do cmp "$object" "$BATS_TEST_TMPDIR/$object"; done
    git clone -q "$TREE" "$BATS_TEST_TMPDIR/clone"
    (umask 077 && TZ=Asia/Kathmandu make -s -C "$BATS_TEST_TMPDIR/clone" dist)
    cmp ../packed/*.tar.gz "$BATS_TEST_TMPDIR"/clone/build/*.tar.gz
}
