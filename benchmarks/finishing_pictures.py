"""Make the pictures of docs/how-to/finish.md and segment-and-measure.md: python benchmarks/finishing_pictures.py."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import tomarium as tm
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.repair import check, repair
from tomarium.cli import execute
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.phantom import Ellipsoid, line_integrals, voxelise
from tomarium.pipeline.protocol.read import as_protocol

HOME = Path(__file__).parents[1] / "docs" / "pictures"
SIZE, ROWS, VIEWS, PHOTONS = 192, 32, 240, 3000


def sheet(name: str, planes: Sequence[np.ndarray]) -> None:
    """Put pictures of 8 bits, grey or coloured, side by side."""
    coloured = [plane if plane.ndim == 3 else np.repeat(plane[..., None], 3, 2) for plane in planes]
    gap = np.full((coloured[0].shape[0], 6, 3), 255, np.uint8)
    row: list[np.ndarray] = []
    for plane in coloured:
        row += [plane, gap]
    HOME.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(row[:-1], 1)).quantize(64).save(HOME / name, optimize=True)


def grey(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    """Show values as grey."""
    return (255 * np.clip((plane - low) / (high - low), 0, 1)).astype(np.uint8)


def coloured(labels: np.ndarray) -> np.ndarray:
    """Show labels as colours that differ."""
    draw = np.random.default_rng(4)
    table = draw.integers(60, 255, (int(labels.max()) + 1, 3)).astype(np.uint8)
    table[0] = 20
    return table[labels]


def specimen() -> list[Ellipsoid]:
    """A cylinder full of grains that touch."""
    draw = np.random.default_rng(5)
    parts = [Ellipsoid((0, 0, 0), (1e5, 84, 84), 0.006)]
    for _ in range(90):
        radius = float(draw.uniform(7, 12))
        angle, far = draw.uniform(0, 2 * np.pi), 70 * np.sqrt(draw.uniform())
        centre = (float(draw.uniform(-18, 18)), float(far * np.sin(angle)), float(far * np.cos(angle)))
        if all(
            np.linalg.norm(np.subtract(centre, one.centre)) > 0.93 * (radius + one.half_axes[0])
            for one in parts[1:]
        ):
            parts.append(Ellipsoid(centre, (radius,) * 3, 0.012))
    return parts


def main() -> None:
    parts = specimen()
    angles = np.arange(VIEWS) * 180 / VIEWS
    columns, rows = (np.arange(count) - (count - 1) / 2 for count in (SIZE, ROWS))
    exact = line_integrals(parts, angles, rows, columns)
    counts = np.random.default_rng(0).poisson(PHOTONS * np.exp(-exact))
    taken = -np.log(np.maximum(counts, 1) / PHOTONS).astype(np.float32)
    middle = ROWS // 2
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        scan = scan_of_arrays(taken, angles, domain="attenuation", pixel_m=1e-6)
        assert execute_write(scan, home / "scan.h5")
        opened: Any = tm.open(home / "scan.h5")
        protocol = as_protocol({"steps": [{"fbp": {"axis_column": (SIZE - 1) / 2}}]}, "attenuation")
        make_record(opened, protocol, home / "record", slab_rows=8)
        volume = np.asarray(tm.open(home / "record"))
        low, high = np.percentile(volume, [0.5, 99.8])
        (home / "record/volume.ome.zarr/0/c/1/0/0").unlink()
        _, faults = check(home / "record")
        print("bad:", [(one.slices, one.found) for one in faults])
        damaged = volume.copy()
        damaged[8:16] = 0
        print("mended:", [one.words for one in repair(home / "record", faults)])
        mended = np.asarray(tm.open(home / "record"))
        upright = [np.repeat(grey(one[:, SIZE // 2], low, high), 3, 0) for one in (damaged, mended)]
        assert execute(["denoise", str(home / "record"), str(home / "quiet.ome.zarr")]) == 0
        quiet = np.asarray(tm.open(home / "quiet.ome.zarr"))
        sheet("check-and-repair.png", upright)
        truth = voxelise(parts, rows, columns, columns)[:, ::-1] * 1e4
        sheet("denoise.png", [grey(one[middle], low, high) for one in (volume, quiet, truth)])
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        inside = np.hypot(y, x) < 80
        for name, one in (("as it is", volume), ("denoised", quiet)):
            print(name, "rmse", np.sqrt(np.mean((one - truth)[:, inside] ** 2)), "of contrast", 120.0)
        words = [
            "segment",
            str(home / "quiet.ome.zarr"),
            str(home / "grains.ome.zarr"),
            "--method",
            "watershed",
        ]
        assert execute([*words, "--h", "1.5", "--threshold", "120", "--smooth", "0"]) == 0
        labels = np.asarray(tm.open(home / "grains.ome.zarr"))
        assert (
            execute(["segment", str(home / "record"), str(home / "classes.tif"), "--method", "multi-otsu"])
            == 0
        )
        classes = np.asarray(tm.open(home / "classes.tif"))
        shown = [grey(volume[middle], low, high), grey(classes[middle], 0, 2), coloured(labels[middle])]
        sheet("segment.png", shown)
        table = home / "grains.csv"
        assert (
            execute(
                ["measure", str(home / "grains.ome.zarr"), "--objects", "-o", str(table), "--smallest", "50"]
            )
            == 0
        )
        with table.open(newline="") as file:
            print("grains put in:", len(parts) - 1, "found:", len(list(csv.DictReader(file))))


def execute_write(scan: Any, path: Path) -> bool:
    """Write a scan as NeXus."""
    from tomarium.conversion.convert import convert

    return bool(convert(scan, path, to="data-exchange"))


if __name__ == "__main__":
    main()
