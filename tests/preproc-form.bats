# preproc -f: the boxes of a printed form; -r name=...: those of forms that others printed.
load helper

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR" || return
    cat >t.form <<-'END'
	page a4
	title "A test"
	field id digits 4 "Number"
	field kg digits 2.1 "Weight" blank
	END
}

# scan DPI [COPIES]: the form as a scanner sees it when nothing is written on it.
scan() {
    formprint ${2:+-n "$2"} t.form >form.pdf
    pdftoppm -gray -r "$1" form.pdf
}

# fill [OPTION...]: write MNIST's first digits, or $values, into the boxes of three pages and photograph them.
fill() {
    # shellcheck disable=SC2086 # two words
    for _ in 1 2 3; do printf '%s\t%s\n' ${values:-7210 414}; done >values
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits
    "$TOOLS/formphoto" "$@" t.form values digits
}

# digits: all that were read in the cells on standard input.
digits() {
    cnn-predict -o json | grep -o '"digit":"[^"]*"' | tr -dc '0-9'
}

cells() {
    pamfile -allimages "$@" | wc -l
}

facts() {
    grep -a "^# $1=" | cut -d= -f2 | paste -sd' '
}

@test "an empty form: every cell in the form's order, all zero, without a box" {
    for dpi in 100 200 300; do
        scan $dpi 1 | preproc -f t.form >out
        [ "$(facts field <out)" = 'id id id id kg kg kg' ]
        [ "$(facts cell <out)" = '0 1 2 3 0 1 2' ]
        [ "$(facts page <out)" = '1 1 1 1 1 1 1' ]
        [ -z "$(facts box <out)" ]
        [ "$(cells out)" = 7 ]
        [ "$(pamsplit out one-%d.pgm && cat one-*.pgm | tail -c 784 | tr -d '\0' | wc -c)" = 0 ]
    done
}

@test "at any turn" {
    scan 150 1 >page
    for turn in -r90 -r180 -ccw; do
        pamflip $turn page | preproc -f t.form >out
        [ "$(facts field <out)" = 'id id id id kg kg kg' ]
    done
    pnmrotate -background=white 7 page | pnmtopnm -plain | pamtopnm | preproc -f t.form >out
    [ "$(cells out)" = 7 ]
}

@test "a mark under a thumb" {
    scan 150 1 >page
    for at in '30 30' '1140 30' '30 1660' '1140 1660'; do
        ppmmake rgb:80/80/80 70 70 | ppmtopgm >thumb
        # shellcheck disable=SC2086 # two numbers
        pnmpaste thumb $at page | preproc -f t.form >out
        [ "$(cells out)" = 7 ]
    done
}

# strip WIDTH: the page with a strip of so many pixels missing on the left, where the marks are 59 to 100.
strip() {
    run --separate-stderr bash -c "pamcut -left $1 page | preproc -f t.form >out"
}

@test "marks half cut off: read as ever, or said, never read askew" {
    scan 150 1 >page
    strip 59
    [ "$status" = 0 ]
    [ "$(cells out)" = 7 ]
    [ -z "$(facts box <out)" ]
    for left in 62 65 68 71 80 90 100; do
        strip $left
        [ "$status" = 0 ] || [ "$status" = 1 ]
        if [ "$status" = 0 ]; then
            [ "$(cells out)" = 7 ]
            [ -z "$(facts box <out)" ] # the printed lines would be ink
        else
            [[ $stderr == 'preproc: -: frame 0: '@('the code at the sheet'|'of a form'?'s four corner marks 2 can be seen')* ]]
        fi
    done
    [ "$status" = 1 ]
    ppmmake white 80 104 | ppmtopgm >torn # half of one mark
    pnmpaste torn 0 0 page | preproc -f t.form >out
    [ "$(cells out)" = 7 ]
    [ -z "$(facts box <out)" ]
}

@test "without a number there is no page" {
    scan 150 | preproc -f t.form >out
    [ -z "$(facts page <out)" ]
    [ "$(cells out)" = 7 ]
}

@test "a picture without marks, or of another form: said, and the others are done" {
    scan 150 2 >pages
    pgmmake 0.5 600 800 >gray
    sed 's/digits 4/digits 5/' t.form >other.form
    formprint other.form | pdftoppm -gray -r 150 >other
    run -1 --separate-stderr bash -c 'cat gray pages other | preproc -f t.form >out'
    [ "${#stderr_lines[@]}" = 2 ]
    [[ ${stderr_lines[0]} = 'preproc: -: frame 0: no corner mark of a form is in the picture'* ]]
    [[ ${stderr_lines[1]} = 'preproc: -: frame 3: it is a sheet of another form than t.form '* ]]
    [ "$(cells out)" = 14 ]
}

