#!/bin/sh
# From nothing to outlined particles: installs what is missing, builds, makes two synthetic
# micrographs and segments them with the bundled model. OUT: where results go (demo).
set -eu
cd "$(dirname "$0")/.."
out=${1:-demo}
sh tools/setup.sh
echo "building ..."
make -s -j"$(nproc)"
build/lipopose synth --easy --n 2 --size 1024x1024 --seed 3 --overwrite --quiet "$out/micrographs"
build/lipopose segment --diameter 50 --savedir "$out/results" "$out/micrographs"
build/lipopose eval --truth "$out/micrographs/labels" --pred "$out/results" | head -n 6
echo
echo "Look at $out/results/synth_0001_overlay.png and $out/results/synth_0001_particles.csv."
echo "Your own: build/lipopose segment --diameter 50 --savedir results FILES|FOLDERS"
