# scripts/setup. The packaging tools are stand-ins that write down how they were called.
load helper
# bats file_tags=once

# absent ARGUMENTS: grep finds nothing. (A line with ! in front never fails a bats test.)
absent() {
    if grep "$@"; then return 1; fi
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir bin
    for tool in apt-get sudo; do
        printf '#!/bin/sh\necho %s "$@" >>%s/calls\n' "$tool" "$PWD" >"bin/$tool"
    done
    # Names of packages that are installed are in the file installed.
    printf '#!/bin/sh\nfor name; do :; done\ngrep -qx "$name" %s/installed && printf installed\n' \
        "$PWD" >bin/dpkg-query
    printf '#!/bin/sh\necho ${UID_OF_TEST:-0}\n' >bin/id
    printf '#!/bin/sh\necho sudo "$@" >>%s/calls\n' "$PWD" >bin/sudo
    printf '#!/bin/sh\necho env "$@" >>%s/calls\n' "$PWD" >bin/env
    chmod +x bin/*
    PATH=$PWD/bin:$PATH
    sed -n "/^[A-Z]*='/,/^'/p" "$TREE/scripts/setup" | grep -v "'" >installed
    touch calls
}

@test "where all is there it does nothing" {
    bash "$TREE/scripts/setup" </dev/null
    bash "$TREE/scripts/setup" -t </dev/null
    [ ! -s calls ]
}

@test "it asks, and installs nothing when the answer is no or missing" {
    sed -i /^zlib1g-dev/d installed
    run bash -c "bash $TREE/scripts/setup </dev/null"
    [ "$status" = 1 ]
    [[ $output = *"missing packages: zlib1g-dev"* ]]
    run bash -c "echo n | bash $TREE/scripts/setup"
    [ "$status" = 1 ]
    [ ! -s calls ]
}

@test "after a yes, or with -y, it installs what is missing and no more" {
    sed -i '/^zlib1g-dev/d; /^bats/d' installed
    echo y | bash "$TREE/scripts/setup"
    grep 'apt-get .*install .*zlib1g-dev$' calls
    absent bats calls
    bash "$TREE/scripts/setup" -y -t </dev/null
    grep 'apt-get .*install .*zlib1g-dev bats$' calls
    absent sudo calls
}

@test "who is not root goes through sudo" {
    sed -i /^zlib1g-dev/d installed
    UID_OF_TEST=1000 bash "$TREE/scripts/setup" -y </dev/null
    grep 'sudo env .*apt-get .*install .*zlib1g-dev$' calls
}

@test "who is neither root nor has sudo is told what root shall run" {
    sed -i /^zlib1g-dev/d installed
    mkdir few
    for tool in bash sed grep fold; do ln -s "$(command -v $tool)" few; done
    rm bin/sudo
    run bash -c "PATH=$PWD/bin:$PWD/few UID_OF_TEST=1000 bash $TREE/scripts/setup -y </dev/null"
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = 'apt-get install zlib1g-dev' ]
    [ ! -s calls ]
}

@test "on another system it says what to install" {
    mkdir other
    for tool in bash sed paste fold; do
        ln -s "$(type -P $tool)" other/
    done
    PATH=$PWD/other run bash "$TREE/scripts/setup" -y
    [ "$status" = 1 ]
    [[ $output = *"no apt-get"*"libprotobuf-c-dev"* ]]
    [[ $output != *"|"* ]]
}

@test "wrong usage" {
    run bash "$TREE/scripts/setup" -q
    [ "$status" = 2 ]
    [[ $output = *"usage: setup [-y] [-t]"* ]]
}
