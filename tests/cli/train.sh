# train.sh - training on synthetic micrographs with a tiny network, stopping and going on.
. tests/cli/lib.sh
export OMP_NUM_THREADS=1

# tr CODE NAME ARGS...: a run that takes a second or two.
tr_() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" train --pretrained_model none --nbase 2,8,16 --bsize 32 --batch_size 4 --n_epochs 4 \
        --min_train_masks 1 --SGD 0 --nimg_per_epoch 10 "$@"
}
run 0 "--help" train --help
check "--help lists --learning_rate" grep -q -- "--learning_rate" "$tmp/out"
check "main's help lists it" sh -c "'$lp' --help | grep -q ' train '"

"$lp" synth --easy --n 3 --size 128x128 --pixel_nm 2 --format tiff --quiet "$tmp/d" || exit 1
for k in 1 2 3; do mv "$tmp/d/labels/synth_000${k}_masks.tif" "$tmp/d/"; done

run 2 "no --dir" train
one_line "no --dir: one line"
for o in "--n_epochs 0" "--batch_size x" "--nbase 2,8" "--nbase 2,8,9x" "--learning_rate -1" "--bsize 15" \
    "--scale_range 3" "--precision fp16" "--seed -1" "here.tif"; do
    tr_ 2 "$o" --dir "$tmp/d" $o
    one_line "$o: one line"
done
tr_ 3 "no GPU" --dir "$tmp/d" --backend cuda --gpu_device 99
one_line "no GPU: one line"
tr_ 2 "a back end that is none" --dir "$tmp/d" --backend gpu
tr_ 2 "--gpu_memory -1" --dir "$tmp/d" --gpu_memory -1
tr_ 3 "a model that is not there" --dir "$tmp/d" --model nosuch
echo "a.tif,1" >"$tmp/few.csv"
printf 'a,1\nb\n' >"$tmp/bad.csv"
tr_ 2 "weights without an image" --dir "$tmp/d" --train_probs "$tmp/few.csv"
says "weights without an image: named" "synth_0001.tif"
tr_ 1 "weights that are none" --dir "$tmp/d" --train_probs "$tmp/bad.csv"
says "weights that are none: where" "bad.csv: line 2"
tr_ 1 "weights that are not there" --dir "$tmp/d" --train_probs "$tmp/none.csv"
check "weights: nothing is made" test ! -e "$tmp/d/models"
tr_ 1 "a folder that is not there" --dir "$tmp/none"
check "a folder that is not there: not made" test ! -e "$tmp/none"
tr_ 2 "a size that the network cannot take" --dir "$tmp/d" --bsize 33
mkdir "$tmp/bare" "$tmp/wrong" "$tmp/empty"
cp "$tmp/d/synth_0001.tif" "$tmp/bare/"
tr_ 2 "no labels" --dir "$tmp/bare"
says "no labels: named" "synth_0001.tif"
cp "$tmp/d/synth_0001.tif" "$tmp/wrong/"
"$tool" image "$tmp/wrong/synth_0001_masks.png" flat 100 128 1 1
tr_ 1 "labels of another size" --dir "$tmp/wrong"
says "labels of another size: named" "synth_0001_masks.png"
cp "$tmp/d/synth_0002.tif" "$tmp/empty/"
tr_ 2 "too few particles" --dir "$tmp/d" --min_train_masks 1000
says "too few particles: says how many" "1000"

tr_ 1 "labels in a folder that is not there" --dir "$tmp/d" --labels "$tmp/none"
says "labels in a folder that is not there: named" "$tmp/none"
mkdir -p "$tmp/dirty" "$tmp/f"
image "$tmp/flat.png" flat 128 128
"$lp" segment --quiet --model "$model" --no_overlay --savedir "$tmp/f" "$tmp/flat.png"
cp "$tmp/d/synth_0001.tif" "$tmp/dirty/"
cp "$tmp/f/flat_cp_masks.tif" "$tmp/dirty/synth_0001_masks.tif"
tr_ 2 "labels without particles" --dir "$tmp/dirty"
tr_ 2 "labels without particles, all wanted" --dir "$tmp/dirty" --min_train_masks 0
says "labels without particles, all wanted: named" "synth_0001.tif"
head -c 500 "$tmp/d/synth_0001_masks.tif" >"$tmp/dirty/synth_0001_masks.tif"
tr_ 1 "labels cut short" --dir "$tmp/dirty"
says "labels cut short: named" "synth_0001_masks.tif"
cp "$tmp/d/synth_0001_masks.tif" "$tmp/dirty/"
mkdir -p "$tmp/dirty/models/lipopose.h5"
tr_ 1 "a folder of the model's name" --dir "$tmp/dirty" --overwrite
says "a folder of the model's name: named" "lipopose.h5"
image "$tmp/dirty/synth_0002.tif" nan 128 128
image "$tmp/dirty/synth_0003.tif" faint 128 128 1 2
cp "$tmp/d/synth_0002_masks.tif" "$tmp/d/synth_0003_masks.tif" "$tmp/dirty/"
cp "$tmp/d/synth_0001.tif" "$tmp/dirty/alone.tif"
cp "$tmp/d/synth_0003_masks.tif" "$tmp/dirty/orphan_masks.tif"
tr_ 0 "images of many faults" --dir "$tmp/dirty" --savedir "$tmp/f" --n_epochs 1
says "images of many faults: NaN" "1 image with NaN"
says "images of many faults: faint" "1 image whose grey values"
says "images of many faults: a stack" "1 image of several pages"
says "images of many faults: without labels" "alone.tif"
says "images of many faults: without image" "orphan_masks.tif"
mkdir "$tmp/disk"
if mount -t tmpfs -o size=64k none "$tmp/disk" 2>/dev/null; then
    tr_ 1 "a small disk" --dir "$tmp/d" --savedir "$tmp/disk"
    says "a small disk: says so" "No space left"
    check "a small disk: nothing is left" sh -c "! ls -A '$tmp/disk' | grep ."
    umount "$tmp/disk"
