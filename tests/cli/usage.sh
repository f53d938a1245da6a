# usage.sh - help, versions, wrong options: nothing is computed here.
. tests/cli/lib.sh

run 0 "--help" --help
run 0 "-h" -h
run 0 "help segment" help segment
check "help segment is segment's" grep -q flow_threshold "$tmp/out"
run 0 "--version" --version
check "third word of the second line is the version" sh -c "sed -n 2p '$tmp/out' | awk '{ exit \$3 !~ /^[0-9]+[.][0-9]+[.][0-9]+/ }'"
for c in segment eval merge view convert info synth; do
    run 0 "$c --help" $c --help
    check "$c --help on stdout" test -s "$tmp/out"
    check "$c --help says nothing on stderr" test ! -s "$tmp/err"
done
run 0 "segment --version" segment --version
run 0 "cellpose's call: --version last" --verbose --version
run 2 "no arguments"
run 2 "unknown command" segmnt x.png
one_line "unknown command: one line"
image "$tmp/a.png"
run 2 "an image instead of a command" "$tmp/a.png"
says "an image instead of a command: advice" "lipopose segment $tmp/a.png"
run 2 "no images" segment
one_line "no images: one line"
run 2 "unknown option" segment --diamter 30 x.png
says "unknown option: suggestion" "did you mean --diameter"
run 2 "abbreviated option" segment --diam 30 x.png
says "abbreviated option: suggestion" "did you mean --diameter"
run 2 "short option" segment -d 30 x.png
run 2 "Cellpose's --save_mpl" segment --save_mpl x.png
one_line "--save_mpl: one line"

for v in abc "" 1x nan inf 1e999 "3 0" 0x; do
    seg 2 "--diameter '$v'" --diameter "$v" "$tmp/a.png"
    one_line "--diameter '$v': one line"
done
for v in 1.5 "" x 99999999999; do seg 2 "--niter '$v'" --niter "$v" "$tmp/a.png"; done
seg 2 "value missing at the end" "$tmp/a.png" --diameter
seg 2 "value missing before an option" --savedir --quiet "$tmp/a.png"
says "value missing before an option: says which" "--savedir: needs a value"
seg 2 "value for a switch" --quiet=1 "$tmp/a.png"
seg 2 "one number of two" --norm_percentile 1
seg 2 "--precision wrong" --precision fp64 "$tmp/a.png"
seg 2 "--conv wrong" --conv both "$tmp/a.png"
says "--conv wrong: what there is" "choose own or cudnn"
seg 3 "--conv cudnn without a GPU" --backend cpu --conv cudnn "$tmp/a.png"
one_line "--conv cudnn without a GPU: one line"
seg 2 "--compat wrong" --compat cellpose4 "$tmp/a.png"
seg 2 "--backend unknown" --backend tpu "$tmp/a.png"
seg 2 "--do_3D" --do_3D "$tmp/a.png"
seg 2 "--stitch_threshold" --stitch_threshold 0.5 "$tmp/a.png"
seg 0 "--stitch_threshold 0 is off" --stitch_threshold 0 --savedir "$tmp/o" "$tmp/a.png"

# Wrong for any image: said once, not once per image.
image "$tmp/b.png"
for o in "--bsize 100" "--bsize -16" "--tile_overlap 0.9" "--niter -1" "--batch_size -1" "--diameter -5" \
    "--diameter 0" "--norm_percentile 99 1" "--norm_percentile -1 200" "--lowhigh 5 5" "--page 0" \
    "--page -1" "--threads -1" "--threads 99999" "--chan 77" "--max_size_fraction -1" \
    "--tile_norm_blocksize -3" "--no_norm --invert" "--smooth_radius -1"; do
    seg 2 "$o" $o --savedir "$tmp/o" "$tmp/a.png" "$tmp/b.png"
    n=$(grep -c . "$tmp/err")
    check "$o: one line" test "$n" -eq 1
done

# One tile where tiles of 224 would be two.
seg 0 "--bsize 0" --bsize 0 --savedir "$tmp/o" "$tmp/a.png"

