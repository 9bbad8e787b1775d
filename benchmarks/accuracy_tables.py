"""Slices against analytic truth, beside whichever peers are installed: the first tables of docs/reference/accuracy.md.

Every case draws its own ellipses from seeds. Numbers are parts of the matrix's attenuation. Peers are called as their
documentation shows, with their defaults but for the ramp filter, and for padding where a row names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version

import numpy as np
import sizes
from numpy.typing import NDArray

import tomarium as tm
from tomarium.kernels.half_acquisition import field_columns, overlap_weights
from tomarium.kernels.phantom import Ellipsoid, line_integrals, voxelise

Array = NDArray[np.float64]
Method = Callable[[Array, Array, float, int], Array]
# An odd width: the middle of an even one lies between pixels, where scikit-image does not put the axis.
SMALL, SUBRAYS = 257, 4
N = sizes.columns(SMALL)
MIDDLE = (N - 1) / 2
# A larger detector sees the same sample in smaller pixels, in more views.
MATRIX = 0.01 * SMALL / N
VIEWS = sizes.scaled(400, SMALL)
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
FULL_TURN = np.arange(2 * VIEWS) * 180.0 / VIEWS


def ours(window: str = "shepp-logan", padding: str = "auto") -> Method:
    return lambda s, angles, axis, size: tm.fbp(s, angles, axis, size=size, window=window, padding=padding)


def centred(s: Array, axis: float) -> Array:
    """Add empty columns at one side, so that the axis lies in the middle."""
    more = round(2 * axis - (s.shape[1] - 1))
    return np.pad(s, ((0, 0), (max(-more, 0), max(more, 0))))


def astra_fbp(s: Array, angles: Array, axis: float, size: int) -> Array:
    import astra

    s = centred(s, axis)
    volume = astra.create_vol_geom(size, size)
    geometry = astra.create_proj_geom("parallel", 1.0, s.shape[1], np.deg2rad(angles))
    projector = astra.create_projector("linear", geometry, volume)
    settings = astra.astra_dict("FBP") | {
        "ProjectorId": projector,
        "ProjectionDataId": astra.data2d.create("-sino", geometry, s.astype(np.float32)),
        "ReconstructionDataId": astra.data2d.create("-vol", volume),
    }
    algorithm = astra.algorithm.create(settings)
    astra.algorithm.run(algorithm)
    result = astra.data2d.get(settings["ReconstructionDataId"])
    astra.clear()
    return np.asarray(result)


def algotom_fbp(s: Array, angles: Array, axis: float, size: int) -> Array:
    from algotom.rec.reconstruction import fbp_reconstruction

    made = fbp_reconstruction(
        s.astype(np.float32), axis, angles=np.deg2rad(angles), ratio=None, filter_name=None, apply_log=False, gpu=False,
        ncore=1,
    )  # fmt: skip
    return np.asarray(made)


def algotom_dfi(s: Array, angles: Array, axis: float, size: int) -> Array:
    from algotom.rec.reconstruction import dfi_reconstruction

    made = dfi_reconstruction(
        s.astype(np.float32), axis, angles=np.deg2rad(angles), ratio=None, filter_name=None, apply_log=False
    )
    return np.asarray(made)


def skimage_fbp(s: Array, angles: Array, axis: float, size: int) -> Array:
    from skimage.transform import iradon

    if size % 2 == 0:
        return np.full((size, size), np.nan)
    made = iradon(centred(s, axis).T, theta=angles, filter_name="ramp", output_size=size, circle=False)
    return np.asarray(made)


PEERS: dict[str, tuple[str, str, Method]] = {
    "ASTRA FBP": ("astra", "astra-toolbox", astra_fbp),
    "algotom fbp": ("algotom", "algotom", algotom_fbp),
    "algotom dfi": ("algotom", "algotom", algotom_dfi),
    "scikit-image iradon": ("skimage", "scikit-image", skimage_fbp),
}


def installed() -> dict[str, Method]:
    found: dict[str, Method] = {}
    for name, (module, _, method) in PEERS.items():
        try:
            import_module(module)
        except ImportError:
            print(f"{name} is not installed here: its column is left out", file=sys.stderr)
        else:
            found[name] = method
    return found


def body(seed: int, scale: float, *, parts: int = 10) -> list[Ellipsoid]:
    """An ellipse of so many times the field, off its middle, with inclusions."""
    draw = np.random.default_rng(seed)
    a, ratio = scale * N / 2, draw.uniform(0.75, 1.0)
    y, x = draw.uniform(-0.06, 0.06, 2) * N
    things = [Ellipsoid((0, y, x), (1e6, a, a * ratio), MATRIX, (draw.uniform(0, 180), 0, 0))]
    for _ in range(parts):
        r, phi = draw.uniform(0, 0.75 * a * ratio), draw.uniform(0, 2 * np.pi)
        radii = draw.uniform(0.02, 0.12, 2) * N
        attenuation = MATRIX * draw.choice([-0.5, 0.4, 0.3])
        place = (0, y + r * np.sin(phi), x + r * np.cos(phi))
        things.append(Ellipsoid(place, (1e6, *radii), attenuation, (draw.uniform(0, 180), 0, 0)))
    return things


def project(things: list[Ellipsoid], angles: Array, columns: int, axis: float) -> Array:
    """Exact projections, averaged over each pixel's width."""
    u = (np.arange(columns * SUBRAYS) + 0.5) / SUBRAYS - 0.5 - axis
    made = line_integrals(things, angles, np.zeros(1), u)[:, 0]
    return np.asarray(made.reshape(len(angles), columns, SUBRAYS).mean(axis=2))


