# The manual says what works: each page's EXAMPLES are run as they stand, from top to bottom.
load helper
load xcommon

# Cameras and other hosts are not there: pages of programs that need them are run in camgrab.bats,
# camera.bats and classify-folder.bats, inkpipe.3's in Makefile.bats. xcheck.1 has a test of its own.
PAGES="cnn-predict.1 cnn-train.1 formprint.1 formtable.1 inkpipe-read.1 mnist2pgm.1 preproc.1 inkpipe.7 form.5
    pgm-stream.5 net.5"

# A scratch directory that looks like the tree's root.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    ln -s "$TREE/tests" "$TREE/models" "$TREE/scripts" "$TREE/man" "$TREE/examples" .
}

# bats test_tags=once
@test "the examples of every page run" {
    for page in $PAGES; do
        commands=$(examples "$page")
        [ "$commands" ] || [ "$page" = net.5 ] || [ "$page" = pgm-stream.5 ]
        while IFS= read -r command; do
            [ "$command" ] || continue
            echo "$page: $command"
            # 141: a program whose reader had enough, as before `sed 5q`; it ended quietly.
            status=0
            bash -o pipefail -c "$command" >out 2>err </dev/null || status=$?
            echo "status $status"
            cat err
            [ $status -eq 0 ] || { [ $status -eq 141 ] && [ ! -s err ]; }
        done <<<"$commands"
    done
}

# One exam as somebody hands it in, with a sum that is wrong, as a picture in scans/.
scan_exam() {
    cp examples/exam.form examples/students.tsv .
    echo '20211234 12 7 18 39' | tr ' ' '\t' >values
    mnist2pgm "$DATA/digits-images.gz" "$DATA/digits-labels.gz" >digits.pgm
    mkdir scans
    formprint -n 1 exam.form | pdftoppm -r 200 -gray | formphoto exam.form values digits.pgm >scans/1.pgm
}

# xcheck as a person uses it who goes through all cells and finds one read wrongly, here as a 1.
use_xcheck() {
    background bash -c "exec $1"
    window "inkpipe check"
    wait_for shows 8 30 80 10 "232 234 237"
    xdotool key Return key 5 key Return key Return key Return key Return key Return key Return key Return key q
    wait "${BACKGROUND[-1]}"
}

@test "the examples of xcheck(1): what was in check is looked at, and corrected cells are kept" {
    start_x
    scan_exam
    examples xcheck.1 >commands
    [ "$(wc -l <commands)" = 4 ]
    while IFS= read -r command <&4; do
        echo "$command"
        case $command in
        xcheck*) use_xcheck "$command" ;;
        *) bash -o pipefail -c "$command" </dev/null ;;
        esac
        [[ $command != *-o\ good.tsv* ]] || { cut -f 10 marks.tsv | grep total:= && [ ! -e mine.pgm ]; }
    done 4<commands
    for table in good.tsv marks.tsv; do
        [ "$(cut -f 10 $table)" = "$(printf 'check\n-')" ]
        [ "$(cut -f 3 $table)" = "$(printf 'q1\n52')" ]
    done
    [ "$(grep -a '^# label=' mine.pgm)" = '# label=5' ]
}

@test "the network in net(5) can be trained" {
    awk '/^\.Sh/ { on = /EXAMPLES/ } /^\.Ed/ { on = 0 } on && shown; /^\.Bd/ { shown = on }' \
        "$TREE/man/net.5" >residual.net
    grep -x 'add before' residual.net
    mnist2pgm -r :100 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" |
        cnn-train -n residual.net -o residual.onnx -e 1
    mnist2pgm -r :1 "$DATA/digits-images.gz" | cnn-predict -m residual.onnx
}

@test "every program and every installed script has a page" {
    for source in "$TREE"/cmd/*.c; do
        name=$(basename "$source" .c)
        [ "$name" = tool ] || [ -e "$TREE/man/$name.1" ]
    done
}
