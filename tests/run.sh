#!/bin/sh
# Runs the test programs given and prints, last, "N passed, N failed, N skipped".
# A program that dies counts as one failure.
passed=0 failed=0 skipped=0
for t in "$@"; do
    out=$(CMOCKA_MESSAGE_OUTPUT=STDOUT "$t" 2>&1); rc=$?
    p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
    f=$(printf '%s\n' "$out" | sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' | tail -n 1)
    s=$(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \] [a-zA-Z]')
    n=$(printf '%s\n' "$out" | sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' | tail -n 1)
    [ -n "$n" ] && s=$n
    [ -z "$f" ] && f=0
    [ $rc -ne 0 ] && [ "$f" -eq 0 ] && f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    echo "$(basename "$t"): $p passed, $f failed, $s skipped"
    printf '%s\n' "$out" | grep '^skip:'
    [ "$f" -ne 0 ] && printf '%s\n' "$out"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
