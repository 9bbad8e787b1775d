"""Segment a volume of any size: every voxel inside its field gets the number of a class, or of an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.components import Components
from tomarium.kernels.grey_values import GreyValues, grey_values
from tomarium.kernels.thresholds import multi_otsu, otsu
from tomarium.model import Volume
from tomarium.pipeline.segment import forest
from tomarium.pipeline.segment.field import Field, field_of
from tomarium.pipeline.segment.label_volume import demand_new, write_labels
from tomarium.pipeline.segment.slabs import Smoothed, inside, slab_height, slabs
from tomarium.pipeline.segment.watershed import basins

Method = Literal["otsu", "multi-otsu", "hysteresis", "watershed", "forest"]
METHODS: Final[tuple[Method, ...]] = ("otsu", "multi-otsu", "hysteresis", "watershed", "forest")

FEWEST_VOXELS: Final = 20_000_000
"""Voxels at least that thresholds are taken from, in runs of slices evenly over the volume."""

RUNS: Final = 8

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Segmentation:
    """What became of a volume.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    thresholds : tuple of float
        In the volume's unit; those of a hysteresis are the weak and the strong one. Empty for a forest.
    smooth_px : float
        Smoothing before, σ in px.
    dark : bool
        Whether objects are darker than the threshold.
    voxels : dict of int to int
        Class → voxels inside the field, 0 the background; of a watershed 0 and 1 for all objects.
    field : str
        "circle" where only the inscribed circle of each slice was segmented, else "box".
    field_source : str
        Why, in words.
    objects : int or None
        Basins of a watershed.
    """

    method: str
    thresholds: tuple[float, ...]
    smooth_px: float
    dark: bool
    voxels: dict[int, int]
    field: str
    field_source: str
    objects: int | None = None


def segment(
    volume: Volume,
    target: Path,
    method: Method = "otsu",
    *,
    smooth_px: float = 1.0,
    classes: int = 3,
    thresholds: tuple[float, ...] = (),
    dark: bool = False,
    painted: Path | None = None,
    h_px: float = 1.0,
    field: Field = "auto",
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Segmentation:
    """Segment a volume, slab by slab, and write the labels.

    Voxels outside of the field get 0 and are not counted. Slabs of any height give the same labels.

    Parameters
    ----------
    volume : Volume
        Grey values in any unit.
    target : Path
        Where labels go; .zarr makes an OME-Zarr label image.
    method : {"otsu", "multi-otsu", "hysteresis", "watershed", "forest"}
        otsu: 1 beyond one threshold. multi-otsu: 0, 1, 2 … between several, the darkest 0. hysteresis: 1 beyond the
        weak threshold in objects that reach the strong one. watershed: objects beyond one threshold, parted at
        their necks, 1, 2, 3 … forest: the classes of painted voxels, learned from their neighbourhoods.
    smooth_px : float
        σ of the smoothing before, px; it keeps curved surfaces where they are. 0 for none.
    classes : int
        Of multi-otsu, 2 to 8.
    thresholds : tuple of float
        In the volume's unit, in place of those that are found: one; weak and strong; or classes - 1.
    dark : bool
        Whether objects are what is darker, such as pores.
    painted : Path, optional
        For a forest: label volume or CSV table.
    h_px : float
        For a watershed: by how much a seed rises above the neck to a thicker one.
    field : {"auto", "circle", "box"}
        What of a slice is segmented: its inscribed circle, or all; auto takes the circle where the volume tells that it
        was reconstructed in one.
    overwrite : bool
        Whether a target that is there may be replaced.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Segmentation
        Thresholds and counts.

    Raises
    ------
    InputError
        The target is there, the volume has no contrast, or painted voxels cannot be used.
    ParameterError
        Numbers that cannot be.
    EngineUnavailable
        The packages of the extra `analysis` are not installed.
    """
    say = tell or (lambda stage, done, total: None)
    _demand(method, smooth_px, classes, thresholds, painted, h_px)
    demand_new(target, overwrite)
    kind, why = field_of(volume, field)
    circle = inside(volume.shape, disc=kind == "circle")
    if method == "watershed":
        volume.demand_cubes("a watershed")
    source = Smoothed(volume, smooth_px, _fill(volume))
    levels: tuple[float, ...] = ()
    if method != "forest":
        levels = thresholds or _thresholds(source, method, classes, dark, kind == "circle", say)
    counts: dict[int, int] = {}
    objects: list[int] = []
    dtype = np.dtype(np.uint32 if method == "watershed" else np.uint8)
    sign = -1.0 if dark else 1.0
    blocks: Iterator[NDArray[Any]]
    if method == "forest":
        assert painted is not None
        blocks = _forest(source, painted, say)
    elif method == "hysteresis":
        blocks = _hysteresis(source, levels, sign, circle, say)
    elif method == "watershed":
        blocks = _watershed(source, levels[0], sign, circle, h_px, objects, say)
    else:
        blocks = _apply_thresholds(source, levels, sign, say)
    account: dict[str, Any] = {
        "method": method,
        "thresholds": list(levels),
        "unit": volume.unit,
        "smooth_px": smooth_px,
        "dark": dark,
        "field": kind,
        "field_source": why,
        "source": volume.path.name if volume.path else volume.name,
    }
    counted = _count_labels(blocks, circle, counts, method == "watershed")
    write_labels(target, volume, counted, dtype, account, overwrite=overwrite, tell=say)
    return Segmentation(method, levels, smooth_px, dark, counts, kind, why, objects[0] if objects else None)


def as_data(segmentation: Segmentation) -> dict[str, Any]:
    """Write what became of a volume for machines: the fields of `Segmentation`."""
    return {**asdict(segmentation), "thresholds": list(segmentation.thresholds)}


def _demand(
    method: str,
    smooth_px: float,
    classes: int,
    thresholds: tuple[float, ...],
    painted: Path | None,
    h_px: float,
) -> None:
    if method not in METHODS:
        raise ParameterError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    if not (0 <= smooth_px <= 20 and 0 < h_px <= 100 and 2 <= classes <= 8):
        raise ParameterError(
            f"smoothing {smooth_px} px, h {h_px} px, {classes} classes: give 0 to 20 px, above 0 px, and 2 to 8"
        )
    count = {"otsu": 1, "watershed": 1, "hysteresis": 2, "multi-otsu": classes - 1, "forest": 0}[method]
    if thresholds and (len(thresholds) != count or not np.isfinite(thresholds).all()):
        raise ParameterError(f"{method} takes {count} thresholds, and {len(thresholds)} were given")
    if (method == "forest") != (painted is not None):
        raise ParameterError("painted voxels and the method forest belong together: give both or none")


def _fill(volume: Volume) -> float:
    """Return what stands for values that are not finite: the median of the middle slice."""
    plane = np.asarray(volume[volume.shape[0] // 2], np.float32)
    finite = plane[np.isfinite(plane)]
    return float(np.median(finite)) if finite.size else 0.0


def _thresholds(
    source: Smoothed, method: str, classes: int, dark: bool, disc: bool, say: Tell
) -> tuple[float, ...]:
    values = _values(source, disc, say)
    counts, low, high = values.counts, values.low, values.high
    if method == "multi-otsu":
        return multi_otsu(counts, low, high, classes)
    middle = otsu(counts, low, high)
    if method != "hysteresis":
        return (middle,)
    # The weak threshold stands in the middle, the strong one half-way to the mean of what lies beyond it.
    centres = np.linspace(low, high, 2 * len(counts) + 1)[1::2]
    beyond = centres < middle if dark else centres > middle
    strong = float((counts[beyond] * centres[beyond]).sum() / max(1, counts[beyond].sum()))
    return middle, (middle + strong) / 2


def _values(source: Smoothed, disc: bool, say: Tell) -> GreyValues:
    depth, rows, columns = source.shape
    count = min(depth, max(1, -(-FEWEST_VOXELS // (rows * columns))))
    runs = min(RUNS, count)
    starts = np.linspace(0, depth - count // runs, runs).round().astype(int) if count < depth else [0]
    length = count // runs if count < depth else depth
    planes = sorted({z for start in starts for z in range(int(start), int(start) + length)})
    return grey_values(
        source, circle=disc, planes=planes, tell=lambda done, total: say("thresholds", done, total)
    )


def _count_labels(
    blocks: Iterator[NDArray[Any]], circle: NDArray[np.bool_], counts: dict[int, int], objects: bool
) -> Iterator[NDArray[Any]]:
    """Clear what lies outside of the field, and count the rest."""
    for block in blocks:
        block[:, ~circle] = 0
        labels = (block[:, circle] > 0).astype(np.uint8) if objects else block[:, circle]
        for number, count in enumerate(np.bincount(labels.ravel().astype(np.intp))):
            if count:
                counts[number] = counts.get(number, 0) + int(count)
        yield block


def _apply_thresholds(
    source: Smoothed, levels: tuple[float, ...], sign: float, say: Tell
) -> Iterator[NDArray[np.uint8]]:
    several = len(levels) > 1
    for start, stop in slabs(source.shape[0], slab_height(source.shape, 24, 8)):
        values = source.read(start, stop)
        if several:
            numbers = np.digitize(values, np.array(levels, np.float32)).astype(np.uint8)
            yield len(levels) - numbers if sign < 0 else numbers
        else:
            yield (sign * values > sign * levels[0]).astype(np.uint8)
        say("classes", stop, source.shape[0])


def _hysteresis(
    source: Smoothed, levels: tuple[float, ...], sign: float, circle: NDArray[np.bool_], say: Tell
) -> Iterator[NDArray[np.uint8]]:
    weak, strong = levels
    if sign * weak > sign * strong:
        raise ParameterError(f"a hysteresis from {weak:g} to {strong:g}: the weak threshold comes first")
    depth, height = source.shape[0], slab_height(source.shape, 64, 8)
    components, reaching = Components(), [np.zeros(1, np.int64)]
    for start, stop in slabs(depth, height):
        values = source.read(start, stop)
        numbers = components.add((sign * values > sign * weak) & circle)
        reaching.append(np.unique(numbers[(sign * values > sign * strong) & circle]))
        say("objects", stop, depth)
    numbers_of = components.numbers()
    keep = np.zeros(int(numbers_of.max(initial=0)) + 1, bool)
    keep[numbers_of[np.concatenate(reaching)]] = True
    keep[0] = False
    again = Components()
    for start, stop in slabs(depth, height):
        numbers = again.add((sign * source.read(start, stop) > sign * weak) & circle)
        yield keep[numbers_of[numbers]].astype(np.uint8)
        say("classes", stop, depth)


def _watershed(
    source: Smoothed,
    level: float,
    sign: float,
    circle: NDArray[np.bool_],
    h_px: float,
    objects: list[int],
    say: Tell,
) -> Iterator[NDArray[np.uint32]]:
    def mask(start: int, stop: int) -> NDArray[np.bool_]:
        return np.asarray((sign * source.read(start, stop) > sign * level) & circle)

    count, labels = basins(mask, source.shape, h_px, say)
    objects.append(count)
    return labels


def _forest(source: Smoothed, painted: Path, say: Tell) -> Iterator[NDArray[np.uint8]]:
    trees = forest.learn(source, forest.read_painted(painted, source.shape), say)
    if len(trees.classes_) < 2:
        raise InputError(f"{painted}: one class only was painted")
    yield from forest.classes_of(source, trees, say)
