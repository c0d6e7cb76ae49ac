#!/usr/bin/env bats
# Frames, answers and models are what they were, bit for bit: tests/golden.tsv, which `make golden` makes
# anew when they shall be others, so that a change of them stands in the diff.
# bats file_tags=once

bats_require_minimum_version 1.5.0
load helper

# compare PART: what comes out now with the table. Lines that hold where the table has none, on another
# level or by another compiler, are not compared; those of `any` are, each of them.
compare() {
    "$TREE/tests/golden" "$1" >"$BATS_TEST_TMPDIR/rows"
    awk -F '\t' '
        NR == FNR { golden[$1 FS $2] = $3; known[$2] = 1; next }
        !($2 in known) { other[$2] = 1; next }
        golden[$1 FS $2] != $3 { print $1 " (" $2 "): " (golden[$1 FS $2] ? "not what it was" : "not in the table"); wrong = 1 }
        $2 == "any" { compared++ }
        END { for (where in other) print "nothing known of " where; exit wrong || !compared }' \
        "$TREE/tests/golden.tsv" "$BATS_TEST_TMPDIR/rows"
}

@test "frames of synthetic paper, as preproc makes them, in every condition" {
    compare frames
}

@test "answers, and the models of an epoch of cnn-train and of cnn-train -q" {
    compare floats
}
