# docs/FORMS.md: what it says to do is done, from the form's text to the table.
load helper
load xcommon

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$TREE/examples" "$TREE/models" .
}

# block N: the Nth block of commands in the page; `block xcheck`: the one that takes a screen.
block() {
    awk -v n="$1" '$0 == "```" { on = 0 } on; (/^```sh$/ && ++at == n) || $0 == "```sh " n { on = 1 }' \
        "$TREE/docs/FORMS.md"
}

@test "the form on the page is that of the examples, and the page is one" {
    awk '$0 == "```" { on = 0 } on; $0 == "```form" { on = 1 }' "$TREE/docs/FORMS.md" >shown
    grep -v '^#' examples/exam.form | cmp - shown
    (($(wc -l <"$TREE/docs/FORMS.md") <= 100))
}

@test "the programs it names are there" {
    for program in formprint camgrab preproc cnn-predict formtable xcheck; do
        grep -q "\b$program\b" "$TREE/docs/FORMS.md"
        "$program" -V
    done
}

@test "each example is read back from its paper, with nothing written on it" {
    for form in examples/*.form; do
        boxes=$(awk '$1 == "field" { split($4, n, "."); sum += n[1] + n[2] } END { print sum }' "$form")
        formprint -n 2 "$form" | pdftoppm -gray -r 100 | preproc -f "$form" >cells
        [ "$(grep -ac '^# field=' cells)" = $((2 * boxes)) ]
        [ "$(grep -ac '^# box=' cells)" = 0 ]
        cnn-predict -o json cells >answers || [ $? = 3 ] # no digit
        run -3 formtable "$form" answers
        [[ $output = *'every field of every page is empty'* ]]
        [ "$(formtable "$form" answers 2>said | cut -f 1 | xargs)" = 'page 1 2' ]
    done
}

# fill: exams as a class of five might hand them in, as pictures in scans/, one turned upside down.
fill() {
    printf '%s\n' '20211234 12 7 18 37' '20211302 3 20 0 23' '20211317 11 16 9 36' '20211459 8 15 12 36' \
        '190044 0 4 17 21' | tr ' ' '\t' >values
    pdftoppm -r 200 -gray exam.pdf page
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    cat page-*.pgm | formphoto exam.form values digits.pgm >photos.pgm
    mkdir scans
    pamsplit -quiet photos.pgm scans/%d.pgm
}

@test "from end to end" {
    eval "$(block 1)"
    eval "$(block 2)"
    [ "$(pdfinfo exam.pdf | awk '/^Pages/ { print $2 }')" = 5 ]
    PATH=$TOOLS:$PATH
    fill
    eval "$(block 3)"
    eval "$(block 4)" >shown
    cat shown
    [ "$(wc -l <marks.tsv)" = 6 ]
    sort -n marks.tsv | awk -F '\t' 'NR > 1 { print $2, $3, $4, $5, $6, $7 }' >read
    cat >want <<'END'
20211234 12 7 18 37 Ada Lovelace
20211302 3 20 0 23 Emmy Noether
20211317 11 16 9 36 Sophie Germain
20211459 8 15 12 36 Maryam Mirzakhani
00190044 0 4 17 21 Sofja Kowalewskaja
END
    # The fourth's total is wrong. Digits may be misread, but not in silence.
    awk -F '\t' 'FNR == NR { want[NR] = $0; next } FNR > 1 { split(want[$1], w, " ")
        for (i = 1; i <= 5; i++) if ($(i + 1) != w[i]) { wrong++; if ($10 == "-") silent++ } }
        END { print wrong + 0, silent + 0; exit silent || wrong > 4 }' want marks.tsv
    grep -P '^4\t' marks.tsv | cut -f10 | grep -w total
    eval "$(block 5)" | grep -P '^4\t'
    eval "$(block 6)"
    grep -F '"00190044"' marks.csv
    check
}

# Somebody looks at what is in check, and accepts it.
check() {
    cp marks.tsv before.tsv
    start_x
    eval "$(block xcheck | head -n 1)"
    background bash -c "exec $(block xcheck | tail -n 1)"
    window "inkpipe check"
    wait_for shows 8 30 80 10 "232 234 237"
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do xdotool key Return; done
    xdotool key q
    wait "${BACKGROUND[-1]}"
    cut -f -9,11- marks.tsv | cmp - <(cut -f -9,11- before.tsv)
    [ "$(cut -f 10 marks.tsv | sort -u)" = "$(printf '%s\n' - check)" ]
}

@test "ssocr-like: digits on a line, and ssocr's exit statuses" {
    mnist2pgm -r 0:3 -d digits "$DATA/digits-images.gz" "$DATA/digits-labels.gz"
    found=$(find digits -name '*.pgm' | sort -t / -k 3 | tee files | cut -d / -f 2 | tr -d '\n')
    xargs pnmcat -lr <files | pnminvert | pnmpad -white -left 20 -right 20 -top 20 -bottom 20 |
        pamscale 4 -quiet >picture.pgm
    run -0 ssocr-like picture.pgm
    [ "$output" = "$found" ]
    run -0 ssocr-like -d 2-3 -T -t 20 invert picture.pgm
    run -1 ssocr-like -d 6 picture.pgm
    [ "$output" = "$found" ]
    run -0 ssocr-like -d 1 crop 80 60 112 152 picture.pgm
    [ "$output" = "${found:0:1}" ]
    run -99 ssocr-like erode picture.pgm
    run -99 ssocr-like
}

# recipe WORD: the display in formtable(1) with that word, as a shell takes it.
recipe() {
    awk '/^\.Ed/ { if (on && index(text, word)) printf "%s", text; on = 0 } on { text = text $0 "\n" }
        /^\.Bd/ { on = 1; text = "" }' word="$1" "$TREE/man/formtable.1" | sed 's/\\e/\\/g'
}

# number N...: those of a thousand digits in a row, as ink on paper.
number() {
    local n
    for n; do mnist2pgm -r "$n:$((n + 1))" "$DATA/digits-images.gz" >"d$n.pgm"; done
    pnmcat -lr $(printf 'd%d.pgm ' "$@") | pnminvert | pnmpad -white -left 20 -right 20 -top 15 -bottom 15 |
        pamscale -quiet 2.5
}

@test "recipe: the numbers of a questionnaire of SDAPS" {
    mkdir -p project/data_1
    number 0 | pnmtopng -quiet >project/data_1/img0000.png # the first digits are 7 2 1
    number 0 1 | pnmtopng -quiet >project/data_1/img0001.png
    number 1 0 | pnmtopng -quiet >project/data_1/img0002.png
    printf 'questionnaire_id,1_1,1_2\r\n1,data_1/img0000.png,data_1/img0001.png\r\n2,0,data_1/img0002.png\r\n' \
        >project/data_1.csv
    sdaps() { [ "$*" = 'csv export --images project' ]; }
    eval "$(recipe sdaps)"
    tr -d '\r' <digits.csv | diff - <(printf 'questionnaire_id,1_1,1_2\n1,7,72\n2,0,27\n')
}

@test "recipe: a display before a camera, time and value a line" {
    number 0 1 2 | pnmpad -white -left 290 -top 180 -width 640 -height 480 >display.pgm
    camgrab() { for _ in {1..40}; do cat display.pgm && sleep 0.1; done; }
    eval "$(recipe 'date +%T')" >said
    cat said
    [[ $(cat said) =~ ^[0-9]{2}:[0-9]{2}:[0-9]{2}' 721'$ ]]
}
