#!/usr/bin/env bats
# The makers of data: data/hands.c writes digits from models/shapes.txt, data/paper.c puts
# digits on paper, scripts/paper makes a folder of such pictures with their truth.

bats_require_minimum_version 1.5.0
load helper

setup() {
    PATH=$B/tool:$PATH
    digits=$BATS_TEST_TMPDIR/digits.pgm
    mnist2pgm -r 0:200 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >"$digits"
}

shapes() {
    hands "$@" "$TREE/models/shapes.txt"
}

# facts KEY: of the frames on standard input, one a line.
facts() {
    grep -a "^# $1=" | cut -d= -f2
}

@test "hands write every digit, the same again from the same seed" {
    shapes -s 3 -n 100 >"$BATS_TEST_TMPDIR/a.pgm"
    shapes -s 3 -n 100 | cmp - "$BATS_TEST_TMPDIR/a.pgm"
    shapes -s 4 -n 100 >"$BATS_TEST_TMPDIR/b.pgm"
    run ! cmp -s "$BATS_TEST_TMPDIR/a.pgm" "$BATS_TEST_TMPDIR/b.pgm"
    [ "$(facts label <"$BATS_TEST_TMPDIR/a.pgm" | sort | uniq -c | tr -s ' \n' ' ')" = \
        " 10 0 10 1 10 2 10 3 10 4 10 5 10 6 10 7 10 8 10 9 " ]
    # A hand's n-th frame does not depend on how many are written.
    shapes -s 3 -n 30 | cmp - <(head -c "$(shapes -s 3 -n 30 | wc -c)" "$BATS_TEST_TMPDIR/a.pgm")
}

@test "the digits of the hands are read as what they are" {
    right=$(shapes -s 3 -n 200 | preproc | cnn-predict -e | sed -n 's/^accuracy *//p' | cut -d' ' -f1)
    awk -v r="${right%\%}" 'BEGIN { exit !(r >= 95) }'
}

@test "a bad file of shapes is named with its line" {
    printf '# shapes\n1 1 50,0 50,100\n1 1 50,0 x\n' >"$BATS_TEST_TMPDIR/bad.txt"
    run hands "$BATS_TEST_TMPDIR/bad.txt"
    [ "$status" = 1 ]
    [[ $output == *"bad.txt: line 3 is no shape"* ]]
}

@test "paper keeps the labels and gives the same again from the same seed, in every condition" {
    paper -s 2 -c all -n 45 "$digits" >"$BATS_TEST_TMPDIR/a.pgm"
    paper -s 2 -c all -n 45 "$digits" | cmp - "$BATS_TEST_TMPDIR/a.pgm"
    [ "$(facts condition <"$BATS_TEST_TMPDIR/a.pgm" | sort | uniq -c | awk '$1 == 3' | wc -l)" = 15 ]
    cmp <(facts label <"$BATS_TEST_TMPDIR/a.pgm") <(facts label <"$digits" | head -n 45)
}

@test "preproc finds digits on paper where they were put" {
    paper -s 2 -c ruled -n 100 "$digits" | preproc | paper -k check >"$BATS_TEST_TMPDIR/found.pgm"
    [ "$(facts label <"$BATS_TEST_TMPDIR/found.pgm" | grep -c '[0-9]')" -ge 95 ]
}

@test "the digits of numbers on paper are labelled, of the numbers that preproc -m cut in five" {
    paper -k number -c plain -n 20 "$digits" | preproc -m | paper -k numbers >"$BATS_TEST_TMPDIR/n.pgm"
    count=$(facts label <"$BATS_TEST_TMPDIR/n.pgm" | wc -l)
    [ $((count % 5)) = 0 ]
    [ "$count" -ge 75 ]
    right=$(cnn-predict -e "$BATS_TEST_TMPDIR/n.pgm" | sed -n 's/^accuracy *//p' | cut -d' ' -f1)
    awk -v r="${right%\%}" 'BEGIN { exit !(r >= 95) }'
}

@test "numbers and sheets carry their truth, parts and blanks the label none" {
    paper -k number -n 5 "$digits" >"$BATS_TEST_TMPDIR/n.pgm"
    [ "$(facts truth <"$BATS_TEST_TMPDIR/n.pgm" | tr -d '\n')" = \
        "$(facts label <"$digits" | head -n 25 | tr -d '\n')" ]
    truth=$(paper -k sheet -n 1 "$digits" | facts truth)
    [[ $truth =~ ^[0-9]+(/[0-9]+)+$ ]]
    [ "$(facts label <"$digits" | tr -d '\n' | head -c "$(tr -d '/\n' <<<"$truth" | wc -c)")" = \
        "$(tr -d '/\n' <<<"$truth")" ]
    [ "$(paper -k part -n 20 "$digits" | facts label | grep -cx none)" = 20 ]
    [ "$(paper -k blank -n 20 | facts label | grep -cx none)" = 20 ]
}

@test "scripts/paper makes a folder of pictures and a line of truth for each" {
    "$TREE/scripts/paper" -n 7 "$BATS_TEST_TMPDIR/paper" "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
    cd "$BATS_TEST_TMPDIR/paper"
    cmp <(tail -n +2 labels.tsv | cut -f1 | sort) <(printf '%s\n' *.pgm | sort)
    [ "$(tail -n +2 labels.tsv | cut -f2 | sort | uniq -c | tr -s ' \n' ' ')" = \
        " 14 none 22 number 1 sheet 105 single " ]
    [ "$(awk -F '\t' '$2 == "number" && $3 !~ /^[0-9][0-9][0-9][0-9][0-9]$/' labels.tsv)" = "" ]
}
