"""How exactly the tiles of simulated mosaics are found: places of 2 × 2 tiles that overlap by a tenth.

python benchmarks/mosaic.py [--seeds 10]: motors are wrong by up to 5 px, pixels get 20 000 photons.
"""

from __future__ import annotations

import argparse

import numpy as np

from tomarium.kernels.motion.mosaic import neighbours, register_pair, settle
from tomarium.kernels.phantom import Ellipsoid, line_integrals

ROWS, COLUMNS, OVERLAP, WRONG_PX, PHOTONS = 200, 256, 0.1, 5.0, 20_000
ANGLES = np.linspace(0, 180, 24, endpoint=False)


def largest_error(seed: int) -> float:
    """Return the largest error of the places of one raster, pixels."""
    draw = np.random.default_rng(seed)
    specimen = [Ellipsoid((0, 0, 0), (300, 220, 200), 0.002)]
    for _ in range(80):
        middle = (draw.uniform(-200, 200), *draw.uniform(-150, 150, 2))
        specimen.append(Ellipsoid(middle, tuple(draw.uniform(3, 25, 3)), draw.uniform(-0.004, 0.008)))
    down, across = round(ROWS * (1 - OVERLAP)), round(COLUMNS * (1 - OVERLAP))
    told = [(0.0, 0.0), (0.0, float(across)), (float(down), 0.0), (float(down), float(across))]
    true = [told[0], *(tuple(np.add(place, draw.uniform(-WRONG_PX, WRONG_PX, 2))) for place in told[1:])]
    tiles = [_tile(specimen, place, draw) for place in true]
    pairs = [
        register_pair(tiles, a, b, (told[b][0] - told[a][0], told[b][1] - told[a][1]), WRONG_PX + 3)
        for a, b in neighbours(told, (ROWS, COLUMNS))
    ]
    found, _ = settle(told, pairs)
    return float(np.abs(np.array(found) - np.array(true)).max())


def _tile(specimen: list[Ellipsoid], place: tuple[float, float], draw: np.random.Generator) -> np.ndarray:
    rows = np.arange(ROWS) + place[0] - 190.0
    columns = np.arange(COLUMNS) + place[1] - 240.0
    exact = np.stack([line_integrals(specimen, np.array([angle]), rows, columns)[0] for angle in ANGLES])
    return -np.log(np.maximum(draw.poisson(PHOTONS * np.exp(-exact)), 1) / PHOTONS).astype(np.float32)


def main() -> None:
    """Print the median and the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many rasters")
    errors = [largest_error(seed) for seed in range(parser.parse_args().seeds)]
    print(f"largest error of a place, px: median {np.median(errors):.3f}, worst {max(errors):.3f}")


if __name__ == "__main__":
    main()
