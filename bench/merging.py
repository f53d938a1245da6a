"""Which way of merging, which outlines, which spacing: all against labels, beside single diameters.

    python3 bench/merging.py                 # about 40 minutes on two cores
    python3 bench/merging.py --images 5 --synth 1 --sets emps,easy

Every image is segmented at --diameters twice: as Cellpose would (flow_threshold 0.4,
cellprob_threshold 0), which gives the single diameters, and with the thresholds that many
diameters have by default. Everything else is `lipopose merge` and `lipopose eval` on these runs.
EMPS images are drawn from the training split (at least five particles, seed 1): the first 40 of
the draw are for fitting (bench/merge_fit.py), those after them are judged here. Runs are kept in
--work and not repeated. Needs Python 3 alone."""

import argparse
import csv
import datetime
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SYNTH = {  # 25 to 150 px, a 6-fold range
    "easy": ["--easy", "--density", "0.3"],
    "noisy": ["--density", "0.3", "--dose", "60", "--contrast", "2"],
}
PLAIN = ["--flow_threshold", "0.4", "--cellprob_threshold", "0"]


def call(args, quiet=True):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit("%s\n%s" % (" ".join(map(str, args)), p.stderr))
    return p.stdout


def draw(data, first, n):
    """Names of EMPS images, as many as n after the first `first` of the draw."""
    with open(os.path.join(data, "emps", "index.csv")) as f:
        names = [r["name"] for r in csv.DictReader(f) if int(r["particles"]) >= 5]
    random.Random(1).shuffle(names)
    return names[first:first + n]


def make_set(o, name):
    """Images and a folder of labels of their names."""
    base = os.path.join(o.work, name)
    labels = os.path.join(base, "labels")
    os.makedirs(labels, exist_ok=True)
    if name in SYNTH:
        call([o.program, "synth", "--quiet", "--overwrite", "--n", o.synth, "--size", "640x640", "--seed",
              o.seed, *SYNTH[name], base])
        return sorted(os.path.join(base, f) for f in os.listdir(base) if f.endswith(".mrc")), labels
    for old in os.listdir(labels):
        os.remove(os.path.join(labels, old))
    images = []
    for n in draw(o.data, 40 if name == "emps" else 0, o.images):
        os.symlink(os.path.abspath(os.path.join(o.data, "emps", "labels", n + ".png")),
                   os.path.join(labels, n + ".png"))
        images.append(os.path.join(o.data, "emps", "images", n + ".png"))
    return images, labels


def segment(o, name, images, what, diameters, more):
    out = os.path.join(o.work, name, what)
    left = [i for i in images
            if not os.path.exists(os.path.join(out, os.path.splitext(os.path.basename(i))[0] + "_lipopose.h5"))]
    if left:
        call([o.program, "segment", "--quiet", "--no_overlay", "--model", o.model, "--diameters", diameters, *more,
              "--savedir", out, *left])
    return out


def evaluate(o, labels, pred, *more):
    path = os.path.join(o.work, "eval.json")
    call([o.program, "eval", "--quiet", "--truth", labels, "--pred", pred, "--json", path, *more])
    with open(path) as f:
        return json.load(f)


def merged(o, runs, *options):
    """The runs merged again, and their evaluation."""
    out = os.path.join(o.work, "merged")
    os.makedirs(out, exist_ok=True)
    for f in os.listdir(out):
        os.remove(os.path.join(out, f))
    files = [os.path.join(runs, f) for f in sorted(os.listdir(runs)) if f.endswith("_lipopose.h5")]
    call([o.program, "merge", "--quiet", "--no_overlay", *options, "--savedir", out, *files])
    return out


def row(p):
    """precision, recall, F1, AP at .5 pooled, AP at .75 pooled, AP at .5 as the mean over images."""
    return [p["precision50"], p["recall50"], p["f1_50"], p["ap50"], p["ap75"], p["mean_ap50"]]


def masks_row(e):
    a, m = e["all_particles"], e["mean_over_images"]
    return [a["precision"][0], a["recall"][0], a["f1"][0], a["ap50"], a["ap75"], m["ap50"]]


def at(sweep, threshold):
    below = [p for p in sweep["thresholds"] if p["threshold"] <= threshold + 1e-9]
    return below[-1]


def best(sweep):
    return max(sweep["thresholds"], key=lambda p: p["ap50"])


