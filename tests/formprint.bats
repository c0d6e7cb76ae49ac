# formprint: from a form's text to a PDF.
load helper

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$TREE/examples" examples
}

# ink FILE X Y W H: the mean darkness, 0 to 100, of a region in mm of the page rendered at 254 dpi (10
# pixels a mm).
ink() {
    pamcut -left $(($2 * 10)) -top $(($3 * 10)) -width $(($4 * 10)) -height $(($5 * 10)) "$1" |
        pamsumm -mean -brief -normalize | awk '{ print int(100 - $1 * 100 + .5) }'
}

@test "each example is a PDF that other programs read, with all its words" {
    for form in examples/*.form; do
        formprint "$form" >out.pdf
        pdfinfo out.pdf >info 2>warnings
        [ ! -s warnings ]
        pdftotext out.pdf - | tr -s '[:space:]' ' ' >words
        title=$(sed -n 's/^title "\(.*\)"/\1/p' "$form")
        grep -F "$title" words
        grep -F "$title" info
        sed -n 's/^field[^"]*"\([^"]*\)".*/\1/p' "$form" | while read -r name; do grep -F "$name" words; done
    done
}

@test "the paper's size, and that it is not to be scaled" {
    formprint examples/exam.form | pdfinfo - | grep 'A4'
    formprint examples/score.form | pdfinfo - | grep 'letter'
    formprint examples/exam.form | grep -a '/PrintScaling /None'
}

@test "-n: numbered copies, of several sheets each" {
    formprint -n 3 examples/survey.form >out.pdf
    [ "$(pdfinfo out.pdf | awk '/^Pages/ { print $2 }')" = 6 ]
    [ "$(pdftotext out.pdf - | grep -c '^No\. 2$')" = 2 ]
    [ "$(pdftotext -f 6 out.pdf - | grep -c '^2 */ *2$')" = 1 ]
    run -0 pipe 'formprint examples/exam.form | pdftotext - - | grep -c No\\. || :'
    [ "$output" = 0 ]
}

@test "marks, and the one that differs, where form(5) has them; the edge is white" {
    formprint -n 1 examples/exam.form >out.pdf
    pdftoppm -r 254 -gray -singlefile out.pdf page
    [ "$(ink page.pgm 11 11 1 5)" -ge 95 ]  # the thick frame of the upper left
    [ "$(ink page.pgm 13 13 1 1)" -le 5 ]   # its white middle
    for corner in '193 10' '193 280' '10 280'; do
        read -r x y <<<"$corner"
        [ "$(ink page.pgm "$x" "$y" 1 7)" -ge 95 ]
        [ "$(ink page.pgm $((x + 1)) $((y + 1)) 1 5)" -le 5 ]
        [ "$(ink page.pgm $((x + 2)) $((y + 2)) 3 3)" -ge 95 ]
    done
    [ "$(ink page.pgm 0 0 210 9)" = 0 ]
    [ "$(ink page.pgm 0 288 210 9)" = 0 ]
    [ "$(ink page.pgm 0 0 9 297)" = 0 ]
    [ "$(ink page.pgm 201 0 9 297)" = 0 ]
}

@test "the same bytes every time" {
    formprint -n 5 examples/log.form >one
    LC_ALL=C TZ=UTC formprint -n 5 <examples/log.form >two
    cmp one two
}

@test "options, and a closed door" {
    for bad in '-n 0' '-n x' '-n 70000' '-x' 'a b'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr formprint $bad </dev/null
        [[ $stderr == *usage:* ]]
    done
    run -0 formprint -h
    run -0 formprint -V
    run -2 --separate-stderr script -qec "formprint examples/exam.form" /dev/null
    run -1 --separate-stderr pipe 'formprint examples/exam.form >/dev/full'
    [[ $stderr == 'formprint: standard output: '* ]]
    cp examples/exam.form mine.form
    run -1 --separate-stderr pipe 'formprint mine.form >>mine.form'
    [[ $stderr == *'is also the file to write to'* ]]
    cmp mine.form examples/exam.form
}
