#!/bin/sh
# Runs the test programs given and the command line tests (cli/*.sh, where $BUILD has their
# tool) and prints, last, "N passed, N failed, N skipped". What dies counts as one failure.
# CLI=name runs only that command line test and no programs.
passed=0 failed=0 skipped=0

count() { # name passed failed skipped
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    echo "$1: $2 passed, $3 failed, $4 skipped"
}

[ -n "${CLI:-}" ] && set --
for t in "$@"; do
    out=$(CMOCKA_MESSAGE_OUTPUT=STDOUT "$t" 2>&1); rc=$?
    p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
    f=$(printf '%s\n' "$out" | sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' | tail -n 1)
    s=$(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \] [a-zA-Z]')
    n=$(printf '%s\n' "$out" | sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' | tail -n 1)
    [ -n "$n" ] && s=$n
    [ -z "$f" ] && f=0
    [ $rc -ne 0 ] && [ "$f" -eq 0 ] && f=1
    count "$(basename "$t")" "$p" "$f" "$s"
    printf '%s\n' "$out" | grep '^skip:'
    [ "$f" -ne 0 ] && printf '%s\n' "$out"
done

for t in "$(dirname "$0")"/cli/${CLI:-*}.sh; do
    [ -x "${BUILD:-build}/tests/tool_cli" ] || break
    [ "$(basename "$t")" = lib.sh ] && continue
    out=$(sh "$t" 2>&1 </dev/null)
    p=$(printf '%s\n' "$out" | grep -c '^ok ')
    f=$(printf '%s\n' "$out" | grep -c '^not ok ')
    s=$(printf '%s\n' "$out" | grep -c '^skip ')
    [ "$(printf '%s\n' "$out" | tail -n 1)" = end ] || f=$((f + 1))
    count "cli/$(basename "$t" .sh)" "$p" "$f" "$s"
    printf '%s\n' "$out" | grep '^skip '
    [ "$f" -ne 0 ] && printf '%s\n' "$out" | grep -v -e '^ok ' -e '^skip '
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