else
    skip "a small disk" "cannot mount one"
fi

tr_ 0 "a run" --dir "$tmp/d" --model_name_out whole --test_dir "$tmp/d" --json
check "a run: model" "$lp" info --check "$tmp/d/models/whole.h5"
check "a run: one record per epoch" sh -c "grep -c '\"train_loss\"' '$tmp/out' | grep -qx 4"
check "a run: losses" sh -c "wc -l <'$tmp/d/models/whole_loss.csv' | grep -qx 5"
check "a run: picture" test -s "$tmp/d/models/whole_loss.png"
check "a run: state is gone" test ! -e "$tmp/d/models/whole.h5.state"
check "a run: says where it comes from" sh -c "'$lp' info '$tmp/d/models/whole.h5' | grep -q '3 images'"
check "a run: segments" "$lp" segment --quiet --model "$tmp/d/models/whole.h5" --diameter 20 --savedir "$tmp/o" "$tmp/d/synth_0001.tif"
check "a run: to PyTorch" "$lp" convert "$tmp/d/models/whole.h5" "$tmp/whole.pth"
run 0 "a run: to PyTorch again" convert --force "$tmp/d/models/whole.h5" "$tmp/whole.pth"
says "a run: Cellpose does not load these channels" "32,64,128,256"
tr_ 1 "again" --dir "$tmp/d" --model_name_out whole
says "again: says what to do" "--overwrite"
tr_ 0 "the same again" --dir "$tmp/d" --savedir "$tmp/m" --model_name_out again --test_dir "$tmp/d" --quiet
check "the same again: says nothing" test ! -s "$tmp/err" -a ! -s "$tmp/out"
check "the same again: same bytes" cmp "$tmp/d/models/whole.h5" "$tmp/m/again.h5"
tr_ 0 "another seed" --dir "$tmp/d" --savedir "$tmp/m" --model_name_out seed --seed 1 --quiet
check "another seed: another model" sh -c "! cmp -s '$tmp/m/again.h5' '$tmp/m/seed.h5'"
tr_ 0 "from a model" --dir "$tmp/d" --model_name_out "$tmp/m/next" --pretrained_model "$tmp/m/seed.h5" --SGD 1

# One image alone, by its weight, is not all three.
printf 'name,weight\nsynth_0001,1\nsynth_0002,0\nsynth_0003.tif,0\n' >"$tmp/one.csv"
tr_ 0 "weights" --dir "$tmp/d" --savedir "$tmp/m" --model_name_out one --train_probs "$tmp/one.csv" --quiet
check "weights: another model" sh -c "! cmp -s '$tmp/m/again.h5' '$tmp/m/one.h5'"
# What is learnt at the end changes nothing before.
tr_ 0 "--train_size" --dir "$tmp/d" --savedir "$tmp/m" --model_name_out size --train_size
says "--train_size: says how well it fits" "size model: correlation"
check "--train_size: in the model" sh -c "'$lp' info '$tmp/m/size.h5' | grep -q 'size model *yes'"
check "--train_size: its self-test" "$lp" info --check "$tmp/m/size.h5"
check "--train_size: to PyTorch" "$lp" convert "$tmp/m/size.h5" "$tmp/size.pth"
tr_ 2 "no epoch" --dir "$tmp/d" --savedir "$tmp/m" --model_name_out none --n_epochs 0
tr_ 2 "no epoch, from scratch" --dir "$tmp/d" --savedir "$tmp/m" --model_name_out none --n_epochs 0 --train_size --pretrained_model none
run 0 "--train_size alone" train --dir "$tmp/d" --savedir "$tmp/m" --model_name_out alone --pretrained_model "$tmp/d/models/whole.h5" \
    --min_train_masks 1 --n_epochs 0 --train_size
