# cuda.sh - the CUDA back end on a real GPU, against the CPU's. Without a GPU one skip; with
# REQUIRE_CUDA=1 that is a failure.
. tests/cli/lib.sh
if ! "$lp" info --devices | grep -q '^  cuda device 0: '; then
    why=$("$lp" info --devices | sed -n 's/^  backend cuda: //p')
    if [ "${REQUIRE_CUDA:-0}" = 1 ]; then bad "a GPU" "$why"; else skip "the CUDA back end on a GPU" "$why"; fi
    finish
    exit 0
fi

# agree NAME A B LIMIT50 LIMIT90: AP of B's masks against A's.
agree() {
    "$lp" eval --quiet --truth "$2" --pred "$3" --csv "$tmp/agree.csv" >"$tmp/out" 2>&1
    check "$1" awk -F, -v a="$4" -v b="$5" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
        { n++; if (!($c["ap50"] >= a && $c["ap90"] >= b && $c["n_true"] > 5)) { print; bad = 1 } }
        END { exit bad || !n }' "$tmp/agree.csv"
}

run 0 "synth" synth --quiet --easy --n 2 --size 500x700 --density 0.3 --seed 5 "$tmp/in"
model=$root/weights/emps.h5
one="--quiet --no_overlay --diameter 50"
many="--quiet --no_overlay --diameters 30:120:x1.3"
seg 0 "cpu" $one --backend cpu --precision fp32 --savedir "$tmp/cpu" --dir "$tmp/in"
seg 0 "cuda fp32" $one --backend cuda --precision fp32 --savedir "$tmp/fp32" --dir "$tmp/in"
agree "cuda fp32: the CPU's masks" "$tmp/cpu" "$tmp/fp32" 0.99 0.98
seg 0 "cuda bf16" $one --backend cuda --precision bf16 --savedir "$tmp/bf16" --dir "$tmp/in"
agree "cuda bf16: the CPU's masks" "$tmp/cpu" "$tmp/bf16" 0.97 0.9
seg 0 "cuda again" $one --backend cuda --precision bf16 --savedir "$tmp/again" --dir "$tmp/in"
check "cuda again: the same bytes" test "$(sums "$tmp/bf16")" = "$(sums "$tmp/again")"
seg 0 "one tile at a time" $one --backend cuda --precision bf16 --batch_size 1 --savedir "$tmp/batch" --dir "$tmp/in"
check "one tile at a time: the same bytes" test "$(sums "$tmp/bf16")" = "$(sums "$tmp/batch")"
seg 0 "little memory" $one --backend cuda --precision bf16 --gpu_memory 0.5 --savedir "$tmp/cap" --dir "$tmp/in"
check "little memory: the same bytes" test "$(sums "$tmp/bf16")" = "$(sums "$tmp/cap")"
"$lp" segment --model "$model" $one --backend cuda --precision bf16 --conv cudnn --savedir "$tmp/cudnn" \
    --dir "$tmp/in" >"$tmp/out" 2>"$tmp/err"
case $? in
0) agree "cuDNN's convolutions: the CPU's masks" "$tmp/cpu" "$tmp/cudnn" 0.97 0.9 ;;
3) skip "cuDNN's convolutions" "$(cat "$tmp/err")" ;; # not installed
*) bad "cuDNN's convolutions" "$(cat "$tmp/err")" ;;
esac
seg 0 "many diameters, cpu" $many --backend cpu --precision fp32 --savedir "$tmp/mcpu" --dir "$tmp/in"
seg 0 "many diameters, cuda" $many --backend cuda --precision fp32 --savedir "$tmp/mfp32" --dir "$tmp/in"
agree "many diameters: the CPU's masks" "$tmp/mcpu" "$tmp/mfp32" 0.99 0.98
for method in scale votes affinity; do
    seg 0 "$method, cuda" $many --merge $method --backend cuda --savedir "$tmp/m$method" --dir "$tmp/in"
    run 0 "$method, merged again on the CPU" merge --quiet --no_overlay --merge $method --savedir "$tmp/r$method" "$tmp/m$method"/*_lipopose.h5
    for f in "$tmp/r$method"/*_cp_masks.tif; do
        check "$method: the CPU merges to the same bytes" cmp "$f" "$tmp/m$method/${f##*/}"
    done
