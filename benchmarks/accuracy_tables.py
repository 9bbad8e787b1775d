"""Slices against analytic truth, beside whichever peers are installed: the first tables of docs/reference/accuracy.md.

Every case draws its own ellipses from seeds. Numbers are parts of the matrix's attenuation. Peers are called as their
documentation shows, with their defaults but for the ramp filter, and for padding where a row names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
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


@dataclass(frozen=True)
class Line:
    """A row of a table of slices.

    Attributes
    ----------
    table : str
        Which table it is in.
    name : str
        Its first cell.
    draw : callable
        Seed → sinogram, and the picture of what was projected.
    images : dict of str to callable
        Name of a method → its image of a sinogram.
    score : callable
        Image, picture → numbers of which the means over the seeds are told.
    digits : int
        Of each number.
    """

    table: str
    name: str
    draw: Callable[[int], tuple[Array, Array]]
    images: dict[str, Callable[[Array], Array]]
    score: Callable[[Array, Array], tuple[float, ...]]
    digits: int


def cells(line: Line, seeds: int) -> list[str]:
    """Cells of a row; all methods have the same sinograms."""
    found = []
    for seed in range(seeds):
        sinogram, wanted = line.draw(seed)
        found.append([np.abs(line.score(image(sinogram), wanted)) for image in line.images.values()])
    means = np.mean(found, axis=0)
    return [line.name, *("–" if np.isnan(some).any() else _told(some, line.digits) for some in means)]


def _told(numbers: Array, digits: int) -> str:
    return " / ".join(f"{number:.{digits}f}" for number in numbers)


def scene(
    seed: int,
    scale: float,
    angles: Array | None = None,
    columns: int = N,
    axis: float = MIDDLE,
    size: int = N,
    noise: float = 0.0,
) -> tuple[Array, Array]:
    """A sinogram, of `ANGLES` if no others are given, and the picture of its body."""
    things = body(seed, scale)
    made = project(things, ANGLES if angles is None else angles, columns, axis)
    return noisy(made, seed, noise), picture(things, size)


def by(
    methods: dict[str, Method], angles: Array, axis: float = MIDDLE, size: int = N
) -> dict[str, Callable[[Array], Array]]:
    """The methods for sinograms of such angles and axis."""
    return {name: lambda p, m=method: m(p, angles, axis, size) for name, method in methods.items()}  # type: ignore[misc]


def error_within(within: float) -> Callable[[Array, Array], tuple[float]]:
    return lambda image, wanted: (rmse(image, wanted, within),)


def whole_lines(methods: dict[str, Method]) -> list[Line]:
    aside = sizes.scaled(20, SMALL)
    return [
        Line(
            "whole",
            what,
            partial(scene, scale=0.6, angles=angles, columns=columns, axis=axis, size=columns),
            by(methods, angles, axis, columns),
            error_within(0.75),
            4,
        )
        for what, angles, columns, axis in (
            (f"{VIEWS} views over 180°", ANGLES, N, MIDDLE),
            (f"{VIEWS + 1} views, the last repeats the first", np.linspace(0, 180, VIEWS + 1), N, MIDDLE),
            (f"{2 * VIEWS} views over 360°", FULL_TURN, N, MIDDLE),
            (f"{VIEWS} golden angles", np.mod(np.arange(VIEWS) * 111.24611797, 180), N, MIDDLE),
            (f"axis {aside} columns off the middle", ANGLES, N, MIDDLE + aside),
            (f"{N - 1} columns", ANGLES, N - 1, MIDDLE - 0.5),
        )
    ]


WIDER = (0.8, 1.05, 1.3, 1.8, 2.2)


def truncated_lines(methods: dict[str, Method]) -> list[Line]:
    return [
        Line(
            "truncated",
            f"{scale:g} × the field",
            partial(scene, scale=scale, angles=ANGLES, noise=0.005),
            by(methods, ANGLES),
            bias_and_cupping,
            3,
        )
        for scale in WIDER
    ]


def limited_lines(methods: dict[str, Method]) -> list[Line]:
    made = []
    for cover in (60, 70, 80):
        angles = np.linspace(-cover, cover, sizes.scaled(2 * cover, SMALL) + 1)
        made += [
            Line(
                "limited",
                f"± {cover}°, noise {sigma:g}",
                partial(scene, scale=0.7, angles=angles, noise=sigma),
                by(methods, angles),
                error_within(0.5),
                3,
            )
            for sigma in (0.0, 0.03)
        ]
    return made


ASIDE = float(sizes.scaled(30, SMALL))  # the axis of a half acquisition


def over_a_turn(angles: Array, padding: str = "auto") -> Callable[[Array], Array]:
    """Slices of half acquisitions."""

    def image(p: Array) -> Array:
        weighted = (p * overlap_weights(N, ASIDE)).astype(np.float32)
        size = field_columns(N, ASIDE)
        return tm.fbp(weighted, angles, ASIDE, size=size, turn_deg=360, padding=padding)

    return image


def half_lines() -> list[Line]:
    size, step = field_columns(N, ASIDE), 180 / sizes.scaled(360, SMALL)
    place = {"axis": ASIDE, "size": size}
    made = []
    for turn in (345, 360, 380):
        angles = np.arange(0, turn, step)
        draw = partial(scene, scale=1.2, angles=angles, **place)
        made.append(Line("half", f"{turn}°", draw, {"tomarium": over_a_turn(angles)}, error_within(0.6), 4))
    angles = np.arange(0, 360, step)
    images = {"tomarium": over_a_turn(angles), "tomarium, zeros beyond": over_a_turn(angles, "zero")}
    for scale in WIDER:
        draw = partial(scene, scale=scale * size / N, angles=angles, noise=0.005, **place)
        made.append(Line("wide half", f"{scale:g} × the field", draw, images, bias_and_cupping, 3))
    return made


@cache
def lines() -> list[Line]:
    """All rows of the tables of slices."""
    methods = {"tomarium": ours(), "tomarium, ramp": ours("ramp"), **installed()}
    return [*whole_lines(methods), *truncated_lines(methods), *limited_lines(methods), *half_lines()]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def told_size(seeds: int) -> str:
    """Seeds and columns, as the page tells them of its tables of slices."""
    return f"{seeds} drawings a row, {N} columns,"


def slices_page(seeds: int, rows: list[list[str]]) -> str:
    """Tell the cells of all lines."""
    peers = installed()

    def of(name: str, *first: str) -> str:
        mine = [(line, row) for line, row in zip(lines(), rows, strict=True) if line.table == name]
        return table([*first, *mine[0][0].images], [row for _, row in mine])

    names = sorted({package for name, (_, package, _) in PEERS.items() if name in peers})
    beside = ", ".join(f"{name} {version(name)}" for name in names) or "no peer, for none was installed"
    return f"""# Accuracy