def picture(things: list[Ellipsoid], size: int = N) -> Array:
    """The ellipses themselves, averaged over each pixel."""
    place = np.arange(size) - (size - 1) / 2
    return np.asarray(voxelise(things, np.zeros(1), place, place)[0, ::-1], np.float64)


def radius(size: int) -> Array:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.asarray(np.hypot(y, x) / (size / 2))


def rmse(image: Array, truth: Array, within: float) -> float:
    inside = radius(truth.shape[0]) < within
    return float(np.sqrt(np.mean((image - truth)[inside] ** 2)) / MATRIX)


def bias_and_cupping(image: Array, truth: Array) -> tuple[float, float]:
    r2 = radius(truth.shape[0]) ** 2
    inside = r2 < 0.81
    terms = np.stack([np.ones(inside.sum()), r2[inside] - r2[inside].mean()], axis=1)
    bias, cupping = np.linalg.lstsq(terms, (image - truth)[inside] / MATRIX, rcond=None)[0]
    return float(bias), float(cupping)


def noisy(made: Array, seed: int, sigma: float) -> Array:
    return made + np.random.default_rng(1000 + seed).normal(0, sigma, made.shape)


def mean_of(seeds: int, one: Callable[[int], list[float]]) -> Array:
    return np.mean([np.abs(one(seed)) for seed in range(seeds)], axis=0)


def whole_rows(methods: dict[str, Method], seeds: int) -> list[list[str]]:
    rows, aside = [], sizes.scaled(20, SMALL)
    for what, angles, columns, axis in (
        (f"{VIEWS} views over 180°", ANGLES, N, MIDDLE),
        (f"{VIEWS + 1} views, the last repeats the first", np.linspace(0, 180, VIEWS + 1), N, MIDDLE),
        (f"{2 * VIEWS} views over 360°", FULL_TURN, N, MIDDLE),
        (f"{VIEWS} golden angles", np.mod(np.arange(VIEWS) * 111.24611797, 180), N, MIDDLE),
        (f"axis {aside} columns off the middle", ANGLES, N, MIDDLE + aside),
        (f"{N - 1} columns", ANGLES, N - 1, MIDDLE - 0.5),
    ):

        def score(
            seed: int, method: Method, angles: Array = angles, columns: int = columns, axis: float = axis
        ) -> list[float]:
            things = body(seed, 0.6)
            made = project(things, angles, columns, axis)
            return [rmse(method(made, angles, axis, columns), picture(things, columns), 0.75)]

        figures = [mean_of(seeds, lambda seed, m=method: score(seed, m))[0] for method in methods.values()]
        rows.append([what, *("–" if np.isnan(figure) else f"{figure:.4f}" for figure in figures)])
    return rows


def truncated_rows(methods: dict[str, Method], seeds: int) -> list[list[str]]:
    rows = []
    for scale in (0.8, 1.05, 1.3, 1.8, 2.2):
        cells = []
        for method in methods.values():

            def score(seed: int, scale: float = scale, method: Method = method) -> list[float]:
                things = body(seed, scale)
                made = noisy(project(things, ANGLES, N, MIDDLE), seed, 0.005)
                return list(bias_and_cupping(method(made, ANGLES, MIDDLE, N), picture(things)))

            bias, cupping = mean_of(seeds, score)
            cells.append(f"{bias:.3f} / {cupping:.3f}")
        rows.append([f"{scale:g} × the field", *cells])
    return rows