check "--train_size alone: in the model" sh -c "'$lp' info '$tmp/m/alone.h5' | grep -q 'size model *yes'"
check "--train_size alone: the network as it was" sh -c "'$lp' convert --force '$tmp/m/alone.h5' '$tmp/a.pth' && '$lp' convert --force '$tmp/d/models/whole.h5' '$tmp/b.pth' && cmp '$tmp/a.pth' '$tmp/b.pth'"
run 0 "--train_size: estimates a diameter" segment --model "$tmp/m/size.h5" --diameter 0 --savedir "$tmp/o" "$tmp/d/synth_0001.tif"
check "--train_size: says which" grep -q "estimated)" "$tmp/err"

# What segment found is no label until somebody has corrected it.
mkdir "$tmp/own"
cp "$tmp/d/synth_0001.tif" "$tmp/own/x.tif"
run 0 "own results" segment --quiet --model "$tmp/d/models/whole.h5" --diameter 20 --cellprob_threshold -6 --save_geojson "$tmp/own"
tr_ 2 "own results are no labels" --dir "$tmp/own"
says "own results are no labels: says so" "is what lipopose found itself"
cp "$tmp/d/synth_0001_masks.tif" "$tmp/own/x_cp_masks.tif"
rm "$tmp/own/x_outlines.geojson"
touch "$tmp/own/x_cp_masks.tif"
tr_ 0 "corrected results are" --dir "$tmp/own" --n_epochs 1

run 0 "a command line of cellpose" --dir "$tmp/d" --train --use_gpu --verbose --chan 0 --chan2 0 --pretrained_model None \
    --nbase 2,8,16 --bsize 32 --n_epochs 2 --min_train_masks 1 --mask_filter _masks --model_name_out cp --learning_rate 0.1
check "a command line of cellpose: model" test -s "$tmp/d/models/cp.h5"

# Stopped at a moment of its own choosing, however fast the machine is.
long() { tr_ "$@" --dir "$tmp/d" --savedir "$tmp/m" --n_epochs 30 --save_every 2 --quiet --precision $precision; }
precision=fp32
long 0 "a longer run" --model_name_out longfp32
stop() {
    "$lp" train --pretrained_model none --nbase 2,8,16 --bsize 32 --batch_size 4 --min_train_masks 1 --SGD 0 \
        --nimg_per_epoch 10 --dir "$tmp/d" --savedir "$tmp/m" --n_epochs 30 --save_every 2 --quiet --precision $precision --model_name_out "$2" 2>"$tmp/err" &
    pid=$!
    tries=0
    while [ $tries -lt 400 ] && kill -0 $pid 2>/dev/null && [ ! -e "$tmp/m/$2.h5.state" ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    kill -"$1" $pid 2>/dev/null
    wait $pid
    got=$?
    if [ $got -eq "$3" ] || [ $got -eq 0 ]; then ok "SIG$1: exit code"; else bad "SIG$1: exit code" "$got"; fi
    if [ $got -eq 0 ]; then
        skip "SIG$1: stopped" "it was finished before"
        return
    fi
    long 1 "SIG$1: not again without a word" --model_name_out "$2"
    long 2 "SIG$1: not with other options" --model_name_out "$2" --resume --learning_rate 0.1
    long 0 "SIG$1: --resume" --model_name_out "$2" --resume
    check "SIG$1: the bytes of a run that was not stopped" cmp "$tmp/m/long$precision.h5" "$tmp/m/$2.h5"
    check "SIG$1: the same curve" cmp "$tmp/m/long${precision}_loss.csv" "$tmp/m/${2}_loss.csv"
}
stop INT int 130
no_leftovers "nothing half-written" "$tmp/d" "$tmp/m"
stop KILL kill 137 # may leave a temporary
if grep -q avx512bw /proc/cpuinfo; then
    precision=bf16
    long 0 "a longer run in bf16" --model_name_out longbf16
    check "bf16: another model" sh -c "! cmp -s '$tmp/m/longfp32.h5' '$tmp/m/longbf16.h5'"
    check "bf16: the model says so" sh -c "'$lp' info '$tmp/m/longbf16.h5' | grep -q bf16"
    long 0 "bf16 again" --model_name_out again --overwrite
    check "bf16 again: same bytes" cmp "$tmp/m/longbf16.h5" "$tmp/m/again.h5"
    stop INT bfint 130
else
    precision=bf16
    long 3 "bf16 without AVX-512" --model_name_out longbf16
fi
tr_ 1 "a rate that is too high" --dir "$tmp/d" --model_name_out "$tmp/m/nan" --learning_rate 1000 --SGD 1 --n_epochs 30
says "a rate that is too high: what to do" "--learning_rate"
says "a rate that is too high: which image" "synth_000"
(
    ulimit -f 20
    tr_ 1 "a full disk" --dir "$tmp/d" --model_name_out "$tmp/f/full"
    check "a full disk: named" grep -q "full" "$tmp/err"
)
no_leftovers "a full disk: nothing half-written" "$tmp/f"
finish
