# bench.sh - that the benchmark runs and tells what it should; never how fast it is.
. tests/cli/lib.sh
export TMPDIR="$tmp/work"
mkdir "$TMPDIR"
run 0 "quick" bench --quick --only quick-small --rounds 2 --threads 2 --model "$model" --json "$tmp/b.json"
check "quick: a row" grep -qE "^quick-small +16 +240 +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+% +[0-9]+  [a-z]+ [0-9]+ %" "$tmp/out"
check "quick: says what ran" grep -q "^lipopose .*: model .*, diameter 30 px, .*cpu" "$tmp/out"
for k in format version lipopose commit date host cpu devices threads memory_gib load_before load_after model model_sha256 \
    backend precision rounds cases name images size diameter described particles images_per_s megapixels_per_s start_s \
    work_s total_s cpu_share peak_mib work_s_of_rounds summary seconds; do
    grep -q "\"$k\":" "$tmp/b.json" || bad "JSON: $k" "is missing"
done
check "JSON: no value is missing" sh -c "! grep -E ':.null' '$tmp/b.json' | grep -v commit"
check "JSON: the model" grep -q "\"model_sha256\":.\"$(sha256sum "$model" | cut -d' ' -f1)\"" "$tmp/b.json"
check "JSON: two rounds" sh -c "[ \$(grep 'work_s_of_rounds' '$tmp/b.json' | tr -cd , | wc -c) -ge 2 ]"
check "nothing is left" sh -c "! ls -A '$TMPDIR' | grep ."
run 3 "no model" bench --quick --model "$tmp/none.h5"
one_line "no model: one line"
run 2 "no such case" bench --quick --only huge --model "$model"
run 2 "images" bench "$tmp"
run 1 "no folder" bench --quick --dir "$tmp/nowhere" --model "$model"
run 2 "an option that segment refuses" bench --quick --only quick-small --backend abacus --model "$model"
says "an option that segment refuses: said" "abacus"
check "after errors: nothing is left" sh -c "! ls -A '$TMPDIR' | grep ."
env --default-signal=TERM "$lp" bench --quick --rounds 99 --model "$model" >"$tmp/out" 2>"$tmp/err" &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
check "TERM: exit code 143" test $? -eq 143
check "TERM: nothing is left" sh -c "! ls -A '$TMPDIR' | grep ."
finish
