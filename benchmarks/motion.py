"""Motion found and undone, and scans stitched: a table, and the pictures of the guides.

    python benchmarks/motion.py [--pictures docs/pictures]

Prints how far each method is from the shifts that were put in, in simulated scans of 144 views of 96
columns, seeds 0 to 2. `make accuracy` takes larger ones: there the specimen grows with the columns and the views,
and the motion, the points and the noise stay as they are.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import sizes
from numpy.typing import NDArray
from PIL import Image

import tomarium as tm
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.model import Scan, Value
from tomarium.steps.probes.align_by_reprojection import align_by_reprojection
from tomarium.steps.probes.mercedes import mercedes
from tomarium.steps.probes.movement_correction import movement_correction
from tomarium.steps.views.stitch import stitch

SMALL, ROWS = 96, 28
COLUMNS, VIEWS = sizes.columns(SMALL), 2 * sizes.scaled(72, SMALL)
SCALE, AXIS = COLUMNS / SMALL, (COLUMNS - 1) / 2 - 0.8
FULL = np.arange(VIEWS) * 360.0 / VIEWS
TIME = np.linspace(-0.5, 0.5, VIEWS)
FINE = (np.arange(2) - 0.5) / 2
Array = NDArray[np.float64]


def specimen(seed: int, points: bool, height: float = 12, small: bool = False) -> list[Ellipsoid]:
    draw = np.random.default_rng(seed)
    weak = 0.2 if points else 1.0
    wide = np.array([1, SCALE, SCALE])
    outline = (9, 30, 26) if small else (60, 40, 34)
    found = [Ellipsoid((0, 0, 0), tuple(wide * outline), 0.02 / SCALE)]
    for _ in range(16):
        place = wide * (draw.uniform(-height, height), *draw.uniform(-20, 20, 2))
        radii = wide * draw.uniform(3, 8, 3)
        more = weak * draw.uniform(-0.02, 0.04) / SCALE
        # Inclusions reach out of the small body, where less than nothing would be absorbed.
        found.append(Ellipsoid(tuple(place), tuple(radii), abs(more) if small else more))
    for k in range(5 if points else 0):
        angle, away = 2.4 * k + seed, SCALE * (10 + 3 * k)
        place = (-8.0 + 4 * k, away * np.sin(angle), away * np.cos(angle))
        found.append(Ellipsoid(place, (1.5, 1.5, 1.5), 0.1))
    return found


def views(bodies: list[Ellipsoid], columns: Array, rows: Array, height: int = ROWS) -> NDArray[np.float32]:
    made = np.empty((VIEWS, height, COLUMNS), np.float32)
    z, u = np.arange(height) - (height - 1) / 2, np.arange(COLUMNS) - AXIS
    for k, angle in enumerate(FULL):
        z_fine, u_fine = (z[:, None] + FINE).ravel() - rows[k], (u[:, None] + FINE).ravel() - columns[k]
        fine = line_integrals(bodies, np.array([angle]), z_fine, u_fine)[0]
        made[k] = fine.reshape(height, 2, COLUMNS, 2).mean(axis=(1, 3))
    return made


def scan_of(attenuation: NDArray[np.float32], noise: float, seed: int) -> Scan:
    noisy = attenuation + np.random.default_rng(seed).normal(0, noise, attenuation.shape).astype(np.float32)
    scan = scan_of_arrays(noisy, FULL, domain="attenuation")
    return scan.with_geometry(axis_column=Value(AXIS, "user", "simulated"))


def left(found: Array, truth: Array) -> float:
    """Error but for a constant and another place on the stage, rms in pixels."""
    angles = np.deg2rad(FULL)
    basis = np.stack([np.ones(VIEWS), np.cos(angles), np.sin(angles)]).T
    rest = found - truth
    return float(np.std(rest - basis @ np.linalg.lstsq(basis, rest, rcond=None)[0]))


def cases(seed: int) -> dict[str, tuple[object, bool, Array, Array, float]]:
    draw = np.random.default_rng(seed + 50)
    angles = np.deg2rad(FULL)
    slides = 3 * TIME * np.cos(angles) - 3 * TIME * np.sin(angles)
    smooth = 2.5 * np.sin(2 * np.pi * (1.3 * TIME + 0.1 * seed))
    jolts = draw.normal(0, 3, VIEWS)
    return {
        "movement_correction": (movement_correction, False, slides, 3 * TIME, 0.01),
        "mercedes": (mercedes, True, smooth, np.cos(4 * TIME), 0.1),
        "align_by_reprojection": (align_by_reprojection, False, jolts, 0.5 * draw.normal(0, 3, VIEWS), 0.01),
    }


def panel(slices: list[NDArray[np.float32]], low: float, high: float, path: Path) -> None:
    """Save images side by side, three times as large."""
    strip = np.concatenate([np.pad(one, 1, constant_values=high) for one in slices], axis=1)
    grey = np.clip((strip - low) / (high - low), 0, 1) * 255
    picture = Image.fromarray(grey.astype(np.uint8))
    picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.LANCZOS).save(path)


def motion(folder: Path | None) -> None:
    print(
        f"{'':24}{'columns before':>16}{'after':>8}{'rows before':>14}{'after':>8}  px rms, worst of 3 seeds"
    )
    shown: list[NDArray[np.float32]] = []
    for name in cases(0):
        worst = np.zeros(4)
        for seed in range(3):
            probe, points, columns, rows, noise = cases(seed)[name]
            bodies = (
                specimen(seed, points, 6, True) if name == "align_by_reprojection" else specimen(seed, points)
            )
            scan = scan_of(views(bodies, columns, rows), noise, seed)
            found = probe(scan)  # type: ignore[operator]
            level = np.zeros(VIEWS) if found.shift_rows_px is None else found.shift_rows_px
            after = np.std((level - rows) - np.mean(level - rows))
            worst = np.maximum(
                worst,
                [left(0 * columns, columns), left(found.shift_columns_px, columns), np.std(rows), after],
            )
            if folder is not None and seed == 0 and name == "mercedes":
                row = ROWS // 2
                quiet = 0.03
                scan = scan_of(views(specimen(seed, points), columns, rows), quiet, seed)
                still = scan_of(views(specimen(seed, points), 0 * columns, 0 * rows), quiet, seed)
                shown = [
                    np.asarray(tm.reconstruct(one, steps, rows=slice(row, row + 1)))[0]
                    for one, steps in (
                        (scan, "steps: [fbp]"),
                        (scan, "steps: [mercedes, fbp]"),
                        (still, "steps: [fbp]"),
                    )
                ]
        print(f"{name:24}{worst[0]:16.2f}{worst[1]:8.3f}{worst[2]:14.2f}{worst[3]:8.3f}")
    if folder is not None:
        panel(shown, -0.01, 0.07, folder / "motion.png")


def stitched(folder: Path | None) -> None:
    height, each, starts = 50, 24, (0, 13, 26)
    truth = views(specimen(4, False, 22), np.zeros(VIEWS), np.zeros(VIEWS), height)
    light = 40_000 * np.exp(-(((np.arange(each) - 11.5) / 14) ** 2))
    with tempfile.TemporaryDirectory() as place:
        for k, start in enumerate(starts):
            draw = np.random.default_rng(k)
            beam = np.broadcast_to(light[:, None], (each, COLUMNS))
            counts = draw.poisson(beam * np.exp(-truth[:, start : start + each])).astype(np.uint16)
            flats = draw.poisson(beam, (40, each, COLUMNS)).astype(np.uint16)
            one = scan_of_arrays(counts, FULL, flats=flats, axis_column=AXIS)
            data_exchange.FORMAT.write(Path(place) / f"{k}.h5", one)  # type: ignore[misc]
        first = tm.open(Path(place) / "0.h5", axis_column=AXIS)
        assert isinstance(first, Scan)
        made = stitch(first, scans="1.h5, 2.h5")
        volume = np.asarray(tm.reconstruct(made, "steps: [fbp]"))
        print("stitch: starts", [round(piece.start, 2) for piece in made.projections.pieces])  # type: ignore[attr-defined]
        if folder is not None:
            panel([volume[:, 48], np.asarray(made.projections[40]) / 60], 0.0, 0.06, folder / "stitch.png")


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--pictures", type=Path)
    asked = words.parse_args().pictures
    motion(asked)
    stitched(asked)
