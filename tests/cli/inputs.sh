# inputs.sh - which files are taken, and what happens to those that cannot be read.
. tests/cli/lib.sh

mkdir "$tmp/empty"
seg 2 "empty folder" "$tmp/empty"
one_line "empty folder: one line"
seg 2 "empty folder with --json" --json "$tmp/empty"
check "empty folder with --json: nothing on stdout" test ! -s "$tmp/out"

# A folder that holds results is not a folder of more images.
d=$tmp/again
mkdir "$d"
image "$d/x1.png"
image "$d/x10.tif"
image "$d/x2.mrc"
: >"$d/.hidden.png"
: >"$d/notes.txt"
everything="--save_png --save_outlines --save_txt --save_rois --save_flows --save_h5 --ids"
seg 0 "folder" --json $everything "$d"
check "folder: three images" "$tool" json 3 0 <"$tmp/out"
sums "$d" >"$tmp/s1"
check "natural order" sh -c "OMP_NUM_THREADS=1 '$lp' segment --threads 1 --model '$model' --json '$d' 2>/dev/null | grep -o 'x[0-9]*\\.[a-z]*\"' | grep -v '_' | tr -d '\\n' | grep -q '^x1.png\"x2.mrc\"x10.tif\"'"
seg 0 "folder again" --json $everything "$d"
check "folder again: the same three" "$tool" json 3 0 <"$tmp/out"
sums "$d" >"$tmp/s2"
check "folder again: same bytes" cmp "$tmp/s1" "$tmp/s2"
rm "$d/.hidden.png"
check "results are intact" "$tool" intact "$d"
no_leftovers "no temporary files" "$d"

# Filters.
mkdir "$tmp/filt"
image "$tmp/filt/a_ch1.png"
image "$tmp/filt/b_ch2.png"
seg 0 "--img_filter" --json --img_filter _ch1 --savedir "$tmp/of" "$tmp/filt"
check "--img_filter: one" "$tool" json 1 0 <"$tmp/out"
seg 0 "--mask_filter" --json --mask_filter _ch1 --savedir "$tmp/of" "$tmp/filt"
check "--mask_filter: the other" grep -q b_ch2 "$tmp/out"
seg 2 "--img_filter without a match" --img_filter _ch9 --savedir "$tmp/of" "$tmp/filt"

# One level down, with and without savedir.
mkdir -p "$tmp/deep/s1" "$tmp/deep/s2/t"
image "$tmp/deep/s1/x.png"
image "$tmp/deep/s2/x.png"
image "$tmp/deep/s2/t/x.png"
image "$tmp/deep/x.png"
seg 0 "--look_one_level_down" --json --look_one_level_down --dir "$tmp/deep" --savedir "$tmp/od"
check "--look_one_level_down: three" "$tool" json 3 0 <"$tmp/out"
check "--look_one_level_down: folders are kept" test -s "$tmp/od/s1/x_cp_masks.tif" -a -s "$tmp/od/s2/x_cp_masks.tif"

# A message that happens to hold the file's name somewhere still begins with the name.
mkdir "$tmp/short"
image "$tmp/short/e.png"
mv "$tmp/short/e.png" "$tmp/short/e"
lp_dir=$PWD
cd "$tmp/short" || exit 1
seg 1 "short name" --diameter 0.001 e
cd "$lp_dir" || exit 1
says "short name: begins the message" "lipopose: e: diameter"

# The same results twice.
mkdir "$tmp/same"
image "$tmp/same/x.tif"
image "$tmp/same/x.png"
seg 2 "same stem twice" "$tmp/same"
one_line "same stem twice: one line"
says "same stem twice: says both" "x.tif"
mkdir "$tmp/one" "$tmp/two"
image "$tmp/one/x.png"
image "$tmp/two/x.png"
seg 2 "same stem in two folders, one savedir" --savedir "$tmp/o2" "$tmp/one" "$tmp/two"
seg 0 "same stem in two folders, beside" --json "$tmp/one" "$tmp/two"
check "same stem in two folders: two" "$tool" json 2 0 <"$tmp/out"
seg 0 "same file in many spellings" --json "$tmp/one/x.png" "$tmp/one/../one/x.png" "$tmp/one/x.png" --image_path "$tmp/one//x.png"
check "same file in many spellings: once" "$tool" json 1 0 <"$tmp/out"

