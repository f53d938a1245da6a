"""One micrograph at many diameters: Cellpose and lipopose side by side on one machine.

    python3 bench/beside_cellpose.py --backend cuda micrograph.mrc
    python3 bench/beside_cellpose.py --backend cpu --diameters 60,90 small.mrc

Cellpose (3.1.1.3, tools/peer.sh) runs at each diameter in turn in one process, its model loaded
before; lipopose is started anew for its whole run, reading, merging and writing included. Both
run --rounds times in turn. Prints a Markdown table, then how well the masks of one diameter agree."""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("micrograph", help="MRC or TIFF")
    a.add_argument("--backend", default="cuda", choices=["cuda", "cpu"])
    a.add_argument("--precision", default="auto")
    a.add_argument("--diameters", default=",".join(map(str, range(20, 151, 5))))
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--program", default=os.path.join(HERE, "..", "build", "lipopose"))
    a.add_argument("--model", default=os.path.join(HERE, "..", "weights", "emps.h5"))
    o = a.parse_args()
    import numpy as np
    import tifffile
    import torch
    from cellpose import metrics, models

    diameters = [float(d) for d in o.diameters.split(",")]
    with tempfile.TemporaryDirectory() as tmp:
        pth = os.path.join(tmp, "model.pth")
        subprocess.run([o.program, "convert", o.model, pth], check=True, stdout=subprocess.DEVNULL)
        if o.micrograph.endswith(".mrc"):
            import mrcfile
            image = np.array(mrcfile.open(o.micrograph, permissive=True).data, np.float32)
        else:
            image = tifffile.imread(o.micrograph)
        peer = models.CellposeModel(gpu=o.backend == "cuda", pretrained_model=pth)
        wait = torch.cuda.synchronize if o.backend == "cuda" else lambda: None

        def cellpose():
            start = time.time()
            for d in diameters:
                masks = peer.eval(image, diameter=d, channels=[0, 0])[0]
            wait()
            return time.time() - start, masks

        def lipopose(out, *more):
            start = time.time()
            p = subprocess.run([o.program, "segment", "--overwrite", "--quiet", "--no_overlay", "--json", "--model", o.model, "--backend",
                                o.backend, "--precision", o.precision, "--savedir", out, *more, o.micrograph],
                               check=True, stdout=subprocess.PIPE, text=True)
            return time.time() - start, json.loads(p.stdout.splitlines()[0])

        peer.eval(image, diameter=diameters[-1], channels=[0, 0])  # warm
        times = []
        for k in range(o.rounds):
            t, masks = cellpose()
            times.append((t, lipopose(os.path.join(tmp, "many"), "--diameters", o.diameters)[0]))
        t, record = lipopose(os.path.join(tmp, "one"), "--diameter", str(diameters[-1]))
        ours = tifffile.imread(next(f for f in record["outputs"] if f.endswith("_cp_masks.tif")))
        ap = metrics.average_precision(masks.astype(np.int32), ours.astype(np.int32), [0.5, 0.75, 0.9])[0]
    print("| %s, %d x %d, %d diameters | seconds, median of %d |\n|---|---|" % (os.path.basename(o.micrograph), *image.shape, len(diameters), o.rounds))
    print("| Cellpose 3.1.1.3, PyTorch %s, %s | %.2f |" % (torch.__version__, o.backend, statistics.median(t[0] for t in times)))
    print("| lipopose, %s %s, started anew | %.2f |" % (o.backend, o.precision, statistics.median(t[1] for t in times)))
    print("| ratio, median of rounds | %.1f |" % statistics.median(t[0] / t[1] for t in times))
    print("\nMasks at %g px: AP %.4f / %.4f / %.4f at IoU 0.5 / 0.75 / 0.9 (%d and %d masks)." %
          (diameters[-1], *ap, masks.max(), ours.max()))


if __name__ == "__main__":
    main()
