"""Carry the phases of flat maps into a volume: labels, how sure each is, and what is to be thought of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_json, write_whole
from tomarium.errors import InputError
from tomarium.formats.zarr.progress import is_unfinished
from tomarium.formats.zarr.writer import VolumeWriter, create, is_finished, open_writer
from tomarium.model import Volume
from tomarium.pipeline.segment.slabs import SLAB_BYTES, Smoothed, slabs
from tomarium.pipeline.segment.tiles import Region, each_region, height_of, tiles
from tomarium.specimen.fusion import features as described
from tomarium.specimen.fusion.class_map import ClassMap, Samples, samples_of
from tomarium.specimen.fusion.classifier import Classifier, learn
from tomarium.specimen.fusion.coverage import Section, Space, sections_to_add, space_of
from tomarium.specimen.fusion.judgement import Judgement, block_draws, judge

LABELS: Final = "volume.ome.zarr"
CONFIDENCE: Final = "confidence.ome.zarr"
_PROGRESS: Final = ".fusing"
_DRAWN: Final = 20_000  # voxels of the volume that are kept for comparing it with the maps
_HEIGHT: Final = 64

Tell = Callable[[str, int, int], None]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VoxelCounts:
    """Counts of voxels by phase, and sums of probabilities, over all slabs.

    Attributes
    ----------
    voxels : array of int64, shape (phase,)
        That got each label.
    expected : array of float64, shape (phase,)
        Sum of the probabilities of each.
    unknown : int
        Voxels without a number, which got the label 0.
    sure : array of int64, shape (101,)
        Voxels of each confidence, 0 to 100 %.
    points : array of float64, shape (voxel, component)
        Of voxels drawn from all the volume, where they lie in the space of features.
    places : array of int64, shape (voxel, 3)
        z, y, x of them.
    probabilities : array of float64, shape (voxel, phase)
        Of them.
    """

    voxels: NDArray[np.int64]
    expected: Array
    unknown: int
    sure: NDArray[np.int64]
    points: Array
    places: NDArray[np.int64]
    probabilities: Array


@dataclass(frozen=True, eq=False)
class Fusion:
    """A volume whose voxels have phases.

    Attributes
    ----------
    samples : Samples
        From which it was learned.
    learned : Classifier
        What was learned.
    judgement : Judgement
        How well phases are told on what was held out.
    counted : VoxelCounts
        Of the whole volume.
    space : Space
        Of features.
    sections : tuple of Section
        Where least is known, places for a further map.
    fractions : array of float64, shape (phase, 3)
        Of the volume: the share of each phase, as probabilities tell, and its interval of 95 %.
    on_maps : array of float64, shape (phase, 3)
        The same on the maps, from draws of blocks.
    unlike : float
        Share of the volume that is unlike anything on the maps; 1 % is by chance.
    """

    samples: Samples
    learned: Classifier
    judgement: Judgement
    counted: VoxelCounts
    space: Space
    sections: tuple[Section, ...]
    fractions: Array
    on_maps: Array
    unlike: float


def fuse(
    volume: Volume,
    maps: Sequence[ClassMap],
    folder: Path,
    *,
    account: Mapping[str, Any] | None = None,
    tell: Tell | None = None,
) -> Fusion:
    """Learn phases from maps and tell them of every voxel.

    Parameters
    ----------
    volume : Volume
        Grey values in any unit, with a voxel size; it may be larger than the memory.
    maps : sequence of ClassMap
        Flat maps of phases with their poses in the volume.
    folder : Path
        Gets `volume.ome.zarr`, the labels (uint8, 0 where the volume has no number), and `confidence.ome.zarr`, the
        probability of each label in whole percent, rounded down. Where it was stopped before, it goes on.
    account : Mapping, optional
        What is known of the source, JSON-ready; kept with the labels, and compared before a stopped run goes on.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Fusion
        All figures of the report.

    Raises
    ------
    InputError
        A map lies outside, has one phase only, or its phases are told no better than by chance: then the map is of
        another specimen or its link is wrong, and nothing is written. Or the folder holds something else.
    EngineUnavailable
        The packages of the extra `analysis` are not installed.
    """
    say = tell or (lambda stage, done, total: None)
    samples = samples_of(maps, volume)
    source = Smoothed(volume, 0.0, 0.0)
    of_samples = described.at_places(source, samples.places, say)
    learned = learn(of_samples, samples, say)
    judgement = judge(learned, samples)
    if not judgement.above_chance:
        low, high = judgement.balanced_interval
        raise InputError(
            f"{', '.join(class_map.name for class_map in maps)}: where parts of it were held out, "
            f"{100 * judgement.balanced:.0f} % "
            f"({100 * low:.0f} to {100 * high:.0f} %) of each phase were told right, and "
            f"{100 * judgement.balanced_chance:.0f} % are by chance: the volume shows nothing of these phases, or the "
            f"map is of another place or specimen; look at the picture of tomarium align --picture"
        )
    space = space_of(of_samples, samples, learned.held_out.folds)
    details = {"phases": learned.phases.tolist(), **(account or {})}
    counted = _label_volume(volume, source, learned, space, folder, details, say)
    doubt = 1 - counted.probabilities.max(axis=1)
    away = space.distance(counted.points)
    fractions, on_maps = _fractions(samples, learned, counted)
    return Fusion(
        samples, learned, judgement, counted, space,
        sections_to_add(space, counted.points, _places_m(volume, counted.places), doubt),
        fractions, on_maps, float((away > space.near).mean()),
    )  # fmt: skip


def memory_of(volume: Volume) -> int:
    """Return how many bytes the pass over a volume takes, besides what has been learned."""
    plane = volume.shape[1] * volume.shape[2]
    return described.memory_of(volume.shape) + 7 * _height(volume.shape) * plane


def _height(shape: tuple[int, ...]) -> int:
    """Return how many slices are written at once: a power of two."""
    height = _HEIGHT
    while height > 1 and 2 * height * shape[1] * shape[2] > SLAB_BYTES:
        height //= 2
    return height


def _places_m(volume: Volume, places: NDArray[np.int64]) -> Array:
    assert volume.voxel_m is not None
    first = np.array([axis.offset for axis in volume.axes])
    return np.asarray((first + places * np.array(volume.voxel_m))[:, ::-1])


def _label_volume(
    volume: Volume,
    source: Smoothed,
    learned: Classifier,
    space: Space,
    folder: Path,
    account: Mapping[str, Any],
    say: Tell,
) -> VoxelCounts:
    """Tell all voxels, slab by slab; slabs that an earlier run has told are left."""
    writers = _writers(volume, folder, account)
    progress = folder / _PROGRESS
    finished_slabs = (
        set.intersection(*(set(writer.done()) for writer in writers)) if len(writers) == 2 else set()
    )
    depth = volume.shape[0]
    height = writers[0].slab_rows
    for start, stop in slabs(depth, height):
        path = progress / f"{start:06d}.npz"
        if not (start in finished_slabs and path.is_file()):
            labels, sure, counts = _label_slab(volume, source, learned, space, (start, stop), say)
            file = BytesIO()
            np.savez(file, **counts)
            write_whole(path, file.getvalue())
            for writer, block in zip(writers, (labels, sure), strict=True):
                if start not in writer.done():
                    writer.write(start, block)
    parts = []
    for start, _ in slabs(depth, height):
        with np.load(progress / f"{start:06d}.npz") as stored:
            parts.append({name: stored[name] for name in stored.files})
    for writer in writers:
        writer.finish()
    return VoxelCounts(
        sum(part["voxels"] for part in parts),
        sum(part["expected"] for part in parts),
        int(sum(part["unknown"] for part in parts)),
        sum(part["sure"] for part in parts),
        *(np.concatenate([part[name] for part in parts]) for name in ("points", "places", "probabilities")),
    )


def forget_progress(folder: Path) -> None:
    """Remove what a run kept to go on with, once all is done."""
    shutil.rmtree(folder / _PROGRESS, ignore_errors=True)


def _writers(volume: Volume, folder: Path, account: Mapping[str, Any]) -> tuple[VolumeWriter, VolumeWriter]:
    progress, plain = folder / _PROGRESS, json.loads(json.dumps(dict(account)))
    if progress.is_dir() and (progress / "account.json").is_file():
        if json.loads((progress / "account.json").read_text("utf-8")) != plain:
            raise InputError(
                f"{folder}: holds a fusion that was begun with another volume, other maps or links; give another name, "
                f"or remove it"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: exists already; give the name of a new folder, or remove it")
    progress.mkdir(parents=True, exist_ok=True)
    write_json(progress / "account.json", plain)
    return (
        _writer(volume, folder / LABELS, "", "phases", plain, labels=True),
        _writer(volume, folder / CONFIDENCE, "%", "probability of the phases", plain, labels=False),
    )


def _writer(
    volume: Volume, path: Path, unit: str, name: str, account: Mapping[str, Any], *, labels: bool
) -> VolumeWriter:
    if is_unfinished(path):
        return open_writer(path)
    if is_finished(path):  # stopped between the end of the volumes and that of the record
        shutil.rmtree(path)
    z, y, x = (axis.offset for axis in volume.axes)
    return create(
        path,
        (volume.shape[0], volume.shape[1], volume.shape[2]),
        np.uint8,
        voxel_m=volume.voxel_m,
        slab_rows=_height(volume.shape),
        unit=unit,
        name=f"{name} of {volume.name}",
        origin_m=(z, y, x),
        attributes={"fusion": account},
        labels=labels,
    )


def _label_slab(
    volume: Volume,
    source: Smoothed,
    learned: Classifier,
    space: Space,
    slices: tuple[int, int],
    say: Tell,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], dict[str, Any]]:
    """Tell the voxels of a slab: labels, percent of confidence, and what is counted."""
    start, stop = slices
    shape = (stop - start, *volume.shape[1:])
    labels, sure = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    count, random = len(learned.phases), np.random.default_rng(start)
    voxels, expected, unknown = np.zeros(count, np.int64), np.zeros(count), 0
    points, places, probabilities = [], [], []
    finite = np.isfinite(np.asarray(volume[start:stop], np.float32))
    drawn = _drawn(finite, round(_DRAWN * (stop - start) / volume.shape[0]), random)
    drawn[:, 0] += start

    def work(block: NDArray[np.float32], core: Region, region: Region) -> tuple[Any, ...]:
        rows = described.described(block, core).reshape(-1, described.FEATURES)
        known = finite[region[0].start - start : region[0].stop - start, region[1], region[2]].ravel()
        shares = learned.probabilities(rows)
        called = shares.argmax(axis=1)
        # Cut, not rounded: a confidence is never told too great.
        percent = np.floor(100 * shares[np.arange(len(shares)), called] + 1e-9).astype(np.uint8)
        here, numbers = _those_in(drawn, region)
        return (
            np.where(known, learned.phases[called], 0), np.where(known, percent, 0),
            np.bincount(called[known], minlength=count), shares[known].sum(axis=0), int((~known).sum()),
            here, space.points(rows[numbers]), shares[numbers],
        )  # fmt: skip

    for low, high in slabs(stop - start, height_of(volume.shape, described.HALO)):
        regions = tiles(volume.shape, start + low, start + high)
        for region, found in zip(regions, each_region(source, regions, described.HALO, work), strict=True):
            within = (slice(low, high), *region[1:])
            labels[within] = found[0].reshape(labels[within].shape)
            sure[within] = found[1].reshape(labels[within].shape)
            voxels += found[2]
            expected += found[3]
            unknown += found[4]
            places.append(found[5])
            points.append(found[6])
            probabilities.append(found[7])
        say("phases", start + high, volume.shape[0])
    counts = {
        "voxels": voxels, "expected": expected, "unknown": unknown,
        "sure": np.bincount(sure[labels > 0], minlength=101),
        "points": np.concatenate(points), "places": np.concatenate(places),
        "probabilities": np.concatenate(probabilities),
    }  # fmt: skip
    return labels, sure, counts


def _drawn(finite: NDArray[np.bool_], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw voxels that have a number, shape (voxel, 3), in their order."""
    numbers = np.flatnonzero(finite)
    numbers = np.sort(random.choice(numbers, min(count, len(numbers)), replace=False))
    return np.stack(np.unravel_index(numbers, finite.shape), axis=1)


