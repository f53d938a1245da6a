#!/bin/sh
# Installs what is missing, builds and passes all tests: with and without CUDA, warnings as
# errors, unit, golden and command-line tests, sanitizers, short fuzzing, formatting.
# Ends with "N passed, N failed, N skipped". FUZZ_SECONDS: per target (15).
set -u
cd "$(dirname "$0")/.." || exit 1
sh tools/setup.sh --tests || exit 1
jobs=$(nproc)
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# step NAME COMMAND...: one result, its output shown where it fails.
step() {
    name=$1
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "not ok $name"
        tail -n 60 "$log"
        failed=$((failed + 1))
    fi
}

# suite NAME COMMAND...: adds up the last line "N passed, N failed, N skipped".
suite() {
    name=$1
    shift
    echo "== $name"
    "$@" >"$log" 2>&1
    rc=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
    grep -vE '^(gcc|cc|clang|ar|make|rm|nvcc|/usr/local/cuda)|^[0-9]+ passed, [0-9]+ failed' "$log"
    if [ -z "$line" ]; then
        echo "not ok $name: exit status $rc"
        failed=$((failed + 1))
        return
    fi
    set -- $line
    passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
    [ $rc -ne 0 ] && [ "$3" -eq 0 ] && failed=$((failed + 1))
}

make help >/dev/null 2>&1 || { echo "not ok: make"; exit 1; }
step "build, warnings are errors" make -j"$jobs" WERROR=1
# ptxas says of every kernel and card what does not fit its registers (build/obj/kernels/*.ptxas).
no_spills() { ! grep -H 'spill stores' build/obj/kernels/*.ptxas | grep -v ' 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads'; }
if ls build/obj/kernels/*.ptxas >/dev/null 2>&1; then
    step "kernels keep to their registers" no_spills
else
    echo "skip kernels keep to their registers: built without nvcc"
    skipped=$((skipped + 1))
fi
step "build without CUDA" make -j"$jobs" WERROR=1 CUDA=0 BUILD=build/nocuda
step "build with clang" make -j"$jobs" WERROR=1 CC=clang CUDA=0 BUILD=build/clang
step "headers compile alone" make check-headers
step "format" make check-format
step "install and use the library" sh tests/install.sh
suite "tests" make -j"$jobs" test WERROR=1
suite "tests under ASan and UBSan" make -j"$jobs" asan
echo "== fuzzing, ${FUZZ_SECONDS:-15} s each"
make -j"$jobs" fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-15}" >"$log" 2>&1
rc=$?
n=$(grep -c '^ok fuzz' "$log") bad=$(grep -c '^not ok fuzz' "$log")
sed -n '/^\(not \)\{0,1\}ok fuzz/,$p' "$log"
[ $rc -ne 0 ] && [ "$bad" -eq 0 ] && { bad=1; tail -n 40 "$log"; }
passed=$((passed + n)) failed=$((failed + bad))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