def judge(o, name):
    images, labels = make_set(o, name)
    rows = []
    add = lambda what, r: (rows.append((what, r)),
                           print("  %-58s" % what + " ".join("-" if v is None else "%.3f" % v for v in r), flush=True))
    plain = segment(o, name, images, "plain", o.diameters, PLAIN)
    wide = segment(o, name, images, "wide", o.diameters, [])
    e = evaluate(o, labels, plain)
    print("%s: %d images, %d particles" % (name, e["n_images"], e["n_true"]), flush=True)
    named = {"small": "Cellpose, one small diameter for all", "median": "Cellpose, the median diameter for all",
             "large": "Cellpose, one large diameter for all",
             "own_median": "Cellpose, each image's true median", "best": "Cellpose, each image's best, by its labels"}
    for r in e["sweep"]["references"]:
        add(named.get(r["name"], r["name"]), row(r))
    w = evaluate(o, labels, wide)["sweep"]
    for t in (5, 8, 10, 12, 15):
        add("scale, threshold %d%s" % (t, " (default)" if t == 12 else ""), row(at(w, t)))
    b = best(w)
    add("scale, best threshold (%g)" % b["threshold"], row(b))
    p = best(e["sweep"])
    add("scale on Cellpose's masks, best threshold (%g)" % p["threshold"], row(p))
    for m in ("votes", "affinity"):
        for what, runs in (("Cellpose's masks", plain), ("more masks", wide)):
            s = evaluate(o, labels, runs, "--merge", m)["sweep"]
            add("%s on %s, threshold 0" % (m, what), row(at(s, 0)))
            b = best(s)
            add("%s on %s, best threshold (%g)" % (m, what, b["threshold"]), row(b))
    for share in (0.3, 0.7):
        add("scale, outlines of %g of the weight" % share,
            masks_row(evaluate(o, labels, merged(o, wide, "--outline", share), "--no_sweep")))
    for spacing in o.spacings.split(","):
        s = evaluate(o, labels, segment(o, name, images, "wide_" + spacing.replace(":", "_"), spacing, []))["sweep"]
        add("scale, diameters %s" % spacing, row(at(s, 12)))
    points = [(r["precision50"], r["recall50"], r["diameter"]) for r in e["sweep"]["diameters"]]
    under = sum(any(q["precision50"] is not None and q["precision50"] >= (c or 0) - 1e-12 and q["recall50"] >= r - 1e-12
                    for q in w["thresholds"]) for c, r, _ in points)
    print("  %d of %d single diameters have a threshold of scale that is at least as good in both" % (under, len(points)))
    return rows, e["n_images"], e["n_true"], "%d of %d" % (under, len(points))


def vesicles(o):
    """Counts and diameters only: the labels are boxes and circles drawn by hand."""
    base = os.path.join(o.data, "vesicles")
    out = []
    for f in sorted(os.listdir(base)):
        if not f.endswith(".mrc"):
            continue
        path = os.path.join(base, f)
        run = segment(o, "vesicles", [path], "wide", "60:320:x1.15", [])
        table = os.path.join(run, os.path.splitext(f)[0] + "_particles.csv")
        with open(table) as t:
            d = sorted(float(r["diameter_px"]) for r in csv.DictReader(t))
        out.append((f, len(d), d[len(d) // 2] if d else None))
    return out


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--program", default=os.path.join(HERE, "..", "build", "lipopose"))
    a.add_argument("--model", default=os.path.join(HERE, "..", "weights", "emps.h5"))
    a.add_argument("--data", default=os.environ.get("LIPOPOSE_DATA", os.path.join(HERE, "..", "..", "shared", "data")))
    a.add_argument("--work", default="merging_work", help="for runs, kept")
    a.add_argument("--sets", default="emps,easy,noisy,vesicles", help="also emps_fit: the images of merge_fit.py")
    a.add_argument("--images", type=int, default=40, help="EMPS images")
    a.add_argument("--synth", type=int, default=6, help="synthetic micrographs of each kind")
    a.add_argument("--seed", type=int, default=7001, help="of the synthetic ones")
    a.add_argument("--diameters", default="20:150:5")
    a.add_argument("--spacings", default="20:150:x1.2,20:150:x1.4,20:150:x2")
    a.add_argument("--results", help="also write the tables to this Markdown file")
    o = a.parse_args()
    os.makedirs(o.work, exist_ok=True)
    text = []
    for name in o.sets.split(","):
        if name == "vesicles":
            text += ["", "| vesicle micrograph (diameters 60:320:x1.15) | particles at the default threshold | median diameter, px |", "|---|---|---|"]
            for f, n, d in vesicles(o):
                print("%s: %d particles, median %s px" % (f, n, d), flush=True)
                text.append("| %s | %d | %s |" % (f, n, "-" if d is None else "%.0f" % d))
            continue
        rows, n, n_true, under = judge(o, name)
        text += ["", "| %s: %d images, %d particles | precision | recall | F1 | AP@.5 | AP@.75 | AP@.5, mean over images |" % (name, n, n_true),
                 "|---|---|---|---|---|---|---|"]
        text += ["| %s | " % what + " | ".join("-" if v is None else "%.3f" % v for v in r) + " |" for what, r in rows]
        text += ["", "Single diameters for which some threshold of scale is at least as good in precision and recall: %s." % under]
    if o.results:
        commit = call(["git", "-C", HERE, "describe", "--always", "--dirty"]).strip()
        head = ["# Merging: methods, outlines, spacing", "",
                "%s, commit %s, `python3 bench/merging.py --images %d --synth %d --seed %d --diameters %s`." %
                (datetime.date.today(), commit, o.images, o.synth, o.seed, o.diameters)]
        with open(o.results, "w") as f:
            f.write("\n".join(head + text) + "\n")


if __name__ == "__main__":
    main()
