# progress.sh - the line that says how far a run is: its totals are known from the start.
. tests/cli/lib.sh
if ! script -qec true /dev/null >/dev/null 2>&1; then
    skip "progress" "no script"
    finish
    exit 0
fi
image "$tmp/a.png" cones 300 280 1
image "$tmp/b.tif" cones 150 500 2 3
image "$tmp/c.tif" cones 90 100 3
head -c 100 "$tmp/a.png" >"$tmp/cut.png"
printf hello >"$tmp/none.tif"

# on_terminal NAME ARGS...: segment on a terminal; $tmp/totals has each pair of totals once.
on_terminal() {
    nm=$1
    shift
    script -qec "'$lp' segment --model '$model' --overwrite --threads 1 --savedir '$tmp/o' $*" /dev/null </dev/null >"$tmp/tty" 2>&1
    tr '\r' '\n' <"$tmp/tty" | sed -n 's|.* [0-9]*/\([0-9]*\) micrographs  [0-9]*/\([0-9]*\) tiles.*|\1 \2|p' | uniq >"$tmp/totals"
    tr '\r' '\n' <"$tmp/tty" | grep 'tiles' | tail -n 1 >"$tmp/last"
}
# all_done NAME: the last line has done all, and as many as were told.
all_done() { check "$1" awk '{ for (i = 1; i <= NF; i++) if ($i ~ "^[0-9]+/[0-9]+$") { split($i, n, "/"); if (n[1] != n[2]) exit 1; seen++ } } END { exit seen != 2 }' "$tmp/last"; }
for o in "--diameter 20" "--diameters 20,25,30" "--diameter 20 --augment --bsize 128" "--diameters 20:30:5 --page 1"; do
    on_terminal "$o" $o "$tmp/a.png" "$tmp/b.tif" "$tmp/c.tif"
    check "$o: one total" test "$(wc -l <"$tmp/totals")" -eq 1
    all_done "$o: all of it done"
done
on_terminal "stack" --diameter 20 "$tmp/b.tif" "$tmp/c.tif"
check "stack: its pages are counted" grep -q "^4 " "$tmp/totals"
# What cannot be done, or is not known before, does not leave the totals wrong.
on_terminal "failures" --diameter 20 "$tmp/cut.png" "$tmp/a.png" "$tmp/none.tif" "$tmp/b.tif"
all_done "failures: all of the rest done"
on_terminal "auto" --diameters auto "$tmp/a.png" "$tmp/c.tif"
all_done "auto: all of it done"
on_terminal "page that is not there" --diameter 20 --page 2 "$tmp/a.png" "$tmp/b.tif"
all_done "page that is not there: all of the rest done"
finish
