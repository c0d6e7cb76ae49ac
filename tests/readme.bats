# What the README shows works.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# The block of a kind, as it stands in the README.
block() {
    awk -v kind="$1" '$0 == "```" { on = 0 } on; $0 == "```" kind { on = 1 }' "$TREE/README.md"
}

# bats test_tags=once
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

    # a photo more, as old as may be, deep down and with a name of its own
    mkdir -p 'photos/test/more/of it/3'
    cp -p "$(ls photos/test/3/* | head -n 1)" 'photos/test/more/of it/3/a $photo: 50%.pgm'
    touch -d 2001-01-01 photos/test/more/*/3/*
    make -s
    [[ $(head -n 1 report.txt) == *"of 201 right"* ]]
    make -q

    # one that is broken stops it, and is noticed until it is mended or gone
    broken=$(ls photos/test/7/* | head -n 1)
    head -c 300 "$broken" >cut && cat cut >"$broken"
    for _ in 1 2; do
        run make -s
        [ "$status" -ne 0 ]
        [[ $output == *"$broken"* ]]
        [ ! -e test.pgm ]
    done
    rm "$broken"
    make -s
    [[ $(head -n 1 report.txt) == *"of 200 right"* ]]
    make -q

    # nothing is trained again without a reason, and a picture among those to train on is one
    trained=$(stat -c %y my.onnx)
    touch photos/test/5/*
    make -s
    [ "$(stat -c %y my.onnx)" = "$trained" ]
    cp "$(ls photos/train/4/* | head -n 1)" photos/train/4/another.pgm
    make -s
    [ "$(stat -c %y my.onnx)" != "$trained" ]
}

@test "its Makefile has at most 15 lines" {
    (($(block make | grep -vc '^$') <= 15))
}

@test "its lines train letters and digits from folders" {
    mkdir models && cp "$TREE/tests/data/tiny.net" models/fast.net
    for class in A B plus 7; do
        mkdir -p letters/some/$class
        glyph=${class/plus/+}
        for size in 24 28 32 36 40 44 48 52 56 60; do
            pbmtext -builtin fixed "$glyph" | pnmcrop -quiet | pamscale -quiet -ysize $size |
                pnmpad -quiet -white -left $((size - 4)) -right 40 -top 30 -bottom $size >letters/some/$class/$size.pgm
        done
    done
    bash -e <(block sh | sed -n '/^sed /,/-e letters.pgm/p') >log 2>&1
    grep '^accuracy .*of 40 right' log
    [ "$(awk '/^truth/ { on = 1; next } on && NF >= 4 { print $1 } on && NF == 0 { exit }' log | xargs)" = "7 A B plus" ]
}

@test "its line of awk makes frames of Kaggle's table" {
    mnist2pgm -r 0:20 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >want.pgm
    python3 - want.pgm >train.csv <<'END'
import re, sys
data = open(sys.argv[1], "rb").read()
print("label," + ",".join(f"pixel{i}" for i in range(784)), end="\r\n")
for head in re.finditer(rb"P5\n((?:#.*\n)*)28 28\n255\n", data):
    label = re.search(rb"# label=(.*)", head[1])[1].decode()
    print(label + "," + ",".join(map(str, data[head.end():head.end() + 784])), end="\r\n")
END
    bash -e <(block sh | sed -n '/^LC_ALL=C awk/,/train.csv/p')
    [ "$(wc -l <train.csv)" -eq 21 ]
    cnn-predict -o json train.pgm | sed 's/"source.*"box":null,//' >got
    cnn-predict -o json want.pgm | sed 's/"source.*"box":null,//' | cmp - got
    grep -q '"label":"7"' got
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
    ((after + 3 <= before && after <= 40))
    echo "of 500 upright ones: $(wrong models/default.onnx upright.pgm), $(wrong mine.onnx upright.pgm)"
    (($(wrong mine.onnx upright.pgm) <= $(wrong models/default.onnx upright.pgm) + 3))
}

@test "the programs it names are there" {
    for program in $(block sh | grep -oE '\b(mnist2pgm|preproc|cnn-[a-z]+|camgrab|xview|xcanvas)\b' | sort -u); do
        "$program" -V
    done
}