def limited_rows(methods: dict[str, Method], seeds: int) -> list[list[str]]:
    rows = []
    for cover in (60, 70, 80):
        for sigma in (0.0, 0.03):
            angles = np.linspace(-cover, cover, sizes.scaled(2 * cover, SMALL) + 1)

            def score(seed: int, method: Method, angles: Array = angles, sigma: float = sigma) -> list[float]:
                things = body(seed, 0.7)
                made = noisy(project(things, angles, N, MIDDLE), seed, sigma)
                return [rmse(method(made, angles, MIDDLE, N), picture(things), 0.5)]

            figures = [
                mean_of(seeds, lambda seed, m=method: score(seed, m))[0] for method in methods.values()
            ]
            rows.append([f"± {cover}°, noise {sigma:g}", *(f"{figure:.3f}" for figure in figures)])
    return rows


def half_rows(seeds: int) -> list[list[str]]:
    axis = float(sizes.scaled(30, SMALL))
    size = field_columns(N, axis)
    rows = []
    for turn in (345, 360, 380):
        angles = np.arange(0, turn, 180 / sizes.scaled(360, SMALL))

        def score(seed: int, angles: Array = angles) -> list[float]:
            things = body(seed, 1.2)
            made = project(things, angles, N, axis) * overlap_weights(N, axis)
            image = tm.fbp(made.astype(np.float32), angles, axis, size=size, turn_deg=360)
            return [rmse(image, picture(things, size), 0.6)]

        rows.append([f"{turn}°", f"{mean_of(seeds, score)[0]:.4f}"])
    return rows


def wide_half_rows(seeds: int) -> list[list[str]]:
    axis = float(sizes.scaled(30, SMALL))
    size = field_columns(N, axis)
    angles = np.arange(0, 360, 180 / sizes.scaled(360, SMALL))
    rows = []
    for scale in (0.8, 1.05, 1.3, 1.8, 2.2):
        cells = []
        for padding in ("auto", "zero"):

            def score(seed: int, scale: float = scale, padding: str = padding) -> list[float]:
                things = body(seed, scale * size / N)
                made = noisy(project(things, angles, N, axis), seed, 0.005) * overlap_weights(N, axis)
                image = tm.fbp(
                    made.astype(np.float32), angles, axis, size=size, turn_deg=360, padding=padding
                )
                return list(bias_and_cupping(image, picture(things, size)))

            bias, cupping = mean_of(seeds, score)
            cells.append(f"{bias:.3f} / {cupping:.3f}")
        rows.append([f"{scale:g} × the field", *cells])
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def slices_page(seeds: int) -> str:
    """Compare slices with analytic truth."""
    peers = installed()
    methods = {"tomarium": ours(), "tomarium, ramp": ours("ramp"), **peers}
    names = sorted({package for name, (_, package, _) in PEERS.items() if name in peers})
    beside = ", ".join(f"{name} {version(name)}" for name in names) or "no peer, for none was installed"
    head = ["", *methods]
    return f"""# Accuracy

Written by `make accuracy`: {seeds} drawings a row, {N} columns, beside {beside}, on the same
sinograms. Numbers are parts of the attenuation of the sample's body; smaller is better. The samples are
ellipses with ten inclusions, projected exactly and averaged over each pixel's width. Truth is the
picture of the same ellipses, averaged over each pixel. Peers are called with the plain ramp, and with their own
defaults else.

## Whole scans

Root mean square error inside, edges of the inclusions included; the sample is 0.6 of the field.

{table(head, whole_rows(methods, seeds))}

## Samples wider than the detector

Mean of | bias | and of | cupping | inside 0.9 of the field (error = b + c (r² - mean of r²)), at noise of 0.005.

{table(head, truncated_rows(methods, seeds))}

## Missing angles

Root mean square error inside half of the field, views in steps of {180 / sizes.scaled(180, SMALL):.2g}°. With
noise, whoever smooths more wins: the linear interpolation of peers damps the finest detail, which the Shepp–Logan
window keeps.

{table(head, limited_rows(methods, seeds))}

## Half acquisition

Root mean square error inside 0.6 of the field; axis at column {sizes.scaled(30, SMALL)} of {N}, views in
steps of {180 / sizes.scaled(360, SMALL):.2g}°, over a turn of so many degrees. In less than a whole turn the outer
part of the field is not seen at all angles.

{table(["turn", "tomarium"], half_rows(seeds))}

Samples wider than the field of a half acquisition: mean of | bias | and of | cupping |, as above.

{table(["", "tomarium", "tomarium, zeros beyond"], wide_half_rows(seeds))}
"""
