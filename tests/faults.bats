# The programs when the system lets them down: each test is a sweep of tests/faults.py, which tells
# what is tried; here at a few places, in make faults at all of them.
# bats file_tags=once
load helper

sweep() {
    run "$TREE/tests/faults.py" "$@"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "an allocation fails: no crash, no leak, a message" { sweep memory; }
@test "open, read, write, close, fsync, rename or a new thread fails" { sweep calls; }
@test "a full disk at any byte is said, and leaves no half of a file" { sweep disk; }
@test "short reads and writes, interrupted calls and a jumping clock change nothing" { sweep pieces; }
@test "too few descriptors or too little address space: a message" { sweep space; }
@test "wherever the reader of a line of programs goes away, all end quietly" { sweep pipe; }
@test "training ended by signals and resumed gives the same model" { sweep kill; }
@test "what is written is on the disk before it has its name" { sweep order; }
@test "a hundred thousand frames take no more memory than the first tenth of them" { sweep flat; }
@test "no error and no leak under valgrind" { sweep valgrind; }
