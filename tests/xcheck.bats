# xcheck: the cells in check, corrected by keys; what is on disk after each of them.
load helper
load xcommon

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR" || return
    cat >t.form <<-'END'
	page a4
	field id digits 3 "Number" in students.tsv
	field kg digits 2.1 "Weight" blank
	END
    printf 'number\tname\n%s\tAda\n%s\tBob\n' 117 771 >students.tsv
    row page id kg name probability check candidates source frame >marks.tsv
    row 1 117 12.5 Ada 0.9000 id id=117:0.9000,771:0.0900 a.pgm 0 >>marks.tsv
    row 2 771 7.1 Bob 0.8000 'id kg:max' - a.pgm 1 >>marks.tsv
    row 3 771 - Bob 0.9999 - - a.pgm 2 >>marks.tsv
    for page in 1 2 3; do
        for cell in 0 1 2; do
            cell id $cell $page box
            if [ $page = 1 ] || { [ $page = 2 ] && [ $cell != 0 ]; }; then cell kg $cell $page box; else cell kg $cell $page; fi
        done
    done >cells.pgm
    cp marks.tsv before.tsv
}

row() {
    local IFS=$'\t'
    echo "$*"
}

# cell FIELD CELL PAGE [box]: a cell as preproc -f writes it, gray where there is ink.
cell() {
    printf 'P5\n# field=%s\n# cell=%s\n# page=%s\n# source=a.pgm\n# frame=%d\n' "$1" "$2" "$3" $(($3 - 1))
    [ -z "$4" ] || printf '# box=1,2,3,4\n'
    printf '28 28\n255\n'
    head -c 784 /dev/zero | if [ "$4" ]; then tr '\0' '\200'; else cat; fi
}

# check [option ...]: xcheck in a window of its own.
check() {
    [ "$DISPLAY_STARTED" ] || start_x
    DISPLAY_STARTED=1
    background run_check "$@"
    CHECK=$!
    window "inkpipe check"
    wait_for shows 8 30 80 10 "232 234 237" # the chosen cell
}

run_check() {
    exec xcheck "$@" t.form marks.tsv cells.pgm
}

# column NAME PAGE [FILE]: what the table says there.
column() {
    awk -F '\t' -v name="$1" -v page="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
        $1 == page { print $at }' "${3:-marks.tsv}"
}

says() {
    [ "$(column "$1" "$2" "$4")" = "$3" ]
}

# The cells come as: empty (kg 0 of page 2), the 1s (id 0 and 1 of page 1, id 2 and kg 2 of page 2),
# the 2, the 5, the 7s. (The list's joins follow.)

@test "a digit key corrects the cell, and what the list says with it" {
    check
    xdotool key Return key 7
    wait_for says id 1 717
    says name 1 -
    says check 1 id
    xdotool key u
    wait_for says id 1 117
    says name 1 Ada
    xdotool key 7 key 7
    wait_for says id 1 777
    xdotool key q
    wait "$CHECK"
    [ "$(sed -n 3,4p marks.tsv | cut -f 2-3)" = "$(sed -n 3,4p before.tsv | cut -f 2-3)" ]
}

@test "Return accepts what is shown; a field of which all was seen is in check no more; u takes it back" {
    check
    xdotool key Return key Return
    sleep 0.5
    says check 1 id
    says check 2 'id kg:max'
    xdotool key Return
    wait_for says check 2 -
    says check 1 -
    xdotool key u
    wait_for says check 2 'id kg:max'
    xdotool key Return
    wait_for says check 2 -
    xdotool key q
    wait "$CHECK"
    cut -f 1-5,7-9 marks.tsv | cmp - <(cut -f 1-5,7-9 before.tsv)
}

@test "- and ? are corrections; space, backspace and the mouse choose" {
    check
    xdotool key Return key space key space key BackSpace key minus
    wait_for says id 1 17
    xdotool key u mousemove 20 50 click 1 key question
    wait_for says id 1 '?17'
    xdotool key q
    wait "$CHECK"
}

@test "the point stays where it is" {
    check
    xdotool key 3
    wait_for says kg 2 37.1
    xdotool key q
    wait "$CHECK"
}

@test "-o leaves the table alone, and the same command goes on; kill -9 loses nothing" {
    check -o good.tsv
    xdotool key 3
    wait_for says kg 2 37.1 good.tsv
    xdotool key Return key 7
    wait_for says id 1 717 good.tsv
    kill -9 "$CHECK"
    wait "$CHECK" || :
    cmp marks.tsv before.tsv
    says kg 2 37.1 good.tsv
    [ "$(wc -l <good.tsv)" = 4 ]
    check -o good.tsv
    xdotool key 2
    wait_for says id 1 727 good.tsv
    says kg 2 37.1 good.tsv
    xdotool key q
    wait "$CHECK"
    cmp marks.tsv before.tsv
    [ -z "$(find . -name '*.tmp*')" ]
}

@test "a full disk is said, takes nothing away, and is made up for once there is room" {
    check 2> >(cat >talk) # which may grow
    prlimit --pid "$CHECK" --fsize=0:unlimited
    xdotool key 3 key Return
    sleep 0.3
    kill -0 "$CHECK" # it goes on
    cmp marks.tsv before.tsv
    prlimit --pid "$CHECK" --fsize=unlimited
    xdotool key 7
    wait_for says kg 2 37.1
    says id 1 717
    prlimit --pid "$CHECK" --fsize=0:unlimited
    cp marks.tsv before.tsv
    xdotool key 2 key q
    status=0
    wait "$CHECK" || status=$?
    [ "$status" -eq 1 ]
    cmp marks.tsv before.tsv
    wait_for grep -qx "xcheck: marks.tsv: cannot write: File too large" talk
    [ -z "$(find . -name '*.tmp*')" ]
}

