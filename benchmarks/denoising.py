"""How near the strength that the views tell is to the best one: python benchmarks/denoising.py prints a table."""

from __future__ import annotations

import numpy as np

import tomarium as tm
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.denoising import FILTERS, denoise_slice
from tomarium.kernels.metrics import noise
from tomarium.kernels.phantom import Ellipsoid, line_integrals, voxelise
from tomarium.pipeline.denoise import denoise
from tomarium.pipeline.protocol.read import as_protocol

SIZE, CONTRAST = 192, 0.01


def main() -> None:
    denoise.SLICES = 1  # type: ignore[misc]
    draw = np.random.default_rng(0)
    parts = [Ellipsoid((0, 0, 0), (1e6, 80, 80), CONTRAST)]
    for _ in range(25):
        y, x = draw.uniform(-50, 50, 2)
        half = (1e6, *draw.uniform(3, 14, 2))
        parts.append(Ellipsoid((0, float(y), float(x)), half, float(CONTRAST * draw.uniform(-0.5, 0.6))))
    fine = np.arange(4 * SIZE) / 4 - (SIZE - 0.25) / 2
    places = np.arange(SIZE) - (SIZE - 1) / 2
    truth = voxelise(parts, np.zeros(1), places, places)[0][::-1]
    inside = np.hypot(*np.meshgrid(places, places)) < SIZE / 2 - 4
    protocol = as_protocol({"steps": [{"fbp": {"axis_column": (SIZE - 1) / 2}}]}, "attenuation")

    def rmse(image: np.ndarray) -> float:
        return float(np.sqrt(np.mean((image - truth)[inside] ** 2)))

    print("| views | error before, of the contrast | gaussian | tv | error left, of the chosen |")
    print("|---|---|---|---|---|")
    for views in (450, 300, 120):
        angles = np.arange(views) * 180 / views
        exact = line_integrals(parts, angles, np.zeros(1), fine)[:, 0].reshape(views, SIZE, 4).mean(2)
        for photons in (300, 3000, 30000, 1e8):
            counts = draw.poisson(photons * np.exp(-exact))
            taken = -np.log(np.maximum(counts, 1) / photons).astype(np.float32)
            scan = scan_of_arrays(np.repeat(taken[:, None], 2, 1), angles, domain="attenuation")
            whole = np.asarray(tm.reconstruct(scan, protocol))[0]
            told = []
            for kind in FILTERS:
                found = denoise.tune(scan, protocol, slice(0, 2), kinds=(kind,))
                unit = 1.0 if kind == "gaussian" else noise(whole)
                tried = [
                    0.0,
                    *(unit * np.geomspace(0.05 if kind == "tv" else 0.2, 8 if kind == "tv" else 3, 24)),
                ]
                best = min(rmse(denoise_slice(whole, kind, one)) for one in tried)
                told.append(f"{rmse(denoise_slice(whole, kind, found.strength)) / best:.2f}")
            chosen = denoise.tune(scan, protocol, slice(0, 2))
            left = rmse(denoise_slice(whole, chosen.kind, chosen.strength)) / rmse(whole)
            before = f"{100 * rmse(whole) / CONTRAST:.1f} %"
            print(f"| {views} | {before} | {' | '.join(told)} | {left:.2f} ({chosen.kind}) |", flush=True)


if __name__ == "__main__":
    main()
