#!/usr/bin/env python3
"""Many small images: Cellpose 3.1.1.3 and lipopose on the same folder, in turns, in one run.

    ~/.cache/lipopose-peer/bin/python bench/small_images.py [--n 512] [--source emps|synth] [--rounds 1]

The images are the --n crops of --side x --side pixels of EMPS micrographs with the most particles of about
that diameter, or synthetic micrographs. Prints a Markdown table: seconds from start to exit, processor seconds, images/s,
ratios, the agreement of the masks with Cellpose's (AP at IoU .5, .75 and .9; 1 means the same), for crops
the AP of each program's masks against the labels, and how the time of lipopose divides over the stages
(with one image per worker: their sum / (wall x threads) is the efficiency)."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from compare_cellpose import ROOT, agreement, child, median, read_masks, seconds, stages, table


def crops(a, folder):
    """Writes PNGs; name -> labels."""
    import cv2
    import numpy as np
    found = []
    for f in sorted((a.data / "emps" / "images").glob("*.png")):
        image = cv2.imread(str(f), 0)
        labels = cv2.imread(str(a.data / "emps" / "labels" / f.name), -1)
        for y in range(0, image.shape[0] - a.side + 1, a.side):
            for x in range(0, image.shape[1] - a.side + 1, a.side):
                part = np.s_[y:y + a.side, x:x + a.side]
                found.append((worth(labels[part], float(a.diameter)), f"{f.stem}_{y}_{x}", image[part], labels[part]))
    found.sort(key=lambda c: (-c[0], c[1]))
    for _, name, image, _ in found[:a.n]:
        cv2.imwrite(str(folder / (name + ".png")), image)
    return {name: renumbered(labels) for _, name, _, labels in found[:a.n]}


def worth(labels, diameter):
    """Particles that a run at this diameter may find: those of half to twice its size."""
    import numpy as np
    d = np.sqrt(np.bincount(labels.ravel())[1:] * 4 / np.pi)
    return int(((d > diameter / 2) & (d < diameter * 2)).sum())


def renumbered(labels):
    import numpy as np
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def synthetic(a, folder):
    child([a.program, "synth", "--n", a.n, "--size", f"{a.side}x{a.side}", "--density", 0.4, "--format", "tiff",
           "--quiet", folder])
    shutil.rmtree(folder / "labels")
    for f in folder.glob("*_truth.csv"):
        f.unlink()
    return {}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--n", type=int, default=512)
    p.add_argument("--side", type=int, default=240)
    p.add_argument("--source", choices=("emps", "synth"), default="emps")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--diameter", default="30")
    p.add_argument("--precision", default="auto")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--data", type=pathlib.Path, default=os.environ.get("LIPOPOSE_DATA", ROOT / "../shared/data"))
    p.add_argument("--pth", type=pathlib.Path, help="Cellpose checkpoint (DATA/checkpoints/cp3_emps.pth)")
    p.add_argument("--program", type=pathlib.Path, default=ROOT / "build/lipopose")
    p.add_argument("--no_peer", action="store_true", help="lipopose alone, without ratios")
    p.add_argument("--tmp", help="folder for temporary files")
    a = p.parse_args()
    a.data, a.program = pathlib.Path(a.data).resolve(), a.program.resolve()
    a.pth = (a.pth or a.data / "checkpoints/cp3_emps.pth").resolve()
    with tempfile.TemporaryDirectory(prefix="lipopose-small-", dir=a.tmp) as tmp:
        measure(a, pathlib.Path(tmp))


def measure(a, tmp):
    folder, model = tmp / "images", tmp / "model.h5"
    folder.mkdir()
    child([a.program, "convert", a.pth, model])
    truth = crops(a, folder) if a.source == "emps" else synthetic(a, folder)
    files = sorted(f for f in folder.iterdir())
    env = dict(os.environ, **{f"{k}_NUM_THREADS": str(a.threads) for k in ("OMP", "MKL", "OPENBLAS", "NUMBA")})
    env.pop("OMP_WAIT_POLICY", None)
    cellpose = [sys.executable, "-m", "cellpose", "--dir", folder, "--pretrained_model", a.pth, "--diameter",
                a.diameter, "--save_tif", "--no_npy", "--savedir"]
    segment = [a.program, "segment", "--model", model, "--diameter", a.diameter, "--precision", a.precision,
               "--threads", a.threads, "--compat", "cellpose3", "--json", "--quiet", "--dir", folder, "--savedir"]
    same_line = [a.program, "--pretrained_model", model, "--diameter", a.diameter, "--precision", a.precision,
                 "--threads", a.threads, "--compat", "cellpose3", "--json", "--quiet", "--dir", folder, "--save_tif",
                 "--no_npy", "--savedir"]
    runs = {} if a.no_peer else {"Cellpose 3.1.1.3, --save_tif": (cellpose, [])}
    runs["lipopose, Cellpose's command line"] = (same_line, [])
    runs["segment: masks, table, picture"] = (segment, [])
    runs["the same, --bsize 0"] = (segment, ["--bsize", 0])
    results = {name: [] for name in runs}
    load = os.getloadavg()[0]
    for _ in range(a.rounds):
        for k, (name, (cmd, more)) in enumerate(runs.items()):
            out = tmp / f"out{k}"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            results[name].append(child([*cmd, out, *more], env))
            print(f"  {name}: {results[name][-1]['seconds']:.1f} s, processor {results[name][-1]['cpu']:.1f} s",
                  file=sys.stderr, flush=True)
    masks = {name: [renumbered(read_masks(tmp / f"out{k}", f)) for f in files] for k, name in enumerate(runs)}
    report(a, results, masks, [truth[f.stem] for f in files] if truth else None, load)


def report(a, results, masks, truth, load):
    first = next(iter(results))
    s = {name: median([r["seconds"] for r in v]) for name, v in results.items()}
    cpu = {name: median([r["cpu"] for r in v]) for name, v in results.items()}
    three = lambda x: " ".join(f"{x[k]:.3f}" for k in ("ap50", "ap75", "ap90"))
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], text=True,
                            capture_output=True).stdout.strip()
    print(f"{a.n} images of {a.side} x {a.side} ({a.source}), diameter {a.diameter}, {a.threads} threads, "
          f"medians of {a.rounds}; load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end; {commit}\n")
    print(table(("", "seconds", "processor s", "images/s", "ratio", "ratio of processor time", "masks",
                 f"AP with {first.split(',')[0]}'s", "AP with the labels", "peak MiB"),
                [(name, f"{s[name]:.1f}", f"{cpu[name]:.1f}", f"{a.n / s[name]:.1f}", f"{s[first] / s[name]:.1f}",
                  f"{cpu[first] / cpu[name]:.1f}", str(sum(int(m.max()) for m in masks[name])),
                  three(agreement(masks[first], masks[name])),
                  three(agreement(truth, masks[name])) if truth else "", f"{v[-1]['mib']:.0f}")
                 for name, v in results.items()]))
    for name, v in results.items():
        t = stages(v[-1]["out"])
        if t:
            print(f"{name}: efficiency {sum(t.values()) / (v[-1]['seconds'] * a.threads):.2f}; per image " +
                  ", ".join(f"{k} {seconds(x / a.n)}" for k, x in sorted(t.items(), key=lambda i: -i[1]) if x))


if __name__ == "__main__":
    main()