Written by `make accuracy`: {told_size(seeds)} beside {beside}, on the same
sinograms. Numbers are parts of the attenuation of the sample's body; smaller is better. The samples are
ellipses with ten inclusions, projected exactly and averaged over each pixel's width. Truth is the
picture of the same ellipses, averaged over each pixel. Peers are called with the plain ramp, and with their own
defaults else; algotom has one thread, for several lose a part of some pixels.

## Whole scans

Root mean square error inside, edges of the inclusions included; the sample is 0.6 of the field.

{of("whole", "")}

## Samples wider than the detector

Mean of | bias | and of | cupping | inside 0.9 of the field (error = b + c (r² - mean of r²)), at noise of 0.005.

{of("truncated", "")}

## Missing angles

Root mean square error inside half of the field, views in steps of {180 / sizes.scaled(180, SMALL):.2g}°. With
noise, whoever smooths more wins: the linear interpolation of peers damps the finest detail, which the Shepp–Logan
window keeps.

{of("limited", "")}

## Half acquisition

Root mean square error inside 0.6 of the field; axis at column {sizes.scaled(30, SMALL)} of {N}, views in
steps of {180 / sizes.scaled(360, SMALL):.2g}°, over a turn of so many degrees. In less than a whole turn the outer
part of the field is not seen at all angles.

{of("half", "turn")}

Samples wider than the field of a half acquisition: mean of | bias | and of | cupping |, as above.

{of("wide half", "")}
"""
