#!/bin/sh
# Many mixed images, some of them damaged: does the run name exactly those, does its memory stay flat,
# and what does a rerun cost that finds all done?
#
#   sh bench/many.sh [N [EVERY]]   N files (5000), every EVERYth damaged (100)
#
# MODEL: another model (a tiny net made by the tests' tool: what is looked at is all around the net).
# Exit code 1 where something is not as it should be; memory and system calls are printed.
set -u
cd "$(dirname "$0")/.." || exit 1
n=${1:-5000} every=${2:-100}
build=${BUILD:-build}
lp=$build/lipopose tool=$build/tests/tool_cli
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lipopose-many-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
kinds=$tmp/kinds in=$tmp/in out=$tmp/out
mkdir "$kinds" "$in"
model=${MODEL:-$tmp/cones.h5}
[ -n "${MODEL:-}" ] || { [ -x "$tool" ] && "$tool" model "$model"; } || { echo "run make $tool"; exit 1; }
bad=0
wrong() {
    echo "WRONG: $*"
    bad=1
}

# One of each kind, then copies.
for e in png tif mrc; do
    for s in "60 70" "97 64" "150 31"; do "$tool" image "$kinds/cones_$(echo "$s" | tr -d ' ').$e" cones $s 1 1; done
    "$tool" image "$kinds/flat.$e" flat 50 50 1 1
    "$tool" image "$kinds/one.$e" cones 1 1 1 1
done
# 27 in all: a damaged one every 20th or 100th then is another kind each time.
for e in tif mrc; do
    "$tool" image "$kinds/long.$e" cones 20 210 1 1
    "$tool" image "$kinds/nan.$e" nan 60 60 1 1
    "$tool" image "$kinds/faint.$e" faint 60 60 1 1
    "$tool" image "$kinds/stack.$e" cones 48 52 1 2
    gzip -c "$kinds/cones_6070.$e" >"$kinds/packed.$e.gz"
    bzip2 -c "$kinds/cones_6070.$e" >"$kinds/packed.$e.bz2"
done
printf 'not an image\n' >"$tmp/text"
head -c 4096 /dev/zero >"$tmp/zeros"
: >"$tmp/empty"
i=0
while [ $i -lt "$n" ]; do
    for f in "$kinds"/*; do
        [ $i -lt "$n" ] || break
        i=$((i + 1))
        name=${f##*/}
        if [ $((i % every)) -ne 0 ]; then
            cp "$f" "$in/g${i}_$name"
            continue
        fi
        name=d${i}_${name%.gz}
        name=${name%.bz2}
        case $((i / every % 4)) in
        0) head -c $(($(wc -c <"$f") * 2 / 5)) "$f" >"$in/$name" ;;
        1) cp "$tmp/text" "$in/$name" ;;
        2) cp "$tmp/zeros" "$in/$name" ;;
        3) cp "$tmp/empty" "$in/$name" ;;
        esac
    done
done
(cd "$in" && ls | sed -n 's/^\(d.*\)\.[a-z]*$/\1/p' | sort) >"$tmp/damaged"

"$lp" segment --model "$model" --savedir "$out" "$in" >"$tmp/summary" 2>"$tmp/err"
code=$?
[ $code -eq 1 ] || wrong "exit code $code: $(tail -n 1 "$tmp/err")"
(cd "$out/.lipopose" && grep -l '"status":"failed"' ./*.json | sed 's|^\./||; s|\.json$||' | sort) >"$tmp/failed"
cmp -s "$tmp/damaged" "$tmp/failed" || wrong "not exactly the damaged files failed: $(diff "$tmp/damaged" "$tmp/failed" | grep '^[<>]' | head -5 | tr '\n' ' ')"
while read -r d; do grep -q "lipopose: .*$d" "$tmp/err" || wrong "$d is not named"; done <"$tmp/damaged"
log=$(ls "$out"/.lipopose/records_*.jsonl)
peak() { sed -n "$1p" "$log" | sed 's/.*"peak_mib":\([0-9.]*\).*/\1/'; }
lines=$(grep -c '"file":' "$log")
echo "$n files, $(wc -l <"$tmp/damaged") damaged"
cat "$tmp/summary"
[ "$lines" -gt 200 ] && echo "peak memory: $(peak 200) MiB at the 200th image, $(peak "$lines") MiB at the last, the ${lines}th"

"$lp" segment --model "$model" --savedir "$out" "$in" >"$tmp/again" 2>/dev/null
grep -q "^0 images" "$tmp/again" || wrong "the rerun did some again: $(head -n 1 "$tmp/again")"
head -n 1 "$tmp/again"
if command -v strace >/dev/null; then
    strace -f -c -o "$tmp/calls" "$lp" segment --quiet --model "$model" --savedir "$out" "$in" 2>/dev/null
    calls=$(awk '$NF == "total" { print $4 }' "$tmp/calls")
    echo "rerun: $((calls / n)) system calls per file"
    sed -n 3,10p "$tmp/calls"
fi
"$lp" gather "$out" >"$tmp/gathered" 2>"$tmp/missing"
head -n 1 "$tmp/gathered"
grep -q "missing:" "$tmp/missing" && wrong "gather misses some: $(grep missing: "$tmp/missing" | head -3 | tr '\n' ' ')"
[ $bad -eq 0 ] && echo "all as it should be"
exit $bad
