# Sourced by what runs several tests: adds up their results. Needs bash.
passed=0 failed=0
tap_log=$(mktemp)
trap 'rm -f "$tap_log"' EXIT

# part NAME COMMAND...: run a command that prints TAP, show what it prints, add up its results. One
# that ends badly without a failed test, or does fewer tests than it planned, is a failure; so is a
# test that was skipped.
part() {
    local name=$1 status ok not_ok kept began=$SECONDS
    shift
    printf '\n# %s\n' "$name"
    "$@" | tee "$tap_log"
    status=${PIPESTATUS[0]}
    read -r ok not_ok kept < <(awk '
        /^1\.\.[0-9]+/ { plan += substr($1, 4); plans++ }
        /^ok / { if (/# skip/) not_ok++; else ok++ }
        /^not ok / { not_ok++ }
        END { print ok + 0, not_ok + 0, plans && plan == ok + not_ok }' "$tap_log")
    passed=$((passed + ok)) failed=$((failed + not_ok))
    echo "# $((SECONDS - began)) s"
    if ((status && !not_ok)) || ((!kept)); then
        echo "not ok - $name ended with status $status, not all of its tests done"
        failed=$((failed + 1))
    fi
}

# check NAME COMMAND...: one test, passed when the command succeeds; its output is shown when not.
check() {
    local name=$1 began=$SECONDS
    shift
    if "$@" >"$tap_log" 2>&1; then
        echo "ok - $name ($((SECONDS - began)) s)"
        passed=$((passed + 1))
    else
        echo "not ok - $name: status $?"
        sed 's/^/# /' "$tap_log"
        failed=$((failed + 1))
        return 1
    fi
}

# The last line; the status is 0 when all passed.
summary() {
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    ((passed && !failed))
}
