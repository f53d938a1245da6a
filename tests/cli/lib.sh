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

# Checksums of all files of a folder, hidden ones too, but for the records, which hold times.
sums() { (cd "$1" && find . -name .lipopose -prune -o -type f -print | LC_ALL=C sort | xargs -d '\n' md5sum); }

# no_leftovers NAME DIR...: no temporary files.
no_leftovers() {
    n=$1
    shift
    left=$(find "$@" -name '.*.tmp' 2>/dev/null | head -3)
    if [ -z "$left" ]; then ok "$n"; else bad "$n" "$left"; fi
}

# browse NAME PAGE WIDTH SCRIPT: opens PAGE in Chromium, WIDTH px wide, with the file SCRIPT
# appended. The script calls probe(KEY, VALUE), whose lines "KEY VALUE" come into $tmp/probe, and at
# last probe('end'). A frame of that width, because a window cannot be narrower than 500 px. Any
# other message on the console is a failure. $browser empty: there is none.
browser=$(command -v chromium || command -v chromium-browser || true)
browse() {
    mkdir -p "$tmp/browser"
    {
        cat "$2"
        echo "<script>const probe = (key, value = '') => console.log('probe: ' + key + ' ' + value);"
        echo "const settle = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)));</script>"
        echo "<script>(async () => {"
        cat "$4"
        echo "probe('end');})().catch(e => probe('threw', e));</script>"
    } >"$tmp/browser/page.html"
    echo "<iframe src=page.html style=\"border:0;width:$3px;height:800px\"></iframe>" >"$tmp/browser/frame.html"
    : >"$tmp/browser/log"
    HOME=$tmp/browser "$browser" --headless --no-sandbox --disable-gpu --enable-logging=stderr --remote-debugging-port=0 \
        --window-size=1400,900 "file://$tmp/browser/frame.html" >"$tmp/browser/log" 2>&1 &
    pid=$!
    tries=0
    while [ $tries -lt 300 ] && kill -0 $pid 2>/dev/null && ! grep -qE '"probe: (end|threw)' "$tmp/browser/log"; do
        sleep 0.2
        tries=$((tries + 1))
    done
    kill $pid 2>/dev/null
    wait $pid 2>/dev/null
    sed -n 's/.*CONSOLE.*"probe: \(.*\)", source: .*/\1/p' "$tmp/browser/log" >"$tmp/probe"
    check "$1: the page's script comes to its end" grep -q '^end' "$tmp/probe"
    grep CONSOLE "$tmp/browser/log" | grep -v '"probe: ' >"$tmp/console"
    check "$1: no console message" sh -c "! grep . '$tmp/console'"
}
# probed NAME LINE: the page found this.
probed() { if grep -qxF -- "$2" "$tmp/probe"; then ok "$1"; else bad "$1" "$(grep "^${2%% *}" "$tmp/probe" | head -3 | tr '\n' ' ')"; fi; }

# until_true SECONDS COMMAND...: 0 once the command succeeds.
until_true() {
    tries=$(($1 * 20))
    shift
    while [ $tries -gt 0 ]; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
        tries=$((tries - 1))
    done
    return 1
}

finish() { echo end; }
