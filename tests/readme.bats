# What the README shows works.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# The block of a kind, as it stands in the README.
block() {
    awk -v kind="$1" '$0 == "```" { on = 0 } on; $0 == "```" kind { on = 1 }' "$TREE/README.md"
}

@test "its Makefile turns folders of labelled pictures into a model and a report" {
    block make >Makefile
    cp "$TREE/tests/data/tiny.net" my.net
    images=$TREE/tests/data/digits-images.gz labels=$TREE/tests/data/digits-labels.gz
    mkdir photos
    mnist2pgm -r 0:600 -d photos/train "$images" "$labels"
    mnist2pgm -r 600:800 -d photos/test "$images" "$labels"
    make -s
    run head -n 1 report.txt
    [[ $output == "accuracy "*"of 200 right"* ]]
    right=${output#*: } right=${right%% *}
    ((right > 150))
    make -q
    touch photos/test/3
    make -s
}

@test "its Makefile has at most 15 lines" {
    (($(block make | grep -vc '^$') <= 15))
}

@test "the programs it names are there" {
    for program in $(block sh | grep -oE '\b(mnist2pgm|preproc|cnn-[a-z]+|camgrab|xview|xcanvas)\b' | sort -u); do
        "$program" -V
    done
}