done
# Micrographs of several sizes, whose tiles share batches; on all GPUs, each alone, and one image at a time.
mkdir "$tmp/mix" "$tmp/alone"
for i in 1 2 3 4 5 6; do
    run 0 "synth $i" synth --quiet --easy --n 2 --size $((200 + 40 * i))x$((280 + 24 * i)) --density 0.3 --seed $i "$tmp/mix$i"
    for f in "$tmp/mix$i"/*.mrc; do mv "$f" "$tmp/mix/$i${f##*/}"; done
done
seg 0 "many at a time" $one --backend cuda --precision bf16 --savedir "$tmp/company" "$tmp/mix"
for f in "$tmp/mix"/*.mrc; do
    "$lp" segment --model "$model" $one --backend cuda --precision bf16 --savedir "$tmp/alone" "$f" >"$tmp/out" 2>&1 || cat "$tmp/out"
done
check "many at a time: the bytes of one at a time" test "$(sums "$tmp/company")" = "$(sums "$tmp/alone")"
summary=$(grep '"summary"' "$tmp/company/.lipopose"/records*.jsonl | tail -n 1)
batches=$(echo "$summary" | grep -o '"batches":[0-9]*' | awk -F: '{ n += $2 } END { print n + 0 }')
check "many at a time: $batches batches for 12 images" test "$batches" -gt 0 -a "$batches" -lt 12
gpus=$("$lp" info --devices | grep -c '^  cuda device ')
if [ "$gpus" -gt 1 ]; then
    check "all GPUs are used" test "$(echo "$summary" | grep -o '"gpu":' | wc -l)" -eq "$gpus"
    seg 0 "two GPUs" $one --backend cuda --precision bf16 --gpu_device 1,0 --savedir "$tmp/two" "$tmp/mix"
    check "two GPUs: the same bytes" test "$(sums "$tmp/company")" = "$(sums "$tmp/two")"
    seg 0 "the second GPU" $one --backend cuda --precision bf16 --gpu_device 1 --savedir "$tmp/second" "$tmp/mix"
    check "the second GPU: the same bytes" test "$(sums "$tmp/company")" = "$(sums "$tmp/second")"
else
    skip "several GPUs" "there is one"
fi
# Training: the CPU's losses, the same bytes twice, and after a stop.
run 0 "synth to learn from" synth --quiet --easy --n 3 --size 128x128 --pixel_nm 2 --format tiff "$tmp/d"
for k in 1 2 3; do mv "$tmp/d/labels/synth_000${k}_masks.tif" "$tmp/d/"; done
learn() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" train --dir "$tmp/d" --pretrained_model none --nbase 2,8,16 --bsize 32 --batch_size 4 --n_epochs 6 \
        --min_train_masks 1 --SGD 0 --nimg_per_epoch 10 --quiet --precision fp32 "$@"
}
"$lp" train --dir "$tmp/d" --pretrained_model none --nbase 2,8,16 --bsize 32 --batch_size 4 --n_epochs 1 --min_train_masks 1 \
    --backend cuda --savedir "$tmp/try" >"$tmp/out" 2>"$tmp/err"
case $? in
0)
    learn 0 "train, cpu" --backend cpu --savedir "$tmp/tc"
    learn 0 "train, cuda" --backend cuda --savedir "$tmp/t1"
    check "train: the CPU's losses" sh -c "paste -d, '$tmp/tc/lipopose_loss.csv' '$tmp/t1/lipopose_loss.csv' | awk -F, '
        NR == 1 { for (i = NF / 2; i; i--) if (\$i == \"train_loss\") c = i; h = NF / 2; next }
        { d = \$c - \$(c + h); if (d < 0) d = -d; n++; if (!(d <= 0.01 * \$c)) { print; bad = 1 } } END { exit bad || n < 6 }'"
    learn 0 "train, cuda again" --backend cuda --savedir "$tmp/t2"
    check "train: the same bytes twice" cmp "$tmp/t1/lipopose.h5" "$tmp/t2/lipopose.h5"
    learn 0 "train, cuda bf16" --backend cuda --precision bf16 --savedir "$tmp/t3"
    ;;
3) skip "training on a GPU" "$(cat "$tmp/err")" ;; # no cuDNN
*) bad "training on a GPU" "$(cat "$tmp/err")" ;;
esac
run 3 "no such device" segment --model "$model" --backend cuda --gpu_device 99 "$tmp/in"
one_line "no such device: one line"
finish
