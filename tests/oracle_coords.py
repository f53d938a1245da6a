"""Reads coordinates and outlines back through the programs that own the formats.

    lipopose segment --save_star --save_box --save_cbox --save_topaz --save_geojson --save_rois \
        --savedir OUT MICROGRAPHS
    python tests/oracle_coords.py OUT

Development only; needs numpy and tifffile. What is not installed is skipped by name: starfile, topaz
(topaz-em), cryolo (CoordsIO), shapely, geopandas, roifile. Exit status 1 where something differs.
"""

import csv
import glob
import importlib
import json
import os
import sys

import numpy as np
import tifffile


def load(name):
    try:
        return importlib.import_module(name)
    except ImportError as e:
        print(f"skip {name}: {e}")
        return None


def near(got, want, tolerance):
    got, want = np.asarray(got, float), np.asarray(want, float)
    return got.shape == want.shape and bool(np.all(np.abs(got - want) <= tolerance))


class Result:
    """One micrograph: its table, masks and the path that its files start with."""

    def __init__(self, table):
        self.base = table[: -len("_particles.csv")]
        self.name = os.path.basename(self.base)
        with open(table) as f:
            rows = list(csv.DictReader(f))
        self.n = len(rows)
        for column in ("y_px", "x_px", "area_px"):
            setattr(self, column[:-3], np.array([float(r[column]) for r in rows]))
        self.masks = tifffile.imread(self.base + "_cp_masks.tif")


def by_starfile(m, r):
    t = m.read(r.base + "_autopick.star")
    return len(t) == r.n and (not r.n or near(t.rlnCoordinateX, r.x, 1e-3) and near(t.rlnCoordinateY, r.y, 1e-3))


def by_topaz(m, r):
    t = m.read_coordinates(r.base + "_topaz.txt")
    good = len(t) == r.n and near(t.x_coord, r.x, 0.5) and near(t.y_coord, r.y, 0.5)
    if not r.n:
        return good
    s = m.read_coordinates(r.base + "_autopick.star")  # cuts fractions off
    b = m.read_coordinates(r.base + ".box")
    good &= set(t.image_name) == set(s.image_name) == {r.name}
    return good and near(s.x_coord, r.x, 1) and near(b.x_coord, r.x, 0.5) and near(b.y_coord, r.y, 0.5)


def by_cryolo(m, r):
    boxes = m.read_cbox_boxfile(r.base + ".cbox")
    stars = m.read_star_file(r.base + "_autopick.star", 200)
    good = len(boxes) == len(stars) == r.n and all(0 <= b.c <= 1 for b in boxes)
    good &= near([b.x + b.w / 2 for b in boxes], r.x, 1e-3) and near([b.y + b.h / 2 for b in boxes], r.y, 1e-3)
    good &= near([b.y + 100 for b in stars], r.y, 1e-3)
    if r.n:  # crYOLO cannot read a box file without boxes, its own neither
        boxes = m.read_eman1_boxfile(r.base + ".box")
        good &= near([b.x + b.w / 2 for b in boxes], r.x, 0.5) and near([b.y + b.h / 2 for b in boxes], r.y, 0.5)
    return good


def by_shapely(m, r):
    with open(r.base + "_outlines.geojson") as f:
        features = json.load(f)["features"]
    shapes = [m.geometry.shape(f["geometry"]) for f in features]
    yy, xx = np.mgrid[: r.masks.shape[0], : r.masks.shape[1]] + 0.5
    back = np.zeros_like(r.masks)
    for f, s in zip(features, shapes):
        back[m.contains_xy(s, xx, yy)] = int(f["properties"]["name"])
    return all(s.is_valid for s in shapes) and near([s.area for s in shapes], r.area, 0) and bool((back == r.masks).all())


def by_geopandas(m, r):
    t = m.read_file(r.base + "_outlines.geojson")
    return len(t) == r.n and bool(t.geometry.is_valid.all()) if r.n else len(t) == 0


def by_roifile(m, r):
    rois = m.roiread(r.base + "_rois.zip") if r.n else []
    rois = rois if isinstance(rois, list) else [rois]
    return sorted(int(x.name) for x in rois) == sorted(int(i) for i in np.unique(r.masks) if i)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    results = [Result(t) for t in sorted(glob.glob(sys.argv[1] + "/*_particles.csv"))]
    if not results:
        sys.exit(f"{sys.argv[1]}: no *_particles.csv there")
    failed = 0
    for name, check in (
        ("starfile", by_starfile),
        ("topaz.utils.files", by_topaz),
        ("cryolo.CoordsIO", by_cryolo),
        ("shapely", by_shapely),
        ("geopandas", by_geopandas),
        ("roifile", by_roifile),
    ):
        m = load(name)
        if not m:
            continue
        bad = [r.name for r in results if not check(m, r)]
        failed += len(bad)
        print(f"{'not ok' if bad else 'ok'} {name}: {len(results)} micrographs, {sum(r.n for r in results)} particles", *bad)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
