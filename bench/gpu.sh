#!/bin/sh
# Everything that wants a GPU, in one run: tests of the kernels and of the program, compute-sanitizer,
# kernels, whole micrographs.
#
#     sh bench/gpu.sh > results.md
#
# BUILD (build): made if it is not there. PEER: a python with Cellpose 3.1.1.3 and a PyTorch for
# the GPU (tools/peer.sh), for the comparisons. SIDE (4096): of the micrograph. MANY
# (125): times 8 small ones. Markdown on standard output; the exit status is not 0 where a test or a
# check failed.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build} side=${SIDE:-4096} rc=0
lp=$build/lipopose
[ -x "$lp" ] || make -s -j"$(nproc)" BUILD="$build" all >&2 || exit 1
"$lp" info --devices | grep -q '^  cuda device 0: ' || { "$lp" info --devices >&2; exit 3; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

block() { printf '\n## %s\n\n```\n' "$1"; shift; "$@" 2>&1; s=$?; printf '```\n'; [ $s -eq 0 ] || { rc=1; echo "failed: exit status $s"; }; }

echo "# CUDA, $(date +%Y-%m-%d), commit $(git describe --always --dirty 2>/dev/null || echo unknown)"
echo
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
"$lp" info --devices
block "Tests of the kernels on the GPU" env REQUIRE_CUDA=1 make -s -j"$(nproc)" BUILD="$build" test-kernels-gpu
block "Tests of the program on the GPU" env REQUIRE_CUDA=1 CLI=cuda BUILD="$build" sh tests/run.sh

"$lp" synth --quiet --n 1 --size 300x340 --easy --density 0.3 "$tmp/small" || exit 1
small="segment --overwrite --quiet --no_overlay --backend cuda --savedir $tmp/s"
# Every block of these tests is memory of its own, so memcheck sees a byte too far. Some calls fail on
# purpose, which is no error of memory.
watched() {
    env REQUIRE_CUDA=1 compute-sanitizer --tool memcheck --report-api-errors no --error-exitcode 9 "$build/gpu/$1" >"$tmp/watched" 2>&1
    s=$?
    if [ $s -eq 0 ]; then grep 'ERROR SUMMARY' "$tmp/watched"; else cat "$tmp/watched"; fi
    return $s
}
if command -v compute-sanitizer >/dev/null; then
    for t in scan resize tile seeds seed_order relabel relabel_compat follow fill_holes unet_ends conv votes measure_cuda train_maps train_step; do
        block "compute-sanitizer memcheck, test_$t" watched test_$t
    done
    for tool in memcheck racecheck; do
        for precision in bf16 fp32; do
            block "compute-sanitizer $tool, $precision" compute-sanitizer --tool $tool --error-exitcode 9 \
                "$lp" $small --precision $precision --diameters 40,60 "$tmp/small"
        done
    done
else
    echo "compute-sanitizer is not installed"
    rc=1
fi

if make -s BUILD="$build" "$build/bench/bench_kernels_cuda" >&2; then
    block "The U-Net, layer by layer" "$build/bench/bench_kernels_cuda"
else
    echo "bench_kernels_cuda is not built"
    rc=1
fi
# How busy the convolutions keep the tensor cores and the memory. Counters may be forbidden to users.
counters() {
    ncu --section SpeedOfLight "$@" --kernel-name regex:conv --launch-count 48 \
        "$build/bench/bench_kernels_cuda" --conv own --rounds 1 2>&1 | grep -v -e '^==PROF==' -e '^ *$'
}
tensor=sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_active
if command -v ncu >/dev/null; then
    printf '\n## Tensor cores and bandwidth\n\n```\n'
    counters --metrics $tensor,dram__bytes.sum.per_second >"$tmp/ncu"
    grep -q "$tensor" "$tmp/ncu" || counters >"$tmp/ncu" # no such metric on this card
    cat "$tmp/ncu"
    printf '```\n'
else
    echo "ncu is not installed: no figures of tensor cores and bandwidth"
fi

# A training step, beside Cellpose's in the same arithmetic and in PyTorch's default.
steps() {
    "$build/bench/bench_train_step" cuda fp32 && "$build/bench/bench_train_step" cuda bf16 || return 1
    [ -z "${PEER:-}" ] || { "$PEER" bench/train_step_cellpose.py && "$PEER" bench/train_step_cellpose.py --tf32; }
}
if make -s BUILD="$build" "$build/bench/bench_train_step" >&2; then
    block "Training, 8 x 224 x 224" steps
else
    echo "bench_train_step is not built"
    rc=1
fi

# Five runs each in one process-start per run; the record has the time of every stage.
"$lp" synth --quiet --n 1 --size "${side}x$side" "$tmp/large" || exit 1
whole() {
    for i in 1 2 3 4 5; do
        "$lp" segment --overwrite --quiet --no_overlay --json --backend cuda --savedir "$tmp/l" "$@" "$tmp/large" || return 1
    done
}
block "$side x $side, diameter 30, five runs" whole --diameter 30
block "$side x $side, diameters 20:150:5, five runs" whole --diameters 20:150:5
block "$side x $side, diameters 20:150:5, 8 GiB" whole --diameters 20:150:5 --gpu_memory 8

# Many micrographs, two at a time, under a cap: all of them, and the card's memory (all processes,
# MiB, every half second) no higher at the end than at the beginning.
"$lp" synth --quiet --n 8 --size 512x512 --density 0.3 "$tmp/eight" || exit 1
for i in $(seq 1 "${MANY:-125}"); do
    for f in "$tmp"/eight/*.mrc; do ln "$f" "$tmp/many_$i"_"${f##*/}"; done
done
many() {
    ( while :; do nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -i 0; sleep 0.5; done ) >"$tmp/mib" &
    watch=$!
    "$lp" segment --no_overlay --json --backend cuda --gpu_memory 2 --threads 8 --diameters 40,80 --savedir "$tmp/m" "$tmp"/many_*.mrc >"$tmp/many.json"
    s=$?
    kill $watch
    echo "exit status $s, $(wc -l <"$tmp/many.json") records, card's memory in use, MiB:"
    awk '{ v[NR] = $1 } END { q = int(NR / 4); for (i = 3; i <= NR; i++) { if (i <= q && v[i] > a) a = v[i]; if (i > NR - q && i < NR - 1 && v[i] > b) b = v[i] }
        print "first quarter at most " a ", last quarter at most " b; exit q < 4 || b > a + 64 }' "$tmp/mib" || s=1
    grep -v '"error": *null' "$tmp/many.json" && s=1
    return $s
}
block "1000 micrographs of 512 x 512, two at a time, 2 GiB" many
if [ -n "${PEER:-}" ]; then
    block "The layers in PyTorch" "$PEER" bench/layers_pytorch.py
    block "The layers in PyTorch, compiled" "$PEER" bench/layers_pytorch.py --compile
    block "Beside Cellpose" "$PEER" bench/beside_cellpose.py --backend cuda --program "$lp" "$tmp"/large/*.mrc
fi
exit $rc
