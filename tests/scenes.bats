#!/usr/bin/env bats
# What the finder learns from: data/scenes.c draws pages with the boxes of what is written on them, from
# the streams that models/find.data gives it.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    "$B/mnist2pgm" -r 0:200 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    "$B/tool/hands" -s 102 -x -n 30 "$TREE/models/shapes.txt" >none.pgm
    zcat "$TREE/models/letters.pgm.gz" >letters.pgm
    "$B/tool/scenes" -s 3 -n 600 digits.pgm none.pgm letters.pgm >scenes.pgm
}

setup() {
    PATH=$B/tool:$PATH
    cd "$BATS_FILE_TMPDIR"
}

# facts KEY: of the frames on standard input, one a line.
facts() {
    grep -a "^# $1=" | cut -d= -f2-
}

# boxes: of the frames on standard input, one a line.
boxes() {
    facts boxes | tr ';' '\n' | grep .
}

# The dark and the light end of a box's pixels are so many levels apart, one box a line, with its class.
contrasts() {
    python3 - "$1" <<'END'
import sys
data = open(sys.argv[1], "rb").read()
while data:
    header, rest = data.split(b"\n255\n", 1)
    facts = dict(line[2:].split(b"=", 1) for line in header.split(b"\n") if line.startswith(b"# "))
    width, height = map(int, header.rsplit(b"\n", 1)[1].split())
    for box in filter(None, facts[b"boxes"].split(b";")):
        x, y, w, h = map(int, box.split(b",")[:4])
        assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= width and y + h <= height, box
        pixels = [v for row in range(y, y + h) for v in rest[row * width + x:row * width + x + w]]
        print(max(pixels) - min(pixels), box.rsplit(b",", 1)[1].decode())
    data = rest[width * height:]
END
}

@test "the same seed draws the same scenes, another one others; a scene does not depend on how many there are" {
    scenes -s 3 -n 40 digits.pgm none.pgm letters.pgm >a.pgm
    cmp a.pgm <(head -c "$(wc -c <a.pgm)" scenes.pgm)
    run ! cmp -s a.pgm <(scenes -s 4 -n 40 digits.pgm none.pgm letters.pgm)
}

@test "every kind of scene is drawn" {
    [ "$(facts kind <scenes.pgm | sort -u | tr '\n' ' ')" = "barcode bars cloth clutter comb empty few frame grid large \
maze numbers print row scatter sums table thumb tiny words " ]
}

@test "a scene is 256x256, of local contrast: paper is 128" {
    [ "$(pamfile -allimages scenes.pgm | grep -c 'PGM raw, 256 by 256')" = 600 ]
    scenes -s 3 -n 100 -g gray digits.pgm none.pgm letters.pgm >gray.pgm
    [ "$(pamfile -allimages gray.pgm | grep -c 'PGM raw, 256 by 256')" = 100 ]
    cmp <(facts boxes <scenes.pgm | head -n 100) <(facts boxes <gray.pgm | sed 's/,none/,other/g')
    mean() { pamsummcol -mean <"$1" 2>/dev/null | pamsumm -mean -brief; }
    awk -v c="$(mean scenes.pgm)" 'BEGIN { exit !(c > 120 && c < 136) }'
}

@test "each class has boxes, digits of 9 to 60 pixels" {
    [ "$(boxes <scenes.pgm | cut -d, -f5- | LC_ALL=C sort -u | tr '\n' ' ')" = "+ , - . / 0 1 2 3 4 5 6 7 8 9 : = ? other " ]
    boxes <scenes.pgm | awk -F, '$5 ~ /[0-9]/ { n++; most = $3 > $4 ? $3 : $4; bad += most < 9 || most > 60 }
        END { exit !(n > 2000 && !bad) }'
}

@test "boxes lie in the picture and hold ink" {
    contrasts scenes.pgm >levels
    # Of pixels in deviations: even pale digits differ by more than noise.
    awk '$2 ~ /[0-9]/ { n++; faint += $1 < 32 } END { exit !(n > 2000 && faint / n < 0.02) }' levels
}

@test "pages without a digit have no boxes of digits, those of too small and too large ones none in between" {
    grep -aE "^# (kind|boxes)=" scenes.pgm | paste - - >pages
    run ! grep -E "kind=(barcode|bars|cloth|clutter|maze|empty).*,[0-9](;|$)" pages
    heights() { grep "kind=$1" pages | tr ';' '\n' | awk -F, '/,[0-9]$/ { print $4 }'; }
    heights tiny | awk '$1 > 12 { high = 1 } END { exit !NR || high }'
    heights large | awk '$1 < 50 { low = 1 } END { exit low }'
}

@test "no scenes are an empty stream; bad input is named" {
    [ "$(scenes -n 0 digits.pgm | wc -c)" = 0 ]
    run -1 scenes -n 1 nowhere.pgm
    [[ $output == "scenes: nowhere.pgm: "* ]]
    head -c 5000 digits.pgm >torn.pgm
    run -1 bash -c 'scenes -n 1 torn.pgm 2>&1 >/dev/null'
    [[ $output == "scenes: torn.pgm: "* ]]
    for arguments in "" "-n x digits.pgm" "-s -1 digits.pgm" "-g green digits.pgm" "-q digits.pgm"; do
        # shellcheck disable=SC2086 # split on purpose
        run -2 scenes $arguments
        [[ $output == *"usage: scenes "* ]]
    done
    run -0 scenes -h
    [[ $output == *"-n count"* ]]
}

@test "from digits alone scenes can be drawn" {
    [ "$(scenes -n 30 digits.pgm | facts kind | wc -l)" = 30 ]
}

@test "turned turns digits by quarters, labels them by where their heads point, and leaves out what is none" {
    "$B/mnist2pgm" -r 0:20 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >upright.pgm
    turned <(cat upright.pgm none.pgm) >turned.pgm
    [ "$(facts label <turned.pgm | sort -u | tr '\n' ' ')" = "left over right upright " ]
    [ "$(facts label <turned.pgm | wc -l)" = 20 ]
    pnmsplit upright.pgm upright-%d 2>/dev/null
    pnmsplit turned.pgm turned-%d 2>/dev/null
    local i=0 head
    declare -A back=([upright]=-null [right]=-r90 [over]=-r180 [left]=-r270) # counterclockwise
    while read -r head; do
        pamflip "${back[$head]}" "turned-$i" | cmp - <(pamflip -null "upright-$i")
        i=$((i + 1))
    done < <(facts label <turned.pgm)
    run -1 turned nowhere.pgm
    [[ $output == "turned: nowhere.pgm: "* ]]
    hands -n 1 "$TREE/models/shapes.txt" >large.pgm
    run -1 bash -c 'turned large.pgm 2>&1 >/dev/null'
    [[ $output == "turned: large.pgm: frame 0: 112x112 pixels, not 28x28" ]]
}

@test "models/find.data writes as many scenes as it is asked for" {
    printf '#!/bin/sh\ncat "%s/digits.pgm"\n' "$PWD" >"$BATS_TEST_TMPDIR/mnist2pgm"
    printf '#!/bin/sh\nexec "%s/tool/hands" "$@" -n 20\n' "$B" >"$BATS_TEST_TMPDIR/hands"
    chmod +x "$BATS_TEST_TMPDIR"/{mnist2pgm,hands}
    PATH=$BATS_TEST_TMPDIR:$PATH
    [ "$("$TREE/models/find.data" 5 | facts kind | wc -l)" = 5 ]
    run ! cmp -s <("$TREE/models/find.data" 5) <("$TREE/models/find.data" 5 2)
}
