# output.sh - where results go, what happens where they cannot, and that they are always the same.
. tests/cli/lib.sh
image "$tmp/a.png" cones 90 100 1
image "$tmp/b.png" cones 120 100 2
image "$tmp/c.tif" cones 300 280 3

# Folders.
seg 0 "savedir is made" --savedir "$tmp/new/deep/er/" "$tmp/a.png"
check "savedir is made: results" test -s "$tmp/new/deep/er/a_cp_masks.tif"
seg 1 "savedir under a file" --savedir "$tmp/a.png/x" "$tmp/b.png"
one_line "savedir under a file: one line"
seg 1 "savedir is a file" --savedir "$tmp/a.png" "$tmp/b.png"
one_line "savedir is a file: one line"
seg 2 "savedir empty" --savedir= "$tmp/b.png"
seg 1 "savedir where nobody may write" --savedir /proc/lipopose "$tmp/b.png"
one_line "savedir where nobody may write: one line"
mkdir -p "$tmp/way/a_overlay.png"
seg 1 "a folder in the way of a result" --json --savedir "$tmp/way" "$tmp/a.png" "$tmp/b.png"
check "a folder in the way: the other is done" "$tool" json 1 1 <"$tmp/out"
says "a folder in the way: said" "a_overlay.png"
no_leftovers "a folder in the way: no temporary files" "$tmp/way"
ln -s nowhere "$tmp/link_cp_masks.tif"
cp "$tmp/a.png" "$tmp/link.png"
seg 0 "a dangling link in the way is replaced" "$tmp/link.png"

# A file size limit: small results fit, large ones do not.
(ulimit -f 200; trap '' XFSZ; exec "$lp" segment --json --model "$model" --save_h5 --savedir "$tmp/lim" "$tmp/a.png" "$tmp/c.tif") >"$tmp/out" 2>"$tmp/err"
check "file size limit: exit code 1" test $? -eq 1
check "file size limit: the small image is done" "$tool" json 1 1 <"$tmp/out"
says "file size limit: one line" "c_lipopose.h5"
check "file size limit: what is there is whole" "$tool" intact "$tmp/lim"
no_leftovers "file size limit: no temporary files" "$tmp/lim"
(ulimit -f 200; exec "$lp" segment --json --model "$model" --save_h5 --savedir "$tmp/lim2" "$tmp/c.tif" "$tmp/a.png") >"$tmp/out" 2>"$tmp/err"
check "file size limit with SIGXFSZ: exit code 1" test $? -eq 1
no_leftovers "file size limit with SIGXFSZ: no temporary files" "$tmp/lim2"

