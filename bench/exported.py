#!/usr/bin/env python3
"""A model trained here, in Cellpose 3.1.1.3: does it load, and give our masks?

    sh tools/peer.sh                                   # once: installs Cellpose
    make
    python3 bench/exported.py [train options]          # LIPOPOSE_PEER: python with Cellpose, or its folder

Fine-tunes the bundled model on a few synthetic micrographs, converts it to .pth, and segments
others with both programs: lipopose with --compat cellpose3, from the .h5. Prints a Markdown table
for bench/results: particles found by each, and AP of ours against Cellpose's masks (1 = the same).
"""
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / os.environ.get("BUILD", "build") / "lipopose"
DIAMETERS = (40, 60)
IOUS = (0.5, 0.75, 0.9)
TRAIN = "--n_epochs 4 --SGD 0 --learning_rate 0.001 --min_train_masks 1 --bsize 128 --nimg_per_epoch 16".split()


def peer_python():
    p = pathlib.Path(os.environ.get("LIPOPOSE_PEER", pathlib.Path.home() / ".cache/lipopose-peer"))
    return p / "bin" / "python" if p.is_dir() else p


def run(*args):
    env = dict(os.environ, LIPOPOSE_MODELS=str(ROOT / "weights"))
    subprocess.run([str(a) for a in (PROGRAM,) + args], check=True, env=env, stdout=subprocess.DEVNULL)


def compare(pth, out):
    """In Cellpose's Python: its masks of out/judge/*.tif against ours in out/DIAMETER/."""
    import numpy as np
    import tifffile
    import torch
    from cellpose import metrics, models, version

    peer = models.CellposeModel(gpu=False, pretrained_model=str(pth))
    print(f"Cellpose {version}, PyTorch {torch.__version__}\n")
    print("| diameter | images | particles, Cellpose | particles, lipopose | " +
          " | ".join(f"AP@{t:g}" for t in IOUS) + " | foreground pixels that differ |")
    print("|---" * (5 + len(IOUS)) + "|")
    for d in DIAMETERS:
        theirs, ours = [], []
        for path in sorted((out / "judge").glob("*.tif")):
            theirs.append(peer.eval(tifffile.imread(path), diameter=d, channels=[0, 0])[0])
            ours.append(tifffile.imread(out / str(d) / f"{path.stem}_cp_masks.tif").astype(np.int32))
        ap, tp, fp, fn = metrics.average_precision(theirs, ours, threshold=list(IOUS))
        tp, fp, fn = (v.sum(0) for v in (tp, fp, fn))
        pooled = tp / np.maximum(tp + fp + fn, 1)
        differ = sum(int(((a > 0) != (b > 0)).sum()) for a, b in zip(theirs, ours))
        print(f"| {d} | {len(ours)} | {sum(len(np.unique(m)) - 1 for m in theirs)} | "
              f"{sum(len(np.unique(m)) - 1 for m in ours)} | " +
              " | ".join(f"{v:.3f}" for v in pooled) + f" | {differ} of {sum(m.size for m in ours)} |")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--compare":
        return compare(sys.argv[2], pathlib.Path(sys.argv[3]))
    train = sys.argv[1:] or TRAIN
    with tempfile.TemporaryDirectory(prefix="lipopose-exported-") as tmp:
        out = pathlib.Path(tmp)
        synth = "--size 384x384 --pixel_nm 1.2 --format tiff --quiet".split()
        run("synth", "--n", 8, *synth, "--seed", 1, out / "learn")
        run("synth", "--n", 6, *synth, "--seed", 99, out / "judge")
        run("train", "--dir", out / "learn", "--model_name_out", out / "tuned", "--quiet", *train)
        run("convert", out / "tuned.h5", out / "tuned.pth")
        for d in DIAMETERS:
            run("segment", "--quiet", "--no_overlay", "--compat", "cellpose3", "--precision", "fp32", "--diameter", d,
                "--model", out / "tuned.h5", "--savedir", out / str(d), out / "judge")
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], text=True, check=True,
                                stdout=subprocess.PIPE).stdout.strip()
        cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")),
                   platform.machine())
        print(f"commit {commit}, {cpu}, {len(os.sched_getaffinity(0))} threads; train {' '.join(train)}", flush=True)
        subprocess.run([str(peer_python()), "-W", "ignore", __file__, "--compare", str(out / "tuned.pth"), str(out)], check=True)


if __name__ == "__main__":
    main()
