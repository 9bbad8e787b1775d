"""The entries of a NeXus file that hold a tomography, with their data and image_key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.source import Source

# Below, {entry} is the group of the scan, {parent} the group it lies in, {detector} the detector's.
DATA: Final = ("{detector}/data", "{entry}/data/data")
IMAGE_KEY: Final = (
    "{detector}/image_key_control",
    "{detector}/image_key",
    "{entry}/data/image_key",
    "{entry}/instrument/image_key/image_key",
    "{parent}/instrument/image_key/image_key",
)


# Path, parent's path, group and its definition.
Group: TypeAlias = tuple[str, str, h5py.Group, str | None]


@dataclass(frozen=True)
class Place:
    """Where a scan lies in its file."""

    # HDF5 paths of the scan's group, the group it lies in and its detector
    entry: str
    parent: str
    detector: str
    why: str  # what says that it is a scan
    dialect: str  # whose spelling it is
    score: float  # how sure that is

    def paths(self, *templates: str) -> tuple[str, ...]:
        """Fill the templates of the tables above in."""
        name = self.detector.rsplit("/", 1)[-1]
        return tuple(
            template.format(entry=self.entry, parent=self.parent, detector=self.detector, name=name)
            for template in templates
        )


def groups_of(source: Source) -> Iterator[Group]:
    """Yield the root's groups and theirs."""
    for name, group in source.groups(source.file):
        yield f"/{name}", "", group, _definition(source, group)
        for below, child in source.groups(group, (b"instrument", b"definition")):
            yield f"/{name}/{below}", f"/{name}", child, _definition(source, child)


def _definition(source: Source, group: h5py.Group) -> str | None:
    definition = source.text("definition", group) or source.attribute(group, "definition")
    # A misspelling that files carry, and what NeXus of before 2006 wrote instead.
    return definition or source.attribute(group, "defination") or source.text("analysis", group)


def places_of(source: Source, groups: list[Group]) -> list[Place]:
    """Find the groups that hold a tomography, the surest first; undefined ones only where none is defined."""
    places = [
        place
        for entry, parent, group, definition in groups
        if definition == "NXtomo" and (place := _place(source, entry, parent, group, True))
    ]
    if not places:
        undefined = (_place(source, entry, parent, group, False) for entry, parent, group, _ in groups)
        places = [place for place in undefined if place]
    return sorted(places, key=lambda place: -place.score)


def _place(source: Source, entry: str, parent: str, group: h5py.Group, defined: bool) -> Place | None:
    """Find the detector of a group that may be a scan: frames and keys of one length are the surest."""
    instrument = source.find("instrument", group)
    if not isinstance(instrument, h5py.Group):
        return None
    best: Place | None = None
    for name, detector in source.groups(instrument):
        if not defined and "image_key" not in detector:
            continue
        place = Place(entry, parent, f"{entry}/instrument/{name}", "", "", 0.0)
        key, data = image_key_of(source, place), node_of(source, place, DATA)
        linked = data is not None or "data" in detector or f"{entry}/data/data" in source.file
        is_detector = source.attribute(detector, "NX_class") == "NXdetector" or name.startswith("detector")
        if key is None or not linked or not is_detector:
            continue
        fits = data is not None and data.ndim == 3 and data.shape[0] == len(key)
        if not defined and not fits:
            continue
        score = (1.0 if fits else 0.7) if defined else 0.8
        if best is None or score > best.score:
            why = "its definition is NXtomo" if defined else f"instrument/{name} has frames and an image_key"
            best = Place(
                entry, parent, place.detector, f"{entry}: {why}", _dialect(group, entry, defined), score
            )
    return best


def _dialect(group: h5py.Group, entry: str, defined: bool) -> str:
    if not defined:
        return "Diamond, without a definition"
    version = attribute(group, "version")
    if version is not None:
        return f"ESRF {version}"
    return "Diamond tomo_entry" if entry.endswith("/tomo_entry") else "NIAC"


def what_is_lacking(groups: list[Group]) -> str:
    """Say why no group is a tomography."""
    definitions = [f"{path} is {text}" for path, _, _, text in groups if text]
    if any(text.endswith(" is NXtomo") for text in definitions):
        return "it has the definition NXtomo, but no detector with frames and an image_key"
    names_text = f" ({', '.join(definitions)})" if definitions else ""
    return (
        f"no group has the definition NXtomo{names_text}, and no detector has stacked frames and an image_key"
    )


def node_of(source: Source, place: Place, templates: tuple[str, ...]) -> h5py.Dataset | None:
    """Return the first dataset that the templates name."""
    nodes = (source.find(path) for path in place.paths(*templates))
    return next((node for node in nodes if isinstance(node, h5py.Dataset)), None)


def image_key_of(source: Source, place: Place) -> NDArray[np.float64] | None:
    """Return the first image_key that the tables name."""
    arrays = (source.array(path) for path in place.paths(*IMAGE_KEY))
    return next((array for array in arrays if array is not None and len(array)), None)