def _those_in(places: NDArray[np.int64], region: Region) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of some places lie in a region, and which of its voxels they are, counted in the order z, y, x."""
    low = np.array([part.start for part in region])
    shape = np.array([part.stop - part.start for part in region])
    inside = ((places >= low) & (places < low + shape)).all(axis=1)
    here = places[inside]
    return here, np.ravel_multi_index(tuple((here - low).T), tuple(shape))


def _fractions(samples: Samples, learned: Classifier, counted: VoxelCounts) -> tuple[Array, Array]:
    """Return the share of each phase, with its interval, in the volume and on the maps.

    On the maps, blocks are drawn with putting back. In the volume it is the mean probability; by how much such means
    may be wrong is told by the same draws: the difference of what was told and what was right on blocks held out.
    """
    numbers = np.searchsorted(learned.phases, samples.classes)
    right = np.eye(len(learned.phases))[numbers]
    size = int(samples.blocks.max()) + 1
    blocks = np.zeros((size, 3, right.shape[1]))
    for k, values in enumerate((right, learned.held_out.probabilities, np.ones_like(right))):
        np.add.at(blocks[:, k], samples.blocks, values)
    draws = np.einsum("db,bkp->dkp", block_draws(samples.blocks), blocks)
    share = draws[:, 0] / draws[:, 2]
    error_share = (draws[:, 0] - draws[:, 1]) / draws[:, 2]
    mean = counted.expected / max(counted.expected.sum(), 1e-12)
    return (
        np.clip(
            np.column_stack([mean, *(mean + np.percentile(error_share, at, axis=0) for at in (2.5, 97.5))]),
            0,
            1,
        ),
        np.column_stack([right.mean(axis=0), *(np.percentile(share, at, axis=0) for at in (2.5, 97.5))]),
    )
