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

# slanted FROM TO: frames of those of a thousand digits, all slanted by 40 degrees, through preproc.
slanted() {
    rm -rf upright slanted
    mnist2pgm -r "$1:$2" -d upright "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
    (cd upright && find . -type d -exec mkdir -p ../slanted/{} \; &&
        for file in */*; do pnmshear -quiet -background=black 40 "$file" >"../slanted/$file"; done)
    camgrab -R slanted | preproc 2>/dev/null
}

# wrong MODEL FRAMES: how many it does not read.
wrong() {
    cnn-predict -e -m "$1" "$2" | awk '$1 == "accuracy" { print $6 - $4 }'
}

# bats test_tags=once
@test "the line that teaches a hand does so, and other hands are not forgotten" {
    ln -s "$TREE/models" models
    slanted 0 200 >mine.pgm
    slanted 500 1000 >hand.pgm
    mnist2pgm -r 500:1000 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >upright.pgm
    mnist2pgm -r 0:500 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >mnist.pgm
    bash -c "$(block sh | grep '^cnn-train -i')" >log
    before=$(wrong models/default.onnx hand.pgm) after=$(wrong mine.onnx hand.pgm)
    echo "of 500 slanted digits not read: $before before, $after after"
    ((after + 3 <= before && after <= 20))
    echo "of 500 upright ones: $(wrong models/default.onnx upright.pgm), $(wrong mine.onnx upright.pgm)"
    (($(wrong mine.onnx upright.pgm) <= $(wrong models/default.onnx upright.pgm) + 3))
}

@test "the programs it names are there" {
    for program in $(block sh | grep -oE '\b(mnist2pgm|preproc|cnn-[a-z]+|camgrab|xview|xcanvas)\b' | sort -u); do
        "$program" -V
    done
}
