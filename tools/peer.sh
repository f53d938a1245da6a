#!/bin/sh
# Installs the peer that bench/compare_cellpose.py measures against: Cellpose 3.1.1.3 with the
# newest PyTorch that it runs with, in a Python environment of its own outside this repository.
#
#   sh tools/peer.sh [DIR]     DIR: $LIPOPOSE_PEER, else ~/.cache/lipopose-peer
#
# Only for comparing; nothing of lipopose needs it. Does nothing where all is there already.
# Takes about 1.5 GB of disk: PyPI's PyTorch wheel brings its CUDA libraries on x86-64. Set
# PIP_INDEX_URL, or PEER_TORCH to another version, as need be.
set -eu
dir=${1:-${LIPOPOSE_PEER:-${XDG_CACHE_HOME:-$HOME/.cache}/lipopose-peer}}
cellpose=3.1.1.3
needs="numpy<2.1 scipy opencv-python-headless tifffile imagecodecs fastremap fill-voids natsort tqdm roifile numba llvmlite mrcfile h5py"

check() {
    "$dir/bin/python" - <<'PY' 2>/dev/null
import importlib.metadata as m
import cellpose.models, cellpose.dynamics, cellpose.metrics, torch, mrcfile, tifffile, h5py
assert m.version("cellpose") == "3.1.1.3"
print("peer: " + ", ".join(f"{n} {m.version(n)}" for n in ("cellpose", "torch", "numpy", "scipy", "numba")))
PY
}

if [ -x "$dir/bin/python" ] && check; then
    echo "peer: $dir"
    exit 0
fi
python=$(command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "peer: needs root to install python3-venv: apt-get install python3-venv" >&2
            exit 3
        }
        sudo=sudo
    fi
    echo "peer: installing python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
    python=python3
fi
echo "peer: making $dir (PyTorch is large; this takes minutes)"
"$python" -m venv "$dir"
"$dir/bin/pip" install -q --disable-pip-version-check ${PEER_TORCH:-torch}
# shellcheck disable=SC2086 # a list of words
"$dir/bin/pip" install -q --disable-pip-version-check $needs
"$dir/bin/pip" install -q --disable-pip-version-check --no-deps "cellpose==$cellpose"
check || {
    echo "peer: $dir: Cellpose does not import; its error:" >&2
    "$dir/bin/python" -c 'import cellpose.models, cellpose.dynamics, cellpose.metrics, mrcfile, h5py' >&2
    exit 1
}
echo "peer: $dir"
