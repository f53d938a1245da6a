#!/bin/sh
# Runs every fuzz target for FUZZ_SECONDS from a copy of its corpus; two at a time.
# Prints "ok NAME" or "not ok NAME"; what a target choked on is kept in $BUILD/fuzz.
BUILD=${BUILD:-build-fuzz} SECONDS_EACH=${FUZZ_SECONDS:-20}
here=$(dirname "$0")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

one() {
    name=$(basename "$1") corpus=$here/corpus/${1##*/fuzz_}
    mkdir -p "$work/$name"
    [ -d "$corpus" ] || corpus=
    # Leaks are checked at the end of each process; HDF5 and libtiff keep caches of their own.
    if "$1" -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
        -print_final_stats=0 -verbosity=0 -artifact_prefix="$BUILD/fuzz/$name-" \
        "$work/$name" $corpus >"$work/$name.log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        tail -n 40 "$work/$name.log"
    fi >"$work/$name.out"
}

n=0
for t in "$BUILD"/fuzz/fuzz_*; do
    case $t in *-crash-* | *-leak-* | *-oom-* | *-timeout-* | *-slow-*) continue ;; esac
    [ -x "$t" ] || continue
    one "$t" &
    n=$((n + 1))
    [ $((n % 2)) -eq 0 ] && wait
done
wait
cat "$work"/*.out
[ "$n" -gt 0 ] && ! grep -q '^not ok' "$work"/*.out