@test "-l appends the corrected cells with their labels, and not what was undone" {
    cell id 0 9 box >more.pgm
    cp more.pgm old.pgm
    check -l more.pgm
    xdotool key Return key 7 key 4 key u key q
    wait "$CHECK"
    cmp -n "$(wc -c <old.pgm)" old.pgm more.pgm
    [ "$(grep -ac '^# field=' more.pgm)" = 2 ]
    [ "$(grep -a '^# label=' more.pgm)" = '# label=7' ]
}

@test "a table edited by hand is told by its line, and stays as it is" {
    start_x
    bad() {
        run -1 xcheck t.form marks.tsv cells.pgm
        [[ $output = "xcheck: marks.tsv: $1"* ]]
        cp before.tsv marks.tsv
    }
    sed -i '3s/\tBob//' marks.tsv
    bad 'line 3: 8 columns, not the 9 of line 1'
    sed -i '2s/117/1x7/' marks.tsv
    bad "line 2: id is '1x7'"
    sed -i '2s/117/1117/' marks.tsv
    bad "line 2: id is '1117', which its 3 boxes cannot hold"
    sed -i '3s/kg:max/total/' marks.tsv
    bad "line 3: check names 'total', which the form does not have"
    sed -i '3s/^2/9/' marks.tsv
    bad 'line 3: no cells of id on page 9 are among the frames'
    sed -i '1s/kg/weight/' marks.tsv
    bad "line 1: column 3 is 'weight', not 'kg'"
    : >marks.tsv
    bad 'it is empty'
    : >cells.pgm
    bad 'line 2: no cells of id on page 1'
}

@test "what editors do to a table: a column of one's own, a byte order mark, carriage returns" {
    awk -v OFS='\t' 'NR == 1 { $0 = "\xef\xbb\xbf" $0 } { print $0, NR == 1 ? "note" : "n" NR "\r" }' before.tsv >marks.tsv
    sed -i 's/^# page=.$/# unused=0/' cells.pgm # cells are found by their picture
    check
    xdotool key 3
    wait_for says kg 2 37.1
    xdotool key q
    wait "$CHECK"
    [ "$(cut -f 10 marks.tsv | paste -sd ' ')" = 'note n2 n3 n4' ]
    cut -f 1-2,4-9 before.tsv | cmp - <(cut -f 1-2,4-9 marks.tsv)
}

@test "a field that stands in check twice is one; a NUL byte is refused before anything is lost" {
    sed -i '2s/\tid\t/\tid id:in\t/' marks.tsv
    check
    xdotool key Return key Return key Return
    wait_for says check 1 -
    xdotool key q
    wait "$CHECK"
    printf '\0' | dd of=marks.tsv bs=1 seek=80 conv=notrunc status=none
    cp marks.tsv nul.tsv
    run -1 xcheck t.form marks.tsv cells.pgm
    [ "$output" = 'xcheck: marks.tsv: a NUL byte: is this a table?' ]
    cmp marks.tsv nul.tsv
}

@test "-l never names the form or a table" {
    for file in t.form ./marks.tsv; do
        cp $file kept
        run -1 xcheck -l $file t.form marks.tsv cells.pgm
        [ "$output" = "xcheck: ${file#./}: is also the file to write to" ]
        cmp $file kept
    done
    run -2 xcheck -l new.tsv -o new.tsv t.form marks.tsv cells.pgm
    [ ! -e new.tsv ]
}

@test "a photo of a page that is there twice: both are told apart, and one row may be removed by hand" {
    sed -i '3s/^2/1/; 2,3s/\t\(id[^\t]*\)\t/\tpage:twice \1\t/' marks.tsv
    sed -i 's/^# page=2$/# page=1/' cells.pgm
    check
    xdotool key 3 # the second picture's first box
    wait_for grep -P '^1\t771\t37.1\t' marks.tsv
    xdotool key q
    wait "$CHECK"
    grep -P '^1\t117\t12.5\t' marks.tsv
    sed -i '2d; s/page:twice //' marks.tsv
    sed -i '3s/^1/2/' marks.tsv
    check
    xdotool key q
    wait "$CHECK"
}

@test "nothing in check takes no window" {
    grep -v '^[12]' before.tsv >marks.tsv
    run -0 env -u DISPLAY xcheck -o good.tsv t.form marks.tsv cells.pgm
    cmp marks.tsv good.tsv
}

@test "a table behind a symbolic link is written where it is" {
    mkdir -p here there
    grep -v '^[12]' before.tsv >there/marks.tsv
    ln -s ../there/marks.tsv here/link.tsv
    chmod 600 there/marks.tsv
    run -0 env -u DISPLAY xcheck t.form here/link.tsv cells.pgm
    [ -L here/link.tsv ]
    grep -v '^[12]' before.tsv | cmp - there/marks.tsv
}

@test "a corrected table of other pages is not written over" {
    head -n 2 marks.tsv >good.tsv
    run -1 xcheck -o good.tsv t.form marks.tsv cells.pgm
    [[ $output = "xcheck: good.tsv: it is there, and of other pages than marks.tsv"* ]]
    [ "$(wc -l <good.tsv)" = 2 ]
}
