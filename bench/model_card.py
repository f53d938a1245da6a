"""What a model does on images that it never saw: the numbers of weights/README.md.

    sh weights/lnp.recipe EMPS OUT           # makes OUT/held, and trains
    python3 bench/model_card.py --held OUT/held --model weights/lnp.h5 --model weights/emps.h5

Sets: EMPS images held out by the recipe; two vesicle micrographs with labels by hand (ellipses and
discs: for counts and diameters, so IoU 0.5 only); synthetic micrographs of seeds of their own.
Every micrograph is segmented with --diameters auto and defaults; runs are kept in --work and not
repeated. Needs Python 3 alone."""

import argparse
import datetime
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SYNTH = {
    "synthetic, easy": ["--easy", "--density", "0.3"],
    "synthetic, noisy": ["--density", "0.3", "--dose", "60", "--contrast", "2"],
    "synthetic, defaults": [],
}


def call(args):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit("%s\n%s" % (" ".join(map(str, args)), p.stderr))
    return p.stdout


def links(o, name, files):
    """A folder of links to these files and no others."""
    d = os.path.join(o.work, name)
    os.makedirs(d, exist_ok=True)
    for old in os.listdir(d):
        os.remove(os.path.join(d, old))
    for f in files:
        os.symlink(os.path.realpath(f), os.path.join(d, os.path.basename(f)))
    return d


def sets(o):
    """Name, images, folder of labels."""
    held = [f[:-4] for f in sorted(os.listdir(os.path.join(o.held, "images")))][:o.images]
    yield ("EMPS, held out", [os.path.join(o.held, "images", f + ".png") for f in held],
           links(o, "held_labels", [os.path.join(o.held, "labels", f + "_masks.png") for f in held]))
    base = os.path.join(o.data, "vesicles")
    labels = links(o, "vesicle_labels", [os.path.join(base, f) for f in os.listdir(base) if f.endswith("_labels.png")])
    yield "vesicles", [os.path.join(base, f) for f in sorted(os.listdir(base)) if f.endswith(".mrc")], labels
    for name, options in SYNTH.items():
        d = os.path.join(o.work, name.replace(", ", "_"))
        if not os.path.isdir(d):
            call([o.program, "synth", "--quiet", "--n", o.synth, "--size", "640x640", "--seed", 90001, *options, d])
        yield name, sorted(os.path.join(d, f) for f in os.listdir(d) if f.endswith(".mrc")), os.path.join(d, "labels")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--program", default=os.path.join(HERE, "..", "build", "lipopose"))
    a.add_argument("--model", action="append", required=True)
    a.add_argument("--held", required=True, help="images/ and labels/ that the recipe held out")
    a.add_argument("--data", default=os.environ.get("LIPOPOSE_DATA", os.path.join(HERE, "..", "..", "shared", "data")))
    a.add_argument("--work", default="model_card_work", help="for runs, kept")
    a.add_argument("--images", type=int, default=1000, help="of the held out ones")
    a.add_argument("--synth", type=int, default=6)
    a.add_argument("--only", help="sets whose names begin so")
    a.add_argument("--results", help="also write the tables to this Markdown file")
    o = a.parse_args()
    os.makedirs(o.work, exist_ok=True)
    text = []
    for name, images, labels in sets(o):
        if o.only and not name.startswith(o.only):
            continue
        text += ["", "| %s: %d images | precision | recall | F1 | AP@.5 | AP@.75 | best AP@.5 over thresholds | found / true |" % (name, len(images)),
                 "|---|---|---|---|---|---|---|---|"]
        print("\n".join(text[-2:]))
        for model in o.model:
            short = os.path.splitext(os.path.basename(model))[0]
            out = os.path.join(o.work, short, name.replace(", ", "_"))
            left = [i for i in images
                    if not os.path.exists(os.path.join(out, os.path.splitext(os.path.basename(i))[0] + "_lipopose.h5"))]
            if left:
                call([o.program, "segment", "--quiet", "--model", model, "--diameters", "auto", "--savedir", out, *left])
            path = os.path.join(o.work, "eval.json")
            call([o.program, "eval", "--quiet", "--truth", labels, "--pred", out, "--json", path])
            with open(path) as f:
                e = json.load(f)
            p = e["all_particles"]
            best = max(e["sweep"]["thresholds"], key=lambda t: t["ap50"])
            v = [p["precision"][0], p["recall"][0], p["f1"][0], p["ap50"], p["ap75"]]
            text.append("| %s | %s | %.3f at %g | %d / %d |" % (
                short, " | ".join("-" if x is None else "%.3f" % x for x in v), best["ap50"], best["threshold"],
                e["n_pred"], e["n_true"]))
            print(text[-1], flush=True)
    if o.results:
        commit = call(["git", "-C", HERE, "describe", "--always", "--dirty"]).strip()
        with open(o.results, "w") as f:
            f.write("# What the bundled models do on images that they never saw\n\n%s, commit %s, `bench/model_card.py`.\n" %
                    (datetime.date.today(), commit) + "\n".join(text) + "\n")


if __name__ == "__main__":
    main()
