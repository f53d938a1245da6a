#!/usr/bin/env python3
"""Cellpose 3.1.1.3 and lipopose on the same files, in turn, in one run.

    sh tools/peer.sh                                   # once: installs Cellpose
    make && make bench                                 # builds the programs
    ~/.cache/lipopose-peer/bin/python bench/compare_cellpose.py [--quick] [--parts unet,masks,...]

Prints Markdown tables and writes them to bench/results/DATE-CPU.md, with all numbers in .json.
Both programs get the same number of threads. Seconds are medians; "ratio" is Cellpose's seconds
divided by ours; AP is the agreement of ours with Cellpose's masks of the same run (1 = the same).
See bench/README.md.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
IOUS = (0.5, 0.75, 0.9)


def median(v):
    v = sorted(v)
    return v[len(v) // 2]


# A child's peak memory is never less than that of the process that started it, so a small process
# of its own does that. argv: a file for the numbers, the command.
LAUNCHER = """
import json, os, subprocess, sys, time
t = time.perf_counter()
p = subprocess.Popen(sys.argv[2:])
_, status, use = os.wait4(p.pid, 0)
t = time.perf_counter() - t
json.dump([t, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)],
          open(sys.argv[1], "w"))
"""


def child(cmd, env=None):
    """Runs cmd: seconds from start to exit, CPU seconds, peak MiB, stdout."""
    cmd = [str(c) for c in cmd]
    with tempfile.NamedTemporaryFile() as numbers:
        p = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, numbers.name] + cmd, env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        seconds, cpu, mib, code = json.load(open(numbers.name))
    if code:
        sys.exit(f"failed ({code}): {' '.join(cmd)}\n{p.stderr[-2000:]}{p.stdout[-1000:]}")
    return dict(seconds=seconds, cpu=cpu, mib=mib, out=p.stdout)


class Bench:
    def __init__(self, a):
        self.a = a
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="lipopose-bench-", dir=a.tmp))
        self.rows = {}  # part -> list of records
        self.env = dict(os.environ, OMP_NUM_THREADS=str(a.threads), MKL_NUM_THREADS=str(a.threads),
                        OPENBLAS_NUM_THREADS=str(a.threads), NUMBA_NUM_THREADS=str(a.threads))
        self.ours = dict(os.environ)
        self._model = None

    # ---- the peer, in this process ----

    @property
    def peer(self):
        """Cellpose's model object, loaded when first needed."""
        if self._model is None:
            import torch
            from cellpose import models
            torch.set_num_threads(self.a.threads)
            self._model = models.CellposeModel(gpu=False, pretrained_model=str(self.a.pth))
        return self._model

    def tool(self, name):
        p = self.a.build / "bench" / name
        if not p.exists():
            sys.exit(f"{p}: not there; run `make bench` first")
        return p

    def add(self, part, **rec):
        self.rows.setdefault(part, []).append(rec)
        brief = {k: (round(v, 4) if isinstance(v, float) else v) for k, v in rec.items()
                 if not isinstance(v, (list, dict))}
        print(f"  {part}: {brief}", file=sys.stderr, flush=True)

    # ---- parts ----

    def unet(self):
        """The net alone, 8 tiles of 224 x 224."""
        import numpy as np
        from cellpose import core
        a, n, rounds = self.a, 8, 3 if self.a.quick else 5
        x = tiles(n, 2, 224)
        net = self.peer.net
        core._forward(net, x[:1])
        core._forward(net, x)
        theirs, ours, detail, y = [], {p: [] for p in a.precisions}, {}, {}
        for r in range(rounds):
            t = time.perf_counter()
            ref = core._forward(net, x)[0]
            theirs.append(time.perf_counter() - t)
            for p in a.precisions:
                raw = self.tmp / "y.raw"
                rec = json.loads(child([self.tool("bench_unet"), "--model", a.model, "--precision", p,
                                        "--threads", a.threads, "--tiles", n, "--rounds", 3,
                                        "--out", raw, "--json"], self.ours)["out"])
                ours[p].append(rec["seconds"])
                detail[p] = rec
                if r == 0:
                    y[p] = np.fromfile(raw, np.float32).reshape(ref.shape)
        for p in a.precisions:
            flop = detail[p]["gflop_per_tile"]
            self.add("unet", precision=p, cellpose_s=median(theirs) / n, ours_s=median(ours[p]) / n,
                     ratio=median(theirs) / median(ours[p]), cellpose_gflops=flop * n / median(theirs),
                     ours_gflops=flop * n / median(ours[p]), first_run_s=detail[p]["first_s"],
                     max_difference=float(np.abs(y[p] - ref).max() / np.abs(ref).max()),
                     all=dict(cellpose=theirs, ours=ours[p]))

    def masks(self):
        """Everything after the net, on the same flows and cellprob."""
        import numpy as np
        from cellpose import dynamics
        a = self.a
        for name, flows, cellprob, niter in scenes(self):
            raw, out = self.tmp / "net.raw", self.tmp / "masks.raw"
            Ly, Lx = cellprob.shape
            np.concatenate([flows, cellprob[None]]).astype(np.float32).tofile(raw)
            cmd = [self.tool("bench_masks"), raw, Ly, Lx, "--niter", niter, "--compat", "--out", out]
            theirs, ours = [], []
            rounds = 1 if a.quick else 3
            while len(theirs) < rounds and sum(theirs) < a.patience:
                t = time.perf_counter()
                ref = dynamics.resize_and_compute_masks(flows.copy(), cellprob.copy(), niter=niter,
                                                        device=self.peer.device)
                theirs.append(time.perf_counter() - t)
                rec = json.loads(child(cmd + ["--rounds", 3], self.ours)["out"])
                ours.append(rec["seconds"])
            got = np.fromfile(out, np.uint32).reshape(Ly, Lx)
            self.add("masks", scene=name, size=f"{Ly} x {Lx}", masks=int(ref.max()), niter=niter,
                     cellpose_s=median(theirs), ours_s=median(ours), ratio=median(theirs) / median(ours),
                     stages=rec["stages"], **agreement([ref], [got]), all=dict(cellpose=theirs, ours=ours))

    def whole(self):
        """Both programs from start to exit, each in one process over the same files."""
        import imagecodecs
        import mrcfile
        import numpy as np
        import tifffile
        a = self.a
        sets = []
        if "emps" in a.sets:
            images = sorted((a.data / "emps" / "images").glob("*.png"))
            images = images[:: max(1, len(images) // 20)][: 5 if a.quick else 20]
            folder = self.tmp / "emps"
            folder.mkdir()
            for f in images:
                shutil.copy(f, folder)
            sets.append((f"{len(images)} EMPS images, about 512 x 680", 51, images, folder))
        if "vesicles" in a.sets:
            vesicles = sorted((a.data / "vesicles").glob("*.mrc"))[: 1 if a.quick else None]
            folder = self.tmp / "vesicles"
            folder.mkdir()
            for f in vesicles:  # Cellpose reads no MRC
                with mrcfile.open(f, permissive=True) as m:
                    tifffile.imwrite(folder / (f.stem + ".tif"), np.array(m.data))
            name = f"{len(vesicles)} vesicle micrograph{'s' * (len(vesicles) > 1)}, 2217 x 2217"
            sets += [(name, d, vesicles, folder) for d in ((60, 180) if a.quick else (180, 90, 60, 30))]
        for name, d, files, folder in sets:
            rounds = 1 if a.quick else a.rounds
            theirs, ours = [], {p: [] for p in a.precisions}
            peer_out = self.tmp / "peer"
            while len(theirs) < rounds and sum(r["seconds"] for r in theirs) < a.patience:
                shutil.rmtree(peer_out, ignore_errors=True)
                peer_out.mkdir()
                theirs.append(child([sys.executable, "-m", "cellpose", "--dir", folder,
                                     "--pretrained_model", a.pth, "--diameter", d, "--save_tif",
                                     "--no_npy", "--savedir", peer_out], self.env))
                for p in a.precisions:
                    ours[p].append(self.segment(files, d, p))
            ref = [read_masks(peer_out, f) for f in files]
            for p in a.precisions:
                got = [read_masks(self.tmp / f"ours-{p}", f) for f in files]
                s, t = median([r["seconds"] for r in ours[p]]), median([r["seconds"] for r in theirs])
                self.add("whole", files=name, diameter=d, precision=p, cellpose_s=t, ours_s=s, ratio=t / s,
                         masks=int(sum(len(np.unique(m)) - 1 for m in ref)),
                         cellpose_mib=max(r["mib"] for r in theirs), ours_mib=max(r["mib"] for r in ours[p]),
                         **agreement(ref, got), stages=stages(ours[p][-1]["out"]),
                         all=dict(cellpose=[r["seconds"] for r in theirs],
                                  ours=[r["seconds"] for r in ours[p]]))

    def segment(self, files, d, precision, *more):
        out = self.tmp / f"ours-{precision}"
        shutil.rmtree(out, ignore_errors=True)
        return child([self.a.build / "lipopose", "segment", "--model", self.a.model, "--diameter", d,
                      "--precision", precision, "--threads", self.a.threads, "--compat", "cellpose3",
                      "--json", "--quiet", "--savedir", out, *more, *files], self.ours)

    def memory(self):
        """Start-up, peak memory of a large micrograph, and growth over many small ones."""
        import numpy as np
        import tifffile
        a, rng = self.a, np.random.default_rng(1)
        tiny, small = self.tmp / "tiny.tif", self.tmp / "small"
        tifffile.imwrite(tiny, rng.integers(0, 255, (64, 64), np.uint8))
        small.mkdir()
        many = [small / f"{i:03d}.tif" for i in range(20 if a.quick else 100)]
        for f in many:
            tifffile.imwrite(f, rng.integers(0, 255, (200, 200), np.uint8))
        child([a.build / "lipopose", "synth", "--size", "4096x4096", "--quiet", self.tmp / "big"])
        big = next((self.tmp / "big").glob("*.mrc"))
        for p in a.precisions:
            runs = [self.segment([tiny], 30, p, "--no_overlay") for _ in range(5 if a.quick else 11)]
            s = stages(runs[0]["out"])
            rest = [r["seconds"] - sum(stages(r["out"]).values()) for r in runs]
            self.add("memory", what="start to exit, one 64 x 64 image", precision=p,
                     seconds=median([r["seconds"] for r in runs]), cpu=median([r["cpu"] for r in runs]),
                     fastest=min(r["seconds"] for r in runs), mib=runs[0]["mib"], stages=s,
                     without_stages=median(rest))
            few, all_ = (self.segment(many[:10], 30, p, "--no_overlay"),
                         self.segment(many, 30, p, "--no_overlay"))
            self.add("memory", what=f"200 x 200 images: 10, then {len(many)}", precision=p,
                     seconds=all_["seconds"], mib=all_["mib"], growth_mib=all_["mib"] - few["mib"])
            for d in (60,) if a.quick else (30, 60):
                r = self.segment([big], d, p)
                self.add("memory", what=f"one 4096 x 4096 micrograph, diameter {d}", precision=p,
                         seconds=r["seconds"], mib=r["mib"], stages=stages(r["out"]))

    def close(self):
        shutil.rmtree(self.tmp, ignore_errors=True)


def tiles(n, nchan, bsize):
    """The tiles of bench_unet.c: a linear congruential generator's top 24 bits, 0 to 1."""
    import numpy as np
    count = n * nchan * bsize * bsize
    with np.errstate(over="ignore"):
        power = np.full(count, 6364136223846793005, np.uint64)
        power = np.multiply.accumulate(power)  # a, a^2, ... mod 2^64
        sums = np.concatenate([[np.uint64(1)], power[:-1]]).astype(np.uint64)
        s = power + np.uint64(1442695040888963407) * np.add.accumulate(sums)
    x = (s >> np.uint64(40)).astype(np.float32) / np.float32(16777216)
    return x.reshape(n, nchan, bsize, bsize)


def scenes(b):
    """name, flows [2][Ly][Lx], cellprob, niter: few large and many small particles, real and not."""
    import numpy as np
    from cellpose import dynamics, io, transforms
    real = [("EMPS, many small", "36de69b2c0", 76), ("EMPS, few large (230 px)", "58e8237dab", 230),
            ("EMPS, few large (173 px)", "ce46819633", 173)]
    for name, stem, d in real[: 2 if b.a.quick else None]:
        f = b.a.data / "emps" / "images" / (stem + ".png")
        if not f.exists():
            continue
        img = io.imread(str(f))
        x = transforms.convert_image(img, channels=[0, 0])
        x = transforms.normalize_img(x)[None]
        dP, cellprob, _ = b.peer._run_net(x, rescale=b.peer.diam_mean / d)
        yield name, dP[:, 0], cellprob[0], int(200 * d / b.peer.diam_mean)
    # Cellpose needs minutes for a larger image of large discs.
    made = [("discs of 25 px, many small", 2048, 25), ("discs of 350 px, few large", 1024, 350)]
    for name, side, d in made[1 if b.a.quick else 0:]:
        rng, step = np.random.default_rng(0), int(d * 1.15)
        labels = np.zeros((side, side), np.int32)
        yy, xx = np.mgrid[:d, :d]
        disc = (yy - (d - 1) / 2) ** 2 + (xx - (d - 1) / 2) ** 2 <= d * d / 4
        for k, (y, x) in enumerate((y, x) for y in range(4, side - step, step)
                                   for x in range(4, side - step, step)):
            y, x = y + rng.integers(0, step - d + 1), x + rng.integers(0, step - d + 1)
            labels[y:y + d, x:x + d][disc] = k + 1
        flows = dynamics.labels_to_flows([labels], device=b.peer.device)[0]  # [labels, inside, flow y, flow x]
        noise = rng.normal(0, 0.1, flows[2:].shape)
        yield (name, ((5 * flows[2:] + noise) * (labels > 0)).astype(np.float32),
               np.where(labels > 0, 5, -5).astype(np.float32), int(200 * d / 30))


def agreement(refs, gots):
    """AP = TP / (TP + FP + FN) over all images together, as cellpose.metrics counts."""
    import numpy as np
    from cellpose import metrics
    _, tp, fp, fn = metrics.average_precision([r.astype(np.int32) for r in refs],
                                              [g.astype(np.int32) for g in gots], list(IOUS))
    total = (tp + fp + fn).sum(0)
    ap = [float(t / n) if n else 1.0 for t, n in zip(tp.sum(0), total)]
    return dict(zip(("ap50", "ap75", "ap90"), ap))


def read_masks(folder, image):
    import tifffile
    return tifffile.imread(folder / (pathlib.Path(image).stem + "_cp_masks.tif"))


def stages(text):
    """Seconds by stage, added over the images of a run (--json)."""
    total = {}
    for line in text.splitlines():
        if line.startswith("{"):
            for k, v in (json.loads(line).get("seconds") or {}).items():
                total[k] = total.get(k, 0) + v
    return total


# ---- report ----

def machine(a):
    info = {}
    try:
        for line in open("/proc/cpuinfo"):
            if ":" in line:
                k, v = (s.strip() for s in line.split(":", 1))
                info.setdefault(k, v)
    except OSError:
        pass
    flags = info.get("flags", "").split()
    import cellpose
    import numpy
    import torch
    from importlib.metadata import version
    git = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], text=True,
                         capture_output=True).stdout.strip()
    return dict(date=datetime.date.today().isoformat(), cpu=info.get("model name", platform.machine()),
                cores=os.cpu_count(), threads=a.threads,
                features=[f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags],
                load=[round(x, 1) for x in os.getloadavg()], commit=git,
                lipopose=subprocess.run([str(a.build / "lipopose"), "--version"], text=True,
                                        capture_output=True).stdout.strip(),
                cellpose=version("cellpose"), torch=torch.__version__, numpy=numpy.__version__,
                command=" ".join(["python", "bench/compare_cellpose.py"] + sys.argv[1:]))


