# crossval.sh - folds trained, segmented and judged; stopped at every stage and gone on with.
. tests/cli/lib.sh
export OMP_NUM_THREADS=1

# A model that finds everything is hardly changed: labels are what it finds.
mkdir "$tmp/d"
for i in 1 2 3 4 5 6; do image "$tmp/d/m$i.png" cones 90 100 $i; done
seg 0 "truth" --quiet --diameter 30 --savedir "$tmp/s" "$tmp/d"
for i in 1 2 3 4 5 6; do cp "$tmp/s/m${i}_cp_masks.tif" "$tmp/d/m${i}_masks.tif"; done

# cv CODE NAME ARGS...
cv() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" crossval --folds 3 --pretrained_model "$model" --n_epochs 1 --learning_rate 0 --bsize 32 \
        --batch_size 1 --nimg_per_epoch 1 --min_train_masks 1 --diameters 22,26,30,34,40 "$@"
}
field() { awk -F'\t' -v k="\"$2\":" '$0 ~ k { gsub(/,$/, "", $NF); print $NF }' "$1"; }
same_files() { (cd "$1" && find . -name '*.h5' -o -name plan.json -o -name crossval.json -o -name '*.csv' | LC_ALL=C sort | xargs md5sum) >"$tmp/sums.$2"; }

run 0 "--help" crossval --help
check "--help lists --folds" grep -q -- "--folds" "$tmp/out"
check "main's help lists it" sh -c "'$lp' --help | grep -q ' crossval '"

# What cannot work is said before anything is made.
run 2 "no --dir" crossval
one_line "no --dir: one line"
for o in "--folds 1" "--folds 101" "--folds 7" "--diameters 0:1:0" "--threshold 25" "--merge best" "--n_epochs 0" "--precision fp8" \
    "--min_train_masks 1000" "--test_dir x" "--niter -5" "--bsize 17" "x.tif"; do
    cv 2 "$o" --dir "$tmp/d" $o --savedir "$tmp/bad"
    one_line "$o: one line"
done
check "wrong options: nothing is made" test ! -e "$tmp/bad"
cv 1 "a folder that is not there" --dir "$tmp/none"
cv 3 "a model that is not there" --dir "$tmp/d" --pretrained_model nosuch --savedir "$tmp/bad"
mkdir "$tmp/bare" "$tmp/wrong" "$tmp/empty" "$tmp/twice" "$tmp/twice/a" "$tmp/twice/a/b"
cp "$tmp"/d/m[123].png "$tmp/bare/"
cv 2 "no labels" --dir "$tmp/bare"
says "no labels: names one" "m1.png"
cp "$tmp"/d/m[1234].png "$tmp"/d/m[123]_masks.tif "$tmp/wrong/"
"$tool" image "$tmp/wrong/m4_masks.png" flat 80 100 1 1
cv 1 "labels of another size" --dir "$tmp/wrong"
says "labels of another size: named" "m4_masks.png"
image "$tmp/flat.png" flat
seg 0 "no particles" --quiet --savedir "$tmp/s" "$tmp/flat.png"
for i in 1 2 3; do
    cp "$tmp/d/m$i.png" "$tmp/empty/"
    cp "$tmp/s/flat_cp_masks.tif" "$tmp/empty/m${i}_masks.tif"
done
cv 2 "labels without particles" --dir "$tmp/empty"
one_line "labels without particles: one line"