# The same option in every spelling gives the same bytes.
seg 0 "--opt=value" --flow_threshold=0.3 --min_size=20 --norm_percentile=2,98 --savedir="$tmp/o1" "$tmp/a.png"
seg 0 "--opt value" --flow_threshold 0.3 --min_size 20 --norm_percentile 2 98 --savedir "$tmp/o2" "$tmp/a.png"
seg 0 "hyphens" --flow-threshold 0.3 --min-size 20 --norm-percentile 2:98 --savedir "$tmp/o3" "$tmp/a.png"
check "spellings agree" sh -c "[ \"\$(cd '$tmp/o1' && md5sum *)\" = \"\$(cd '$tmp/o2' && md5sum *)\" ] && [ \"\$(cd '$tmp/o1' && md5sum *)\" = \"\$(cd '$tmp/o3' && md5sum *)\" ]"

# Models.
run 3 "model missing" segment --model "$tmp/none.h5" "$tmp/a.png"
one_line "model missing: one line"
says "model missing: named" "$tmp/none.h5"
run 3 "model name unknown" segment --pretrained_model cyto99 "$tmp/a.png"
one_line "model name unknown: one line"
echo hello >"$tmp/text.h5"
: >"$tmp/empty.pth"
head -c 5000 "$model" >"$tmp/cut.h5"
for m in text.h5 empty.pth cut.h5 a.png; do
    run 3 "model that is none: $m" segment --model "$tmp/$m" "$tmp/b.png"
    one_line "model that is none: $m: one line"
    says "model that is none: $m: named" "$tmp/$m"
done
mkdir "$tmp/folder.h5"
run 3 "model that is a folder" segment --model "$tmp/folder.h5" "$tmp/b.png"
mkdir "$tmp/models" && cp "$model" "$tmp/models/mine.h5"
LIPOPOSE_MODELS=$tmp/models run 0 "model by name" segment --model mine --savedir "$tmp/o4" "$tmp/a.png"
run 0 "info --devices" info --devices
check "info --devices: the CPU" grep -qE '^  cpu: [0-9]+ thread' "$tmp/out"
check "info --devices: cuda, or why not" grep -qE '^  (cuda device 0: |backend cuda: )' "$tmp/out"
check "info --devices: what auto is" grep -qE '^  --backend auto is (cpu|cuda), ' "$tmp/out"
cuda=no
grep -q '^  cuda device 0: ' "$tmp/out" && cuda=yes
run 0 "info --devices --json" info --devices --json
check "info --devices --json: a list" grep -q "\"devices\":\[{\"backend\":" "$tmp/out"
if [ $cuda = yes ]; then
    skip "--backend cuda without a GPU" "there is one"
    run 3 "--gpu_device that is not there" segment --model "$model" --backend cuda --gpu_device 99 "$tmp/a.png"
    one_line "--gpu_device that is not there: one line"
else
    run 3 "--backend cuda without a GPU" segment --model "$model" --backend cuda "$tmp/a.png"
    one_line "--backend cuda: one line"
    says "--backend cuda: what to do" "use --backend cpu"
fi
run 2 "--gpu_memory below 0" segment --model "$model" --gpu_memory -1 "$tmp/a.png"
for x in -1 0,-1 0,0 0, ,1 one 0x1; do
    run 2 "--gpu_device $x" segment --model "$model" "--gpu_device=$x" "$tmp/a.png"
    one_line "--gpu_device $x: one line"
done
run 0 "--backend cpu needs no GPU" segment --model "$model" --backend cpu --gpu_device 7,9 --gpu_memory 0.001 --savedir "$tmp/o4" "$tmp/a.png"
check "no NVIDIA library is needed" sh -c "! ldd '$lp' | grep -qiE 'nvidia|cuda|libcudnn|libnv'"

# The whole command line of a Cellpose script.
mkdir "$tmp/in" && cp "$tmp/a.png" "$tmp/in"
run 0 "Cellpose's command line" --dir "$tmp/in" --pretrained_model "$model" --diameter 30. --chan 0 --chan2 0 \
    --flow_threshold 0.4 --cellprob_threshold -1 --save_tif --save_png --no_npy --savedir "$tmp/o5" --verbose --use_gpu
check "Cellpose's command line: masks" test -s "$tmp/o5/a_cp_masks.tif" -a -s "$tmp/o5/a_cp_masks.png"

# What is printed is the product of these.
for a in --version --help "info --json $tmp/a.png"; do
    "$lp" $a >/dev/full 2>"$tmp/err"
    got=$?
    check "full standard output: $a: exit code 1" test $got -eq 1
    one_line "full standard output: $a: one line"
done
run 2 "an empty name of a model" segment --model "" x.tif
one_line "an empty name of a model: one line"
finish