# A full disk, and one that cannot be written to.
mkdir "$tmp/disk"
if mount -t tmpfs -o size=120k tmpfs "$tmp/disk" 2>/dev/null; then
    seg 1 "full disk" --json --savedir "$tmp/disk" --save_h5 --threads 1 "$tmp/a.png" "$tmp/c.tif"
    check "full disk: the small image is done" "$tool" json 1 1 <"$tmp/out"
    says "full disk: one line" "free space"
    check "full disk: what is there is whole" "$tool" intact "$tmp/disk"
    no_leftovers "full disk: no temporary files" "$tmp/disk"
    rm -f "$tmp"/disk/*
    cp "$tmp/a.png" "$tmp/disk"
    mount -o remount,ro "$tmp/disk"
    seg 1 "read-only input folder without savedir" "$tmp/disk"
    says "read-only input folder: advice" "--savedir"
    seg 0 "read-only input folder with savedir" --savedir "$tmp/ro" "$tmp/disk"
    seg 1 "read-only savedir" --savedir "$tmp/disk" "$tmp/b.png"
    one_line "read-only savedir: one line"
    umount "$tmp/disk"
else
    for n in "full disk" "read-only input folder"; do skip "$n" "may not mount a small file system"; done
fi

# Standard output.
seg 0 "plain" --savedir "$tmp/p" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif"

# Flows and cellprob are only fetched where they are saved; the table has its means of them all the same.
seg 0 "flows saved" --save_flows --save_h5 --savedir "$tmp/pf" "$tmp/a.png" "$tmp/c.tif"
check "flows saved: the same table" cmp "$tmp/p/c_particles.csv" "$tmp/pf/c_particles.csv"
seg 0 "no resample" --no_resample --savedir "$tmp/pn" "$tmp/c.tif"
seg 0 "no resample, flows saved" --no_resample --save_npy --savedir "$tmp/pm" "$tmp/c.tif"
check "no resample: the same table" cmp "$tmp/pn/c_particles.csv" "$tmp/pm/c_particles.csv"

"$lp" segment --model "$model" --json --savedir "$tmp/p1" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif" 2>"$tmp/err" | head -c 10 >/dev/null
check "closed pipe: results are complete" sh -c "sleep 0.2; cd '$tmp' && diff -r -x .lipopose p p1"
if [ -e /dev/full ]; then
    "$lp" segment --model "$model" --json --savedir "$tmp/p2" "$tmp/a.png" >/dev/full 2>"$tmp/err"
    check "records lost to a full disk: exit code 1" test $? -eq 1
    says "records lost to a full disk: said" "JSON records are missing"
fi
"$lp" segment --model "$model" --json --savedir "$tmp/p3" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif" >&- 2>&-
check "stdout and stderr closed: exit code 1" test $? -eq 1
check "stdout and stderr closed: same results" diff -r -x .lipopose "$tmp/p" "$tmp/p3"
"$lp" segment --model "$model" --savedir "$tmp/p4" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif" <&- >&- 2>&-
check "everything closed: exit code 0" test $? -eq 0
check "everything closed: same results" diff -r -x .lipopose "$tmp/p" "$tmp/p4"
seg 0 "--quiet" --quiet --savedir "$tmp/p5" "$tmp/a.png"
check "--quiet says nothing" test ! -s "$tmp/err" -a ! -s "$tmp/out"

# The same bytes, always.
all="--save_npy --save_png --save_outlines --save_txt --save_rois --save_flows --save_h5 --ids --save_geojson --save_star --save_box --save_cbox --save_topaz"
seg 0 "1 thread" $all --threads 1 --savedir "$tmp/d1" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif"
sums "$tmp/d1" >"$tmp/ref"
for t in 2 3 7; do
    seg 0 "$t threads" $all --threads $t --savedir "$tmp/d$t" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif"
    sums "$tmp/d$t" | cmp - "$tmp/ref" >"$tmp/diff" 2>&1
    check "$t threads: same bytes" test ! -s "$tmp/diff"
done
for f in a.png b.png c.tif; do "$lp" segment --quiet --model "$model" $all --savedir "$tmp/e" "$tmp/$f"; done
sums "$tmp/e" | cmp - "$tmp/ref" >"$tmp/diff" 2>&1
check "one by one: same bytes" test ! -s "$tmp/diff"
seg 0 "batches of 1" $all --batch_size 1 --savedir "$tmp/f" "$tmp/c.tif" "$tmp/b.png" "$tmp/a.png"
sums "$tmp/f" | cmp - "$tmp/ref" >"$tmp/diff" 2>&1
check "batches of 1, other order: same bytes" test ! -s "$tmp/diff"

# The environment.
(unset HOME TMPDIR; cd / && exec "$lp" segment --quiet --model "$model" $all --savedir "$tmp/g1" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif")
check "no HOME: exit code 0" test $? -eq 0
sums "$tmp/g1" | cmp - "$tmp/ref" >"$tmp/diff" 2>&1
check "no HOME: same bytes" test ! -s "$tmp/diff"
(cd "$tmp" && mkdir gone && cd gone && rmdir "$tmp/gone" && TMPDIR=/nonexistent exec "$lp" segment --quiet --model "$model" $all --savedir "$tmp/g2" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif")
check "TMPDIR missing, working folder gone: exit code 0" test $? -eq 0
sums "$tmp/g2" | cmp - "$tmp/ref" >"$tmp/diff" 2>&1
check "TMPDIR missing: same bytes" test ! -s "$tmp/diff"
run 0 "working folder: relative paths" segment --help
(cd "$tmp" && nice -n 5 "$lp" segment --quiet --model cones.h5 $all --savedir g3 a.png ./b.png c.tif)
check "nice, relative paths: exit code 0" test $? -eq 0
(cd "$tmp/g3" && find . -name '*_cp_masks.tif' -o -name '*.csv' | sort | xargs md5sum) >"$tmp/g3.sums"
(cd "$tmp/d1" && find . -name '*_cp_masks.tif' -o -name '*.csv' | sort | xargs md5sum) | cmp - "$tmp/g3.sums" >"$tmp/diff" 2>&1
check "nice, relative paths: same masks and tables" test ! -s "$tmp/diff"
l=$(locale -a 2>/dev/null | grep -i -m1 -E '^(de|fr|es|it|ru|pl|nl)_.*utf')
if [ -n "$l" ]; then
    LC_ALL=$l "$lp" segment --quiet --model "$model" $all --diameter 30.0 --savedir "$tmp/g4" "$tmp/a.png" "$tmp/b.png" "$tmp/c.tif"
    sums "$tmp/g4" | cmp - "$tmp/ref" >"$tmp/diff" 2>&1
    check "locale with a decimal comma: same bytes" test ! -s "$tmp/diff"
else
    skip "locale with a decimal comma" "none installed"
fi

# Too little memory is said, whatever gives way first.
if "$lp" --version >/dev/null 2>&1 && (ulimit -v 2000000 && "$lp" --version >/dev/null 2>&1); then
    image "$tmp/big.tif" cones 2500 2500
    # The smallest is for what a program without kernels needs, and the kernels.
    least=$((95000 + $(wc -c <"$lp") / 1024))
    for v in 700000 400000 250000 $least; do
        (ulimit -v $v; exec timeout 100 "$lp" segment --threads 2 --json --model "$model" --diameter 15 --savedir "$tmp/m" "$tmp/big.tif") >"$tmp/out" 2>"$tmp/err"
        got=$?
        case $got in
        0 | 1 | 3) ok "ulimit -v $v: no crash" ;;
        *) bad "ulimit -v $v: no crash" "exit code $got: $(head -c 300 "$tmp/err")" ;;
        esac
        [ $got -eq 0 ] || check "ulimit -v $v: said" grep -qi 'memory\|cannot allocate' "$tmp/err"
        no_leftovers "ulimit -v $v: no temporary files" "$tmp"
    done
else
    skip "ulimit -v" "the program reserves address space"
fi
finish
