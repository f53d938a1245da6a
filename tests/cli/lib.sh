# lib.sh - what the command line tests share; each script begins with `. tests/cli/lib.sh`.
#
# Scripts run from the repository's root under sh, with BUILD set, and print one line per case:
# "ok NAME", "not ok NAME: why" or "skip NAME: why"; the last line is "end", so that a script
# that dies is noticed. $tmp is a folder that vanishes with the script.
set -u
BUILD=${BUILD:-build}
lp=$PWD/$BUILD/lipopose
tool=$PWD/$BUILD/tests/tool_cli
root=$PWD
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lipopose-cli-XXXXXX") || exit 1
trap 'chmod -R u+w "$tmp" 2>/dev/null; rm -rf "$tmp"' EXIT
export OMP_NUM_THREADS=2
model=$tmp/cones.h5
"$tool" model "$model" || exit 1

ok() { echo "ok $1"; }
bad() { echo "not ok $1: $2"; }
skip() { echo "skip $1: $2"; }

# The name of the case, then a command: ok where it succeeds.
check() {
    name=$1
    shift
    if "$@" >"$tmp/check.out" 2>&1; then ok "$name"; else bad "$name" "$(head -c 300 "$tmp/check.out" | tr '\n' ' ')"; fi
}

# run CODE NAME ARGS...: lipopose ARGS must exit with CODE; its output lies in $tmp/out, $tmp/err.
run() {
    want=$1 name=$2
    shift 2
    "$lp" "$@" >"$tmp/out" 2>"$tmp/err"
    got=$?
    if [ $got -eq "$want" ]; then
        ok "$name"
    else
        bad "$name" "exit code $got, expected $want: $(head -c 300 "$tmp/err" | tr '\n' ' ')"
    fi
}

# says NAME TEXT: the last run's stderr has exactly one line with TEXT.
says() {
    n=$(grep -cF -- "$2" "$tmp/err")
    if [ "$n" -eq 1 ]; then ok "$1"; else bad "$1" "$n lines with '$2': $(head -c 300 "$tmp/err" | tr '\n' ' ')"; fi
}

# one_line NAME: the last run's stderr is exactly one line.
one_line() {
    n=$(wc -l <"$tmp/err")
    if [ "$n" -eq 1 ]; then ok "$1"; else bad "$1" "$n lines: $(head -c 300 "$tmp/err" | tr '\n' ' ')"; fi
}

# image FILE [KIND [Ly [Lx [SEED [PAGES]]]]]
image() { "$tool" image "$1" "${2:-cones}" "${3:-90}" "${4:-100}" "${5:-1}" "${6:-1}" || exit 1; }

# seg CODE NAME ARGS...: run of segment with the test's model.
seg() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" segment --model "$model" "$@"
}

# Checksums of all files of a folder, hidden ones too.
sums() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs -d '\n' md5sum); }

# no_leftovers NAME DIR...: no temporary files.
no_leftovers() {
    n=$1
    shift
    left=$(find "$@" -name '.*.tmp' 2>/dev/null | head -3)
    if [ -z "$left" ]; then ok "$n"; else bad "$n" "$left"; fi
}

finish() { echo end; }