@test "digits in photos: in their boxes, of the copy's number" {
    scan 200 3 | fill -p 4 >photos
    preproc -f t.form photos >out
    [ "$(facts page <out)" = '1 1 1 1 1 1 1 2 2 2 2 2 2 2 3 3 3 3 3 3 3' ]
    [ "$(digits <out)" = 721041472104147210414 ]
    preproc -j 3 -f t.form photos | cmp - out
}

@test "digits on bent paper, its middle 12 mm above two edges" {
    for seed in 1 3; do
        scan 200 3 | fill -p 4 -c 12 -s $seed | preproc -f t.form >out
        [ "$(facts page <out)" = '1 1 1 1 1 1 1 2 2 2 2 2 2 2 3 3 3 3 3 3 3' ]
        [ "$(digits <out)" = 721041472104147210414 ]
    done
}

# bats test_tags=once
@test "nothing is seen in the empty boxes of photos" {
    for size in 3 6 12; do
        scan 200 3 | values='- -' fill -p $size | preproc -f t.form >out
        [ "$(cells out)" = 21 ]
        [ -z "$(facts box <out)" ]
    done
}

@test "digits of scans of 100 to 600 dpi, and of a fax" {
    for how in '-d 100' '-d 150' '-d 600' -f; do
        # shellcheck disable=SC2086 # two words
        scan 200 2 | fill $how | preproc -f t.form >out
        [ "$(digits <out)" = 72104147210414 ]
    done
}

@test "a form whose text is wrong, has no paper, or goes with -r" {
    echo 'field id digits x' >bad.form
    run -1 preproc -f bad.form </dev/null
    [[ $output = *'bad.form: line 1'* ]]
    echo 'field id digits 4' >bad.form
    run -1 preproc -f bad.form </dev/null
    [[ $output = *"no line 'page a4'"* ]]
    run -2 preproc -f t.form -m
    run -2 preproc -f t.form -r 1,1,5,5
}

@test "several sheets, with numbers and without" {
    for i in $(seq 40); do echo "field f$i digits 2"; done >>t.form
    scan 100 1 | preproc -f t.form >out
    [ "$(cells out)" = 87 ]
    [ "$(facts page <out | tr ' ' '\n' | uniq -c | tr -s ' ')" = ' 87 1' ]
    scan 100 | preproc -f t.form >out
    [ "$(cells out)" = 87 ]
    [ -z "$(facts page <out)" ]
}

@test "-r name=x,y,w,h: every digit of each region, as a field" {
    mnist2pgm -r 0:4 "$DATA/digits-images.gz" >digits
    pamsplit digits d%d.pgm
    pnmcat -lr -white d0.pgm d1.pgm d2.pgm | pamenlarge 3 >left
    pnmcat -tb left <(pamenlarge 3 d3.pgm) | pnminvert >page
    preproc -r a=0,0,252,84 -r b.x=0,84,252,84 page >out
    [ "$(facts field <out)" = 'a a a b.x' ]
    [ "$(facts cell <out)" = '0 1 2 0' ]
    run -2 preproc -r 0,0,5,5 -r b=0,84,252,84 page
    run -2 preproc -r 'a b=0,84,252,84' page
    run -1 bash -c 'preproc -r a=0,0,252,84 -r b=900,84,252,84 page >out'
    [[ $output = *'lies outside'* ]]
    [ "$(facts field <out)" = 'a a a b' ]
}

# weight: ink on paper as others print it: 72.1, and below it 17.
weight() {
    local n
    for n in 0 1 2; do mnist2pgm -r $n:$((n + 1)) "$DATA/digits-images.gz" >d$n.pgm; done
    pgmmake 0 10 28 | pnmpaste <(pgmmake 1 4 4) 3 20 >point.pgm
    pnmcat -lr d0.pgm d1.pgm point.pgm d2.pgm >above
    pnmcat -lr d2.pgm d0.pgm | pnmpad -width 94 -halign 0 >below
    pnmcat -tb above below | pnminvert | pnmpad -white -left 20 -right 20 -top 15 -bottom 15 | pamscale -quiet 2.5
}

@test "-r name=x,y,w,h: a sign between digits is told, and has no place in the field" {
    weight >page.pgm
    preproc -r kg=0,0,335,110 -r n=0,110,335,110 page.pgm >out
    [ "$(facts field <out)" = 'kg kg kg kg n n' ]
    [ "$(facts cell <out)" = '0 1 2 0 1' ]
    [ "$(facts sign <out)" = . ]
    [ "$(cnn-predict -w out | cut -f1 | paste -sd' ')" = '72.1 17' ]
    printf 'field kg digits 2.1\nfield n digits 3\n' >f.form
    [ "$(cnn-predict -o json out | formtable f.form | cut -f 1-3 | tail -n 1)" = "$(printf '1\t72.1\t17')" ]
    run -1 --separate-stderr bash -c 'cnn-predict -w -o json out | formtable f.form'
    [[ $stderr = *"field 'kg': 72.1 is a number, not a digit"* ]]
}
