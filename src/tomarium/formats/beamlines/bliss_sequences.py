"""The numbered scans of a BLISS file, and which of them make one tomography."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import h5py
import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source
from tomarium.model import FrameKind

SCAN: Final = re.compile(r"(?P<prefix>.*_)?(?P<number>\d+)\.(?P<part>\d+)")
BEGINS: Final = (
    "tomo:", "sequence_of_scans", "holotomo_distance", "pcotomo", "multitomo", "multiturn", "backandforth",
    "back_and_forth",
)  # fmt: skip


HEIGHTS: Final = ("tomo:zseries",)
HEIGHT_MOTORS: Final = ("sz", "difftz", "hrz", "pz", "ntz", "samtz", "mrsz", "tz")
# Heights are the same where they differ by less than this, in the motor's unit, which is the millimetre.
_SAME_HEIGHT: Final = 1e-4
TITLES: Final = {
    FrameKind.DARK: ("dark",),
    FrameKind.FLAT: ("reference images", "flat", "ref"),
    FrameKind.ALIGNMENT: ("static images", "ascan diffrz 180 0 4 0.1"),
    FrameKind.PROJECTION: ("projections", "ascan rot 0", "ascan diffrz 0 180 1600 0.1"),
}


IMAGE_KEY: Final = {0: FrameKind.PROJECTION, 1: FrameKind.FLAT, 2: FrameKind.DARK, -1: FrameKind.ALIGNMENT}
# What plays a part stands in the first scans of a sequence; a run of thousands is not searched for it.
MOST_SEARCHED: Final = 4


@dataclass(frozen=True)
class NumberedScan:
    """One numbered scan: its name, title, what its frames show, and its detectors with their frames."""

    name: str
    title: str
    kind: FrameKind | None
    begins: bool
    detectors: dict[str, h5py.Dataset]


@dataclass
class Sequence:
    """The scans of one tomography: the first one's name and title, and what tells it from others of its series."""

    name: str
    title: str
    steps: list[NumberedScan] = field(default_factory=list)
    part: str = ""

    def detectors(self) -> list[str]:
        """Return the detectors that have projections, in the order of the scans."""
        return list(
            dict.fromkeys(d for s in self.steps if s.kind == FrameKind.PROJECTION for d in s.detectors)
        )


def numbered_scans(source: Source) -> Iterator[NumberedScan]:
    """Yield the numbered scans in the order they were made."""
    numbered = [(match, name) for name in source.file if (match := SCAN.fullmatch(name))]
    numbered.sort(key=lambda item: (item[0]["prefix"] or "", int(item[0]["number"]), int(item[0]["part"])))
    for _, name in numbered:
        group = source.find(f"/{name}")
        if not isinstance(group, h5py.Group) or not {"instrument", "title", "technique"} & set(group):
            continue
        title = source.text("title", group) or ""
        category = (source.text("technique/scan_category", group) or title).lower()
        begins = category.startswith(BEGINS)
        yield NumberedScan(
            name, title, None if begins else _kind(source, group, category), begins, detectors(source, group)
        )


def _kind(source: Source, group: h5py.Group, category: str) -> FrameKind | None:
    key = source.array("technique/image_key", group)
    if key is not None and len(key):
        if np.ptp(key):
            raise FormatError(
                f"{source.path}: {group.name}/technique/image_key holds several keys, so its frames are of several "
                f"kinds in one scan; open it by its paths, with --image-key"
            )
        return IMAGE_KEY.get(round(float(key[0])))
    return next((kind for kind, titles in TITLES.items() if category.startswith(titles)), None)


def detectors(source: Source, group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Return the stacks of images of a numbered scan by the name of their detector."""
    instrument = source.find("instrument", group)
    if not isinstance(instrument, h5py.Group):
        return {}
    nodes = {name: source.find(f"{name}/data", instrument) for name in instrument}
    return {
        name: node
        for name, node in nodes.items()
        if isinstance(node, h5py.Dataset) and node.ndim == 3 and node.dtype.kind in "iuf" and node.size
    }


def _sequences(steps: list[NumberedScan]) -> list[Sequence]:
    """Cut the scans into tomographies: each begins with a scan that says so, or with the first frames."""
    sequences: list[Sequence] = []
    for step in steps:
        if step.begins or (not sequences and step.kind is not None):
            sequences.append(Sequence(step.name, step.title))
        if sequences and step.kind is not None:
            sequences[-1].steps.append(step)
    return [sequence for sequence in sequences if any(s.kind == FrameKind.PROJECTION for s in sequence.steps)]


def _heights(source: Source, sequence: Sequence) -> list[Sequence]:
    """Cut a series of heights into its tomographies; it stays whole where a height is not known or lacks one."""
    if not sequence.title.lower().startswith(HEIGHTS):
        return [sequence]
    motors = dict.fromkeys([*names_of(source, sequence, "translation_z"), *HEIGHT_MOTORS])
    by_height: list[tuple[float, Sequence]] = []
    for step in sequence.steps:
        arrays = (source.array(f"/{step.name}/instrument/positioners/{motor}") for motor in motors)
        values = next((array for array in arrays if array is not None and len(array)), None)
        if values is None or np.ptp(values) > _SAME_HEIGHT:
            return [sequence]
        height = float(values[0])
        part = next((sequence for value, sequence in by_height if abs(value - height) <= _SAME_HEIGHT), None)
        if part is None:
            part = Sequence(sequence.name, sequence.title, [], f"/height_{len(by_height)}")
            by_height.append((height, part))
        part.steps.append(step)
    parts = [part for _, part in by_height]
    return parts if all(part.detectors() for part in parts) else [sequence]


def tomographies(source: Source, steps: list[NumberedScan]) -> dict[str, tuple[Sequence, str]]:
    """Name each tomography by its first scan, its height in a series, and its detector where there are several."""
    by_name = {}
    for sequence in (part for whole in _sequences(steps) for part in _heights(source, whole)):
        detectors = sequence.detectors()
        detector_names = names_of(source, sequence, "detector")
        detectors.sort(key=lambda name: name not in detector_names)
        label = f"{sequence.name}{sequence.part}"
        for detector in detectors:
            by_name[label if len(detectors) == 1 else f"{label}/{detector}"] = (sequence, detector)
    return by_name


def names_of(source: Source, sequence: Sequence, part: str) -> list[str]:
    """Read which devices played a part: technique/tomoconfig/<part> of the scan that begins the sequence."""
    for name in (sequence.name, *(step.name for step in sequence.steps[:MOST_SEARCHED])):
        node = source.find(f"/{name}/technique/tomoconfig/{part}")
        if isinstance(node, h5py.Dataset) and node.size and node.size < 16:
            return [text for value in np.ravel(node[()]) if (text := as_text(value))]
    return []