cv 0 "a run" --dir "$tmp/d" --savedir "$tmp/o"
check "a run: table" grep -q "merged, threshold 12" "$tmp/out"
check "a run: says where the page is" grep -q "crossval.html" "$tmp/out"
check "a run: the images of a fold" sh -c "ls '$tmp'/o/fold_*/runs/m*_lipopose.h5 | wc -l | grep -qx 6"
check "a run: each in one fold" sh -c "ls '$tmp'/o/fold_*/runs | grep lipopose | sort | uniq -d | wc -l | grep -qx 0"
for f in 1 2 3; do check "a run: fold $f" test -s "$tmp/o/fold_$f/report.html" -a -s "$tmp/o/fold_$f/results.json" -a -s "$tmp/o/fold_$f/model_loss.csv"; done
check "a run: model" "$lp" info --check "$tmp/o/fold_2/model.h5"
check "a run: of 4 images" sh -c "'$lp' info '$tmp/o/fold_2/model.h5' | grep -q ' 4 images'"
check "a run: page without network" sh -c "! grep -iE 'https?:|<script|src=\"[^d]' '$tmp/o/crossval.html'"
check "a run: page links the folds" grep -q 'href="fold_3/report.html"' "$tmp/o/crossval.html"
# All particles of each fold, against what eval counts at the same threshold.
sum() { awk '{ s += $1 } END { print s }'; }
for f in 1 2 3; do
    "$lp" eval --quiet --truth "$tmp/d" --pred "$tmp/o/fold_$f/runs" --missing zero --no_sweep --json - 2>"$tmp/err" >"$tmp/eval.$f"
    "$lp" merge --quiet --no_overlay --savedir "$tmp/m$f" "$tmp/o/fold_$f"/runs/*.h5 || bad "merge" "fold $f"
    for x in "$tmp/m$f"/*_cp_masks.tif; do "$tool" labels "$x"; done | sum
done >"$tmp/counts"
awk '/"key":.*"merged"/ { on = 1 } on && /"n_predicted"/ { gsub(/[^0-9]/, ""); print } /"key":.*"merged_chosen"/ { on = 0 }' "$tmp/o/crossval.json" >"$tmp/predicted"
check "a run: as many particles as merge gives" cmp "$tmp/counts" "$tmp/predicted"
awk '/"key":.*"cellpose_median"/ { on = 1 } on && /"recall":/ { gsub(/[^0-9.]/, ""); print; exit }' "$tmp/o/crossval.json" >"$tmp/recall"
check "a run: a model that knows the particles finds most" awk '{ exit !($1 > 0.7) }' "$tmp/recall"

# Again: nothing is computed, the same files.
same_files "$tmp/o" a
cv 0 "again" --dir "$tmp/d" --savedir "$tmp/o"
same_files "$tmp/o" b
check "again: the same files" cmp "$tmp/sums.a" "$tmp/sums.b"
check "again: nothing is trained" sh -c "! grep -q training '$tmp/err'"
cv 0 "--json" --dir "$tmp/d" --savedir "$tmp/o" --json --quiet
check "--json: the file" cmp "$tmp/out" "$tmp/o/crossval.json"
check "--json --quiet: nothing on stderr" test ! -s "$tmp/err"
cv 0 "another threshold" --dir "$tmp/d" --savedir "$tmp/o" --threshold 3 --quiet
cv 0 "another method" --dir "$tmp/d" --savedir "$tmp/o" --merge votes
check "another method: nothing is trained" sh -c "! grep -q training '$tmp/err'"
cv 2 "other options" --dir "$tmp/d" --savedir "$tmp/o" --n_epochs 2
says "other options: says which" "n_epochs"
one_line "other options: one line"
cv 2 "other diameters" --dir "$tmp/d" --savedir "$tmp/o" --diameters 22,30
cv 2 "other folds" --dir "$tmp/d" --savedir "$tmp/o" --folds 2
cp -r "$tmp/d" "$tmp/d2"
cp "$tmp/d/m1_masks.tif" "$tmp/d2/m2_masks.tif"
cv 2 "other labels" --dir "$tmp/d2" --savedir "$tmp/o"
says "other labels: says so" "sha256"
touch "$tmp/o/fold_3/mine.txt"
cv 0 "--overwrite" --dir "$tmp/d" --savedir "$tmp/o" --overwrite --folds 2 --seed 4
check "--overwrite: the third fold is gone" test ! -e "$tmp/o/fold_3/model.h5" -a ! -e "$tmp/o/fold_3/runs"
check "--overwrite: another's file is not" test -e "$tmp/o/fold_3/mine.txt"
rm "$tmp/o/plan.json"
cv 2 "folds without a plan" --dir "$tmp/d" --savedir "$tmp/o"
says "folds without a plan: what to do" "--savedir"
cv 0 "diameters from the images" --dir "$tmp/d" --savedir "$tmp/auto" --diameters auto --folds 2

# Stopped in every stage: what is there when the signal goes out.
long() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" crossval --folds 2 --pretrained_model "$model" --n_epochs 8 --save_every 1 --learning_rate 0.001 --bsize 32 \
        --batch_size 2 --nimg_per_epoch 20 --min_train_masks 1 --diameters 22,26,30,34,40 --dir "$tmp/d" --quiet "$@"
}
long 0 "whole" --savedir "$tmp/whole"
same_files "$tmp/whole" whole
stop() { # SIGNAL CODE FILE
    name="SIG$1 at $3"
    out="$tmp/$(echo "$1$3" | tr '/*' __)"
    "$lp" crossval --folds 2 --pretrained_model "$model" --n_epochs 8 --save_every 1 --learning_rate 0.001 --bsize 32 \
        --batch_size 2 --nimg_per_epoch 20 --min_train_masks 1 --diameters 22,26,30,34,40 --dir "$tmp/d" --quiet --savedir "$out" 2>"$tmp/err" &
    pid=$!
    tries=0
    while [ $tries -lt 4000 ] && kill -0 $pid 2>/dev/null; do
        ls "$out"/$3 >/dev/null 2>&1 && break
        sleep 0.005
        tries=$((tries + 1))
    done
    kill -"$1" $pid 2>/dev/null
    wait $pid
    got=$?
    if [ $got -eq 0 ]; then
        skip "$name: stopped" "it was finished before"
        return
    fi
    if [ $got -eq "$2" ]; then ok "$name: exit code"; else bad "$name: exit code" "$got: $(head -c 300 "$tmp/err")"; fi
    [ "$1" = INT ] && no_leftovers "$name: nothing half-written" "$out"
    long 0 "$name: the same command goes on" --savedir "$out"
    same_files "$out" stopped
    check "$name: the files of a run that was not stopped" cmp "$tmp/sums.whole" "$tmp/sums.stopped"
}
stop TERM 143 plan.json
for s in "INT 130" "KILL 137"; do
    for at in fold_1/model.h5.state 'fold_1/runs/*.h5' 'fold_1/cellpose/*.h5' fold_1/results.json fold_2/model.h5.state; do
        stop $s "$at"
    done
done
(
    ulimit -f 20
    long 1 "a full disk" --savedir "$tmp/full"
    check "a full disk: named" grep -q "full" "$tmp/err"
    check "a full disk: one line" sh -c "wc -l <'$tmp/err' | grep -qx 1"
)
no_leftovers "a full disk: nothing half-written" "$tmp/full"
finish
