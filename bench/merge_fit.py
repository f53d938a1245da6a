"""Fits the model of host/merge_support.h to labels and cross-validates it by image.

    python3 bench/merge_fit.py

Uses the first 40 EMPS images of the draw of merging.py, and easy and noisy synthetic micrographs
of another seed than those judged there. Every particle that merging accepts at threshold 0 is one
case: right if its IoU with a label is at least 0.5. What the model sees is in its row of the
table: agreement, flow_error, company, touches_edge. Images weigh 1 / sqrt(cases) per case, so that one crowded
image does not decide alone. Needs numpy, tifffile and OpenCV (tools/peer.sh has them)."""

import argparse
import csv
import os

import cv2
import numpy as np
import tifffile

import merging


def cases(o, name):
    """Per image: features [n][4] (ln S, e, ln(c + .001), b) and right [n]."""
    images, labels = merging.make_set(o, name)
    runs = merging.segment(o, name, images, "wide", o.diameters, [])
    out = merging.merged(o, runs, "--threshold", "0")
    for image in images:
        stem = os.path.splitext(os.path.basename(image))[0]
        masks = tifffile.imread(os.path.join(out, stem + "_cp_masks.tif")).astype(np.int64)
        path = os.path.join(labels, stem + ".png")
        truth = (cv2.imread(path, -1) if os.path.exists(path) else
                 tifffile.imread(os.path.join(labels, stem + "_masks.tif"))).astype(np.int64)
        with open(os.path.join(out, stem + "_particles.csv")) as f:
            rows = [r for r in csv.DictReader(f) if r["flow_error"]]
        n, m = masks.max() + 1, truth.max() + 1
        both = np.bincount(masks.ravel() * m + truth.ravel(), minlength=n * m).reshape(n, m).astype(float)
        union = both.sum(1)[:, None] + both.sum(0)[None] - both
        iou = np.where(union > 0, both / np.maximum(union, 1), 0)[:, 1:].max(1, initial=0)
        x = np.array([[np.log(float(r["agreement"])), float(r["flow_error"]), np.log(float(r["company"]) + 0.001),
                       float(r["touches_edge"])]
                      for r in rows]).reshape(-1, 4)
        yield name, x, np.array([iou[int(r["id"])] >= 0.5 for r in rows], float)


def fit(images):
    """Logistic regression by Newton's method: weights of the features, then the constant."""
    x = np.concatenate([np.c_[i[1], np.ones(len(i[1]))] for i in images])
    y = np.concatenate([i[2] for i in images])
    w = np.concatenate([np.full(len(i[2]), 1 / np.sqrt(max(len(i[2]), 1))) for i in images])
    b = np.zeros(5)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ b))
        step = np.linalg.solve((x * (w * p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(4), x.T @ (w * (y - p)))
        b += step
        if np.abs(step).max() < 1e-10:
            break
    return b


def scores(images, coefficients):
    """Cross-entropy, and observed share right by predicted probability."""
    p = np.concatenate([1 / (1 + np.exp(-(i[1] @ b[:4] + b[4]))) for i, b in zip(images, coefficients)])
    y = np.concatenate([i[2] for i in images])
    bins = [(p >= k / 5) & (p < (k + 1) / 5 + (k == 4)) for k in range(5)]
    q = np.clip(p, 1e-9, 1 - 1e-9)
    return -np.mean(y * np.log(q) + (1 - y) * np.log(1 - q)), [(int(b.sum()), y[b].mean() if b.any() else np.nan) for b in bins]


def show(what, images, coefficients):
    entropy, bins = scores(images, coefficients)
    print("%-44s cross-entropy %.3f; right where p is 0-.2, .2-.4, ...: %s" %
          (what, entropy, ", ".join("%.2f of %d" % (r, n) for n, r in bins)))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = merging.HERE
    a.add_argument("--program", default=os.path.join(here, "..", "build", "lipopose"))
    a.add_argument("--model", default=os.path.join(here, "..", "weights", "emps.h5"))
    a.add_argument("--data", default=os.environ.get("LIPOPOSE_DATA", os.path.join(here, "..", "..", "shared", "data")))
    a.add_argument("--work", default="merge_fit_work", help="for runs, kept; not that of merging.py")
    a.add_argument("--images", type=int, default=40)
    a.add_argument("--synth", type=int, default=6)
    a.add_argument("--seed", type=int, default=101)
    a.add_argument("--diameters", default="20:150:5")
    o = a.parse_args()
    images = [i for name in ("emps_fit", "easy", "noisy") for i in cases(o, name)]
    kinds = sorted({i[0] for i in images})
    text = lambda b: "z = %.2f + %.2f ln S - %.2f e + %.2f ln(c + .001) + %.2f b" % (b[4], b[0], -b[1], b[2], b[3])
    print("%d images, %d cases, %d right" % (len(images), sum(len(i[2]) for i in images), sum(i[2].sum() for i in images)))
    print("all:              ", text(fit(images)))
    folds = [fit([i for k, i in enumerate(images) if k % 5 != f]) for f in range(5)]
    for f in range(5):
        print("without fold %d:   " % f, text(folds[f]))
    show("five folds of images", images, [folds[k % 5] for k in range(len(images))])
    for kind in kinds:
        b = fit([i for i in images if i[0] != kind])
        some = [i for i in images if i[0] == kind]
        print("without %-10s" % kind, text(b))
        show("  judged on it", some, [b] * len(some))
    b = np.array([0.2, -8, 1.8, 1.5, 4.2])
    show("as in host/merge_support.h", images, [b] * len(images))


if __name__ == "__main__":
    main()
