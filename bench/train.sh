#!/bin/sh
# Does fine-tuning help on images that took no part? Twenty synthetic micrographs to learn from,
# twenty others to judge by; prints a table for bench/results. train.sh [OUTDIR [train options]]
set -eu
cd "$(dirname "$0")/.."
lp=$PWD/${BUILD:-build}/lipopose
out=${1:-$(mktemp -d)}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- --n_epochs 16 --SGD 0 --learning_rate 0.001 --min_train_masks 1
synth="--n 20 --size 512x512 --pixel_nm 1.2 --format tiff --quiet --overwrite"
diameter=50
export LIPOPOSE_MODELS="$PWD/weights"

"$lp" synth $synth --seed 1 "$out/learn"
"$lp" synth $synth --seed 99 "$out/judge"
began=$(date +%s)
"$lp" train --dir "$out/learn" --savedir "$out" --model_name_out tuned --overwrite "$@"
took=$(($(date +%s) - began))

row() { # name model
    "$lp" segment --overwrite --quiet --no_overlay --model "$2" --diameter $diameter --savedir "$out/$1" "$out/judge"
    "$lp" eval --truth "$out/judge/labels" --pred "$out/$1" >"$out/$1.txt"
    awk -v name="$1" '/^all particles/ { on = 1 }
        on && /IoU 0.50 / { p = $3; r = $4; f = $5; a = $6 }
        on && /IoU 0.75 / { printf "| %s | %s | %s | %s | %s | %s |\n", name, p, r, f, a, $6; exit }' "$out/$1.txt"
}
echo "commit $(git rev-parse --short HEAD), $(grep -m 1 'model name' /proc/cpuinfo | cut -d: -f2), $(nproc) threads, load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "train $*: $took s; synth $synth, seeds 1 and 99; segment --diameter $diameter"
echo
echo "| model | precision | recall | F1 | AP@.5 | AP@.75 |"
echo "|---|---|---|---|---|---|"
row before emps
row after "$out/tuned.h5"