# Names.
n=$tmp/names
mkdir "$n"
image "$n/plain.png"
i=0
for f in "two words.png" "quo'te\".png" "\$HOME \`x\`.png" "größe µm 粒子.png" "a
b.png" "tab	bell.png" "-dash.png" "--json.png" "100%d%s.png" ".." "x.tar.png" "UPPER.PNG" "$(printf 'latin1_\344.png')"; do
    [ "$f" = .. ] || cp "$n/plain.png" "$n/$f"
done
seg 0 "odd names in a folder" --json --savedir "$tmp/on" "$n"
check "odd names in a folder: JSON" "$tool" json 13 0 <"$tmp/out"
check "odd names in a folder: results" test -s "$tmp/on/two words_cp_masks.tif" -a -s "$tmp/on/größe µm 粒子_particles.csv" -a -s "$tmp/on/a
b_overlay.png" -a -s "$tmp/on/-dash_cp_masks.tif" -a -s "$tmp/on/UPPER_cp_masks.tif"
check "odd names in a folder: one line each" sh -c "[ \$(wc -l <'$tmp/err') -eq 16 ]"
(cd "$n" && "$lp" segment --model "$model" --json --savedir "$tmp/on2" -- -dash.png --json.png) >"$tmp/out" 2>"$tmp/err"
check "names with leading dashes after --" "$tool" json 2 0 <"$tmp/out"
(cd "$n" && "$lp" segment --model "$model" --json -- -dash.png) >"$tmp/out" 2>"$tmp/err"
check "leading dash, results beside" test -s "$n/-dash_cp_masks.tif"
long=$tmp/$(printf '%0200d' 7)
mkdir "$long"
image "$long/x.png"
seg 0 "long folder name" "$long/x.png"
cp "$tmp/names/plain.png" "$tmp/$(printf '%0250d' 7).png"
seg 1 "name too long for results" "$tmp/$(printf '%0250d' 7).png"
check "name too long: one message" sh -c "[ \$(grep -c 'cannot write' '$tmp/err') -eq 1 ]"

# Broken files among good ones.
b=$tmp/broken
mkdir "$b"
image "$b/good1.png"
image "$b/good2.tif"
image "$b/good3.mrc"
: >"$b/empty.tif"
: >"$b/empty.png"
: >"$b/empty.mrc"
head -c 100 /dev/zero >"$b/zero.tif"
head -c 2000 /dev/zero >"$b/zero.mrc"
head -c 300 "$b/good1.png" >"$b/cut.png"
head -c 9000 "$b/good2.tif" >"$b/cut.tif"
head -c 9000 "$b/good3.mrc" >"$b/cut.mrc"
echo "this is text" >"$b/text.png"
printf '\377\330\377\340jpeg' >"$b/jpeg.tif"
printf 'x' | gzip >"$b/one.mrc.gz"
gzip -c "$b/good3.mrc" | head -c 600 >"$b/cutgz.mrc.gz"
bad="empty.tif empty.png empty.mrc zero.tif zero.mrc cut.png cut.tif cut.mrc text.png jpeg.tif one.mrc.gz cutgz.mrc.gz"
# stems must differ
i=0
for f in $bad; do
    i=$((i + 1))
    mv "$b/$f" "$b/bad${i}_$f"
done
seg 1 "broken files among good ones" --json --savedir "$tmp/ob" "$b" "$tmp/none.png"
check "broken files: JSON" "$tool" json 3 13 <"$tmp/out"
for g in good1 good2 good3; do check "broken files: $g is done" test -s "$tmp/ob/${g}_cp_masks.tif"; done
i=0
for f in $bad; do
    i=$((i + 1))
    says "broken files: $f is named once" "$b/bad${i}_$f"
done
says "missing file is named once" "$tmp/none.png"
check "broken files: no results for them" sh -c "! ls '$tmp/ob' | grep bad"
no_leftovers "broken files: no temporary files" "$tmp/ob" "$b"
seg 1 "only a missing file" "$tmp/none.png"
says "only a missing file: named" "$tmp/none.png"
if [ "$(id -u)" -ne 0 ]; then
    chmod 000 "$b/good1.png"
    seg 1 "unreadable file" --savedir "$tmp/ob" "$b/good1.png"
