#!/bin/sh
# Runs the benchmarks that need nothing but the build (make bench). Comparison with Cellpose:
# bench/compare_cellpose.py. MODEL: the model to measure (the bundled one).
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
model=${MODEL:-weights/emps.h5}

grep -m 1 'model name' /proc/cpuinfo 2>/dev/null || true
echo "load $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown), $(nproc) threads"
for b in "$build"/bench/bench_*; do
    [ -x "$b" ] && [ -f "$b" ] || continue
    name=$(basename "$b")
    case $name in
    bench_train_step) continue ;; # for GPUs: gpu.sh; bench_train has the CPU's
    bench_masks) continue ;; # needs network output: compare_cellpose.py makes it
    bench_unet)
        echo "== $name"
        "$b" --model "$model" --precision fp32
        "$b" --model "$model" --precision fp32 --threads 1
        # bfloat16 needs AVX-512
        "$b" --model "$model" --precision bf16 || true
        ;;
    *)
        echo "== $name"
        "$b"
        ;;
    esac
done
