# Forms from paper to table: a few pages of what make forms-accuracy measures with many.
load helper

setup() {
    bats_require_minimum_version 1.5.0
}

@test "printed, filled in, photographed, read: nearly every cell, and no mistake that is not named" {
    cd "$TREE"
    run -0 tests/bench/forms -n 4 -p 3 -l 0.95 7
    [[ $output = *'cells with a digit'* ]]
    [[ $output =~ 'empty cells'\ +([0-9]+)' of '+\ *([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    [[ $output =~ 'fields not named that are wrong'\ +0 ]]
}
