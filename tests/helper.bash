# Loaded by every *.bats: the programs under test are those of $B (default: build/ in the tree).
: "${BATS_RUN_TMPDIR:?bats 1.4 or newer is needed}" # an older one would run the tests in this tree
TREE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
B=${B:-$TREE/build}
case $B in /*) ;; *) B=$TREE/$B ;; esac
PATH=$B:$TREE/scripts:$PATH
# What draws inputs or looks at the screen is no program under test: where those are watched by sanitizers, which
# makes each start four times as long, these tools may be of a plain build.
TOOLS=${TOOLS:-$B/tool}
case $TOOLS in /*) ;; *) TOOLS=$TREE/$TOOLS ;; esac
export LC_ALL=C.UTF-8
# shellcheck disable=SC2034 # for the tests
DATA=$TREE/tests/data

# pipe 'a | b | c': run a pipeline as a user's shell would, failing when any part fails.
pipe() {
    bash -o pipefail -c "$1"
}

# background COMMAND...: start a program beside the test; it is killed when the test ends. fd 3 is
# closed in it, since bats waits for whoever holds that.
background() {
    "$@" 3>&- &
    BACKGROUND+=($!)
}

# Call from teardown() in files that use background.
kill_background() {
    for pid in "${BACKGROUND[@]}"; do
        kill "$pid" 2>/dev/null || : gone already
        wait "$pid" 2>/dev/null || : killed
    done
    BACKGROUND=()
}

# wait_for COMMAND...: until the command succeeds. A busy machine has time: only what never comes fails.
wait_for() {
    local end=$((SECONDS + 120))
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# peak COMMAND...: run it and print the most memory it had at once, in MB.
peak() {
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)' "$@"
}

# examples PAGE: the command lines in a page's EXAMPLES, in displays behind "$ " or one alone in .Dl.
examples() {
    awk '/^\.Sh/ { on = /EXAMPLES/ } on && (sub(/^\$ /, "") || sub(/^\.Dl /, ""))' "$TREE/man/$1" |
        sed 's/\\e/\\/g; s/\\-/-/g; s/\\&//g'
}