else
    skip "unreadable file" "root reads everything"
fi
seg 1 "a fifo is not read" "$tmp/fifo.png"
mkfifo "$tmp/fifo.png"
timeout 20 "$lp" segment --model "$model" "$tmp/fifo.png" >"$tmp/out" 2>"$tmp/err"
check "a fifo does not hang" test $? -eq 1

# Stacks.
image "$tmp/stack.tif" cones 90 100 1 3
image "$tmp/stack2.mrc" cones 90 100 1 2
seg 0 "stacks" --json --savedir "$tmp/os" "$tmp/stack.tif" "$tmp/stack2.mrc"
check "stacks: five records" "$tool" json 5 0 <"$tmp/out"
check "stacks: names" test -s "$tmp/os/stack_p0001_cp_masks.tif" -a -s "$tmp/os/stack_p0003_particles.csv" -a -s "$tmp/os/stack2_p0002_overlay.png"
check "stacks: no more" sh -c "[ \$(ls '$tmp/os' | wc -l) -eq 15 ]"
seg 0 "--page 2" --json --page 2 --savedir "$tmp/os2" "$tmp/stack.tif"
check "--page 2: one record" "$tool" json 1 0 <"$tmp/out"
check "--page 2: the same as in the whole stack" cmp "$tmp/os/stack_p0002_cp_masks.tif" "$tmp/os2/stack_p0002_cp_masks.tif"
seg 1 "--page out of range" --json --page 3 --savedir "$tmp/os2" "$tmp/stack.tif" "$tmp/stack2.mrc"
check "--page out of range: the other is done" "$tool" json 1 1 <"$tmp/out"
says "--page out of range: named" "stack2.mrc"
gzip -k "$tmp/stack2.mrc"
bzip2 -k "$tmp/stack2.mrc" 2>/dev/null || cp "$tmp/stack2.mrc.gz" "$tmp/stack2.mrc.bz2"
seg 0 "gzip" --savedir "$tmp/og" "$tmp/stack2.mrc.gz"
check "gzip: same results" cmp "$tmp/os/stack2_p0002_cp_masks.tif" "$tmp/og/stack2_p0002_cp_masks.tif"
seg 0 "bzip2" --savedir "$tmp/og2" "$tmp/stack2.mrc.bz2"
check "bzip2: same results" cmp "$tmp/os/stack2_p0002_particles.csv" "$tmp/og2/stack2_p0002_particles.csv"

# Pixels.
image "$tmp/nan.tif" nan
seg 0 "NaN pixels" --savedir "$tmp/op" "$tmp/nan.tif"
says "NaN pixels: reported" "NaN or infinite"
image "$tmp/faint.tif" faint
seg 0 "tiny range" --json --savedir "$tmp/op" "$tmp/faint.tif"
says "tiny range: reported" "faint.tif: grey values span"
check "tiny range: no particles" grep -q '"particles":0' "$tmp/out"
for s in "1 1" "1 7" "7 1" "3 1000" "2 2" "16 16"; do
    set -- $s
    image "$tmp/s$1x$2.tif" cones $1 $2
    seg 0 "$1 x $2 pixels" --json $everything --savedir "$tmp/osz" "$tmp/s$1x$2.tif"
    check "$1 x $2 pixels: JSON" "$tool" json 1 0 <"$tmp/out"
done
image "$tmp/flat.tif" flat
seg 0 "constant image" --json $everything --savedir "$tmp/osz" "$tmp/flat.tif"
check "constant image: zero particles" grep -q '"particles":0' "$tmp/out"
for e in cp_masks.tif cp_masks.png particles.csv overlay.png outlines_cp_masks.png cp_outlines.txt rois.zip flows_cp_masks.tif dP_cp_masks.tif lipopose.h5; do
    check "zero particles: flat_$e is written" test -e "$tmp/osz/flat_$e"
done
check "odd sizes: results are intact" "$tool" intact "$tmp/osz"
finish
