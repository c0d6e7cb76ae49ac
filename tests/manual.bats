# The manual says what works: each page's EXAMPLES are run as they stand, from top to bottom.
load helper

# Windows have no screen here, cameras and other hosts are not there: pages of programs that need them are
# run in xcanvas.bats, camgrab.bats, camera.bats and classify-folder.bats, inkpipe.3's in Makefile.bats.
PAGES="cnn-predict.1 cnn-train.1 inkpipe-read.1 mnist2pgm.1 preproc.1 inkpipe.7 pgm-stream.5 net.5"

# A scratch directory that looks like the tree's root.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    ln -s "$TREE/tests" "$TREE/models" "$TREE/scripts" "$TREE/man" "$TREE/examples" .
}

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
