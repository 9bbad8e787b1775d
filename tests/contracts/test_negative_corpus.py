"""Every part of every HDF5 format: taken away, renamed, cut short, in a wrong unit, of a wrong type, pointing nowhere.

What comes back is a refusal in words, or the frames of the sound file; and what is told of them is as it was, or it is
said that something is not.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_formats import MAKERS
from tomarium.errors import TomariumError
from tomarium.model import Image, Scan

HDF5 = (
    "als",
    "bliss",
    "data-exchange",
    "data-exchange-maps",
    "edax",
    "flyscan",
    "nexus-maps",
    "nxtomo",
    "nxtomophase",
    "nxtomoproc",
)
VALUES = ("pixel_m", "energy_kev", "distance_m", "axis_column")


def remove(group: h5py.Group, name: str) -> None:
    del group[name]


def rename(group: h5py.Group, name: str) -> None:
    group.move(name, f"{name}_of_old")


def shorten(group: h5py.Group, name: str) -> None:
    node = group[name]
    if not isinstance(node, h5py.Dataset) or not node.shape or node.shape[0] < 2 or node.is_virtual:
        raise LookupError
    replaced(group, name, node[: node.shape[0] - 1])


def wrong_unit(group: h5py.Group, name: str) -> None:
    if "units" not in group[name].attrs:
        raise LookupError
    group[name].attrs["units"] = "foo"


def wrong_dimension(group: h5py.Group, name: str) -> None:
    if "units" not in group[name].attrs:
        raise LookupError
    group[name].attrs["units"] = "kg"


def wrong_type(group: h5py.Group, name: str) -> None:
    node = group[name]
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "iuf":
        raise LookupError
    replaced(group, name, "no number at all")


def no_numbers(group: h5py.Group, name: str) -> None:
    node = group[name]
    if not isinstance(node, h5py.Dataset) or node.dtype.kind != "f":
        raise LookupError
    replaced(group, name, np.full(node.shape, np.nan, node.dtype))


def nowhere(group: h5py.Group, name: str) -> None:
    del group[name]
    group[name] = h5py.SoftLink("/nowhere/at/all")


def absent_file(group: h5py.Group, name: str) -> None:
    del group[name]
    group[name] = h5py.ExternalLink("absent.h5", f"/{name}")


def empty(group: h5py.Group, name: str) -> None:
    if not isinstance(group[name], h5py.Dataset):
        raise LookupError
    replaced(group, name, h5py.Empty("f4"))


def replaced(group: h5py.Group, name: str, value: object) -> None:
    attributes = dict(group[name].attrs)
    del group[name]
    made = group.create_dataset(name, data=value)
    for key, one in attributes.items():
        if key not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS"):
            made.attrs[key] = one


MUTATIONS: tuple[Callable[[h5py.Group, str], None], ...] = (
    remove, rename, shorten, wrong_unit, wrong_dimension, wrong_type, no_numbers, nowhere, absent_file, empty,
)  # fmt: skip


def files_of(path: Path) -> list[Path]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in files if file.is_file() and h5py.is_hdf5(file)]


def places(file: Path) -> Iterator[str]:
    with h5py.File(file) as opened:
        names: list[str] = []
        opened.visit(names.append)
    yield from names


def frames_of(opened: Scan | Image) -> np.ndarray:
    if isinstance(opened, Scan):
        return opened.projections.read(slice(None), slice(None))
    return np.asarray(opened[...])


def account(opened: Scan | Image) -> list[str]:
    """Everything that was said of it."""
    if isinstance(opened, Scan):
        told = [*opened.warnings, *opened.repaired, *opened.missing, opened.why, opened.angles_deg.source]
        return told + [getattr(opened, name).source for name in VALUES if getattr(opened, name) is not None]
    return [
        repr(opened.metadata.get(name)) for name in ("warnings", "missing", "notes", "why", "uncalibrated")
    ]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", HDF5)
def test_a_part_that_is_not_as_it_should_be(
    name: str, mutation: Callable[[h5py.Group, str], None], tmp_path: Path
) -> None:
    sound = tmp_path / "sound" / ("scan" if name == "flyscan" else "scan.h5")
    sound.parent.mkdir()
    MAKERS[name](sound)
    truth = truth_of(sound)
    tried = 0
    broken = tmp_path / "broken" / sound.name
    shutil.copytree(sound.parent, broken.parent)
    for file, other in zip(files_of(sound), files_of(broken), strict=True):
        for place in places(file):
            home, _, last = place.rpartition("/")
            with h5py.File(other, "a") as opened:
                try:
                    mutation(opened[home or "/"], last)
                except LookupError:  # before anything was changed
                    continue
            tried += 1
            where = f"{mutation.__name__} {file.name}:/{place}"
            judge(where, broken, truth)
            shutil.copy2(file, other)
    if not tried:
        pytest.skip("it has no part of which that can be said")


@dataclass(frozen=True)
class Truth:
    """What the sound file gives, read once for all that is done to it."""

    opened: Scan | Image
    frames: np.ndarray
    said: frozenset[str]
    references: dict[str, list[np.ndarray]]


def truth_of(path: Path) -> Truth:
    opened = tm.open(path)
    held = {kind: getattr(opened, kind, None) for kind in ("flats", "darks")}
    references = {
        kind: list(one.frames.read(slice(None), slice(None))) for kind, one in held.items() if one is not None
    }
    return Truth(opened, frames_of(opened), frozenset(account(opened)), references)


def judge(where: str, broken: Path, truth: Truth) -> None:
    try:
        found = tm.open(broken)
        frames = frames_of(found)
    except TomariumError as refused:
        said = str(refused)
    else:
        check(where, found, frames, truth)
        return
    assert broken.name in said, (where, said)


def check(where: str, found: Scan | Image, frames: np.ndarray, sound: Truth) -> None:
    truth, right = sound.opened, sound.frames
    aloud = set(account(found)) - sound.said
    if isinstance(truth, Image) or isinstance(found, Image):
        # Another image of the file, or a scan that lost what made it one, says so by its name and axes.
        same = frames.shape == right.shape and np.array_equal(frames, right, equal_nan=True)
        same = same or (
            frames.shape == right.shape and bool(np.isnan(frames).all())
        )  # what it says of itself
        assert same or aloud or type(found) is not type(truth) or found.name != truth.name, where  # type: ignore[union-attr]
        return
    if frames.shape == right.shape:
        same = np.array_equal(frames, right, equal_nan=True)
        assert same or aloud or np.isnan(frames).any(), where
    else:  # fewer frames are those there were, and it is said
        assert frames.shape[1:] == right.shape[1:], where
        assert aloud, where
        assert all(any(np.array_equal(one, other) for other in right) for one in frames), where
    angles, known = found.angles_deg.value, truth.angles_deg.value
    assert len(angles) == len(frames), where
    if not np.array_equal(angles, known[: len(angles)]):
        assert aloud, (where, "angles")
    for value in VALUES:
        one, other = getattr(found, value), getattr(truth, value)
        if one is not None and (other is None or one.value != other.value):
            assert aloud, (where, value)
    for kind, known in sound.references.items():
        after = getattr(found, kind)
        if after is None:
            assert aloud, (where, kind)
            continue
        for one in after.frames.read(slice(None), slice(None)):  # one frame fewer may be all there was
            held = any(np.array_equal(one, other) for other in known)
            assert held or np.isnan(one).any(), (where, kind)