def ap(r):
    return f"{r['ap50']:.3f} {r['ap75']:.3f} {r['ap90']:.3f}"


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(r) + " |" for r in rows]) + "\n"


def seconds(s):
    return f"{s * 1e3:.1f} ms" if s < 1 else f"{s:.2f} s"


def markdown(m, rows):
    text = [f"# lipopose and Cellpose {m['cellpose']}\n",
            f"{m['cpu']}, {m['cores']} cores ({', '.join(m['features'])}), {m['threads']} threads each; "
            f"load {m['load'][0]} at the start and {m['load_end'][0]} at the end; {m['date']}; "
            f"{m['lipopose']} ({m['commit']}), PyTorch {m['torch']}.\n`{m['command']}`\n"]
    if "unet" in rows:
        text += ["## The network alone, per 224 x 224 tile\n", table(
            ("precision", "Cellpose", "lipopose", "ratio", "GFLOP/s", "largest difference"),
            [(r["precision"], seconds(r["cellpose_s"]), seconds(r["ours_s"]), f"{r['ratio']:.2f}",
              f"{r['cellpose_gflops']:.0f} / {r['ours_gflops']:.0f}", f"{r['max_difference']:.1e}")
             for r in rows["unet"]])]
    if "masks" in rows:
        text += ["## Everything after the network, on the same network output\n", table(
            ("scene", "size", "masks", "Cellpose", "lipopose", "ratio", "AP .5 .75 .9"),
            [(r["scene"], r["size"], str(r["masks"]), seconds(r["cellpose_s"]), seconds(r["ours_s"]),
              f"{r['ratio']:.1f}", ap(r)) for r in rows["masks"]])]
    if "whole" in rows:
        text += ["## Whole program, process start to exit\n", table(
            ("files", "diameter", "precision", "Cellpose", "lipopose", "ratio", "masks", "AP .5 .75 .9",
             "peak MiB"),
            [(r["files"], str(r["diameter"]), r["precision"], seconds(r["cellpose_s"]), seconds(r["ours_s"]),
              f"{r['ratio']:.2f}", str(r["masks"]), ap(r), f"{r['cellpose_mib']:.0f} / {r['ours_mib']:.0f}")
             for r in rows["whole"]])]
    if "memory" in rows:
        text += ["## lipopose alone: start-up and memory\n", table(
            ("what", "precision", "seconds", "peak MiB", "note"),
            [(r["what"], r["precision"], seconds(r["seconds"]), f"{r['mib']:.0f}",
              f"{r['growth_mib']:+.1f} MiB from the first to the last" if "growth_mib" in r else
              f"network {seconds(r['stages'].get('net', 0))} of it" if "stages" in r else "")
             for r in rows["memory"]])]
    return "\n".join(text)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--parts", default="unet,masks,whole,memory")
    p.add_argument("--precisions", default="fp32,bf16")
    p.add_argument("--quick", action="store_true", help="fewer files, diameters and rounds")
    p.add_argument("--sets", default="emps,vesicles", help="files of the part whole")
    p.add_argument("--rounds", type=int, default=3, help="of whole programs (3)")
    p.add_argument("--patience", type=float, default=120,
                   help="no further round of a case once Cellpose took so many seconds for it (120)")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--data", type=pathlib.Path, default=os.environ.get("LIPOPOSE_DATA", ROOT / "../shared/data"),
                   help="folder with vesicles/ and emps/")
    p.add_argument("--pth", type=pathlib.Path, help="Cellpose checkpoint (DATA/checkpoints/cp3_emps.pth)")
    p.add_argument("--model", type=pathlib.Path, help="the same for lipopose (converted from --pth, not timed)")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results")
    p.add_argument("--tmp", help="folder for temporary files")
    a = p.parse_args()
    a.data = pathlib.Path(a.data).resolve()
    a.pth = (a.pth or a.data / "checkpoints/cp3_emps.pth").resolve()
    a.build = a.build.resolve()
    a.precisions = a.precisions.split(",")
    if not a.pth.exists():
        sys.exit(f"{a.pth}: no such checkpoint; give --data or --pth")
    m = machine(a)
    b = Bench(a)
    try:
        if not a.model:
            a.model = b.tmp / "model.h5"
            child([a.build / "lipopose", "convert", a.pth, a.model])
        for part in a.parts.split(","):
            if part not in ("unet", "masks", "whole", "memory"):
                sys.exit(f"--parts {part}: choose from unet,masks,whole,memory")
            getattr(b, part)()
            m["load_end"] = [round(x, 1) for x in os.getloadavg()]
            text = markdown(m, b.rows)
            a.out.mkdir(parents=True, exist_ok=True)
            name = f"{m['date']}-{m['cpu'].replace(' ', '-').replace('/', '-')}"
            (a.out / (name + ".md")).write_text(text)
            (a.out / (name + ".json")).write_text(json.dumps(dict(machine=m, parts=b.rows), indent=1) + "\n")
    finally:
        b.close()
    print(text)


if __name__ == "__main__":
    main()
