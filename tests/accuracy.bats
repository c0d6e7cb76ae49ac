# What make accuracy and make bench-pages count: tests/bench/accuracy.py and pages.py on a folder whose answers are
# known; and that no condition is read worse than tests/floors.tsv says.
load helper
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    export INKPIPE_MODEL=$TREE/models/default.onnx
    mnist2pgm -r 0:100 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits
    mkdir folder
    printf 'path\tkind\ttruth\tboxes\tnotes\tsource\tgroup\torder\n' >folder/labels.tsv
}

# picture NAME FRAME...: those digits in a row, dark on paper.
picture() {
    local name=$1 i parts=()
    shift
    for i; do
        pampick -quiet "$i" <digits | pamscale -quiet 3 | pnmpad -black -left 12 -right 12 >"part$i"
        parts+=("part$i")
    done
    pnmcat -black -leftright "${parts[@]}" | pnmpad -black -top 40 -bottom 40 -left 40 -right 40 |
        pnminvert >"folder/$name"
}

# truth NAME KIND TRUTH SOURCE NOTES ORDER: a line of labels.tsv.
truth() {
    printf '%s\t%s\t%s\t-\t%s\t%s\tphoto\t%s\n' "$1" "$2" "$3" "${5:--}" "$4" "${6:-reading}" >>folder/labels.tsv
}

# row NAME: of the tables, fields by one space.
row() {
    grep -- "^  $1 " out | tr -s ' ' | sed 's/^ //'
}

@test "singles, numbers and pages on their side, each by its source" {
    label() { grep -a '^# label=' digits | sed -n "$(($1 + 1))s/.*=//p"; }
    picture a.pgm 0
    picture b.pgm 1
    picture c.pgm 2
    picture row.pgm 3 4 5
    number=$(label 3)$(label 4)$(label 5)
    pgmmake 1 90 90 >folder/empty.pgm
    truth a.pgm single "$(label 0)" one
    truth b.pgm single "$(label 1)" one
    truth c.pgm single $((($(label 2) + 1) % 10)) photo/two
    truth empty.pgm none - one
    truth row.pgm number "$number" one
    for i in 1 2 3; do cp folder/row.pgm folder/row$i.pgm; done
    truth row1.pgm number "${number}7" two
    truth row2.pgm sheet "${number:1}/${number:0:1}" one - any
    truth row3.pgm sheet "${number}7654321" one rot90cw
    python3 -I "$TREE/tests/bench/accuracy.py" folder >out
    cat out
    [ "$(row one | sed -n 1p)" = "one 2 2 100.00 % 100.00 % 100.00 %" ]
    [ "$(row two | sed -n 1p)" = "two 1 1 0.00 % 100.00 % 0.00 %" ]
    [ "$(row all | sed -n 1p)" = "all 3 3 66.67 % 100.00 % 66.67 %" ]
    [ "$(row two | sed -n 2p)" = "two 1 4 75.00 % 0.00 % 100.00 % 0.00 %" ]
    [ "$(row all | sed -n 2p)" = "all 2 7 85.71 % 50.00 % 100.00 % 50.00 %" ]
    [ "$(grep -A 1 'sheets by' out | grep one | tr -s ' ')" = " one 1 3 100.00 % 0.00 % 100.00 % 0.00 %
 one 1 10 30.00 % 0.00 % 100.00 % 0.00 %" ]
    [ "$(grep -A 1 'without a digit' out | tr -s ' ' | tail -n 1)" = " one 1 1 100.00 % 0.00 % -" ]
}

# bats test_tags=once
@test "no condition of synthetic paper is read worse than its floor" {
    run "$TREE/tests/bench/floors"
    echo "$output"
    [ "$status" = 0 ]
}

@test "a condition under its floor is named, and one that has none" {
    label() { grep -a '^# label=' digits | sed -n "$(($1 + 1))s/.*=//p"; }
    picture a.pgm 0
    picture b.pgm 1
    picture c.pgm 2
    truth a.pgm single "$(label 0)" one
    truth b.pgm single $((($(label 1) + 1) % 10)) one
    truth c.pgm single "$(label 2)" two
    printf '# floors\nsingle\tone\t50.5\nsingle\tthree\t99\n' >floors
    run python3 -I "$TREE/tests/bench/accuracy.py" -f floors folder
    [ "$status" = 1 ]
    [ "$(tail -n 3 <<<"$output")" = "single digits, one: 50.00 %, the floor is 50.5 %
single digits, three: no picture
single digits, two: no floor" ]
    printf 'single\tone\t50\nsingle\ttwo\t100\n' >floors
    python3 -I "$TREE/tests/bench/accuracy.py" -f floors folder
    # Set anew: one and a half points under what was measured.
    python3 -I "$TREE/tests/bench/accuracy.py" -w floors folder
    [ "$(<floors)" = "$(printf 'single\tone\t48.5\nsingle\ttwo\t98.5')" ]
}

@test "make bench-pages counts the digits of numbers and sheets, and the seconds" {
    label() { grep -a '^# label=' digits | sed -n "$(($1 + 1))s/.*=//p"; }
    picture a.pgm 0
    picture row.pgm 3 4 5
    cp folder/row.pgm folder/row1.pgm
    number=$(label 3)$(label 4)$(label 5)
    truth a.pgm single "$(label 0)" one
    truth row.pgm number "$number" one
    truth row1.pgm sheet "${number}7" one
    python3 -sB "$TREE/tests/bench/pages.py" folder >out
    cat out
    [[ $(row inkpipe) =~ ^inkpipe\ 2\ 7\ 85.71\ %\ 50.00\ %\ [0-9]+\.[0-9]$ ]]
}
