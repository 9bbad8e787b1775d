"""Structure of Data Exchange and NXtomo files: lengths, kinds of frames, units, links.

These are what no validator looks at (image_key_control against image_key, lengths against each other, kinds of
frames, links that lead nowhere), told for files that are refused too. `nexus` asks nxvalidate besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, warning
from tomarium.doctor.core.subject import Subject, an_hdf5_file
from tomarium.errors import UnitError
from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.names import member, numbered, shown, visit_links
from tomarium.formats.hdf5.source import NO_UNIT, Source, reading

# Last word of a dataset's path → the unit it is of.
KINDS_OF_UNIT: Final = {
    "rotation_angle": "deg", "theta": "deg", "theta_white": "deg", "theta_dark": "deg",
    "x_pixel_size": "m", "y_pixel_size": "m", "pixel_size_x": "m", "pixel_size_y": "m",
    "incident_energy": "keV", "propagation_distance": "m",
}  # fmt: skip
_MOST_NODES: Final = 20_000


@dataclass(frozen=True)
class Entry:
    """A scan in a NeXus file, however it is spelt.

    Attributes
    ----------
    name : str
        Path of its group.
    frames : tuple of int or None
        Shape of the detector's data; None where it has none or its file is absent.
    keys, control, angles : array or None
        image_key, image_key_control and rotation_angle.
    detector : str
        Path of the detector's group.
    """

    name: str
    frames: tuple[int, ...] | None
    keys: NDArray[np.float64] | None
    control: NDArray[np.float64] | None
    angles: NDArray[np.float64] | None
    detector: str


@check(an_hdf5_file)
def nxtomo_lengths(subject: Subject) -> Iterator[Finding]:
    """Compare the number of frames, keys and angles of an NXtomo entry.

    Parameters
    ----------
    subject : Subject
        An HDF5 file; says nothing of files without an NXtomo entry.

    Yields
    ------
    Finding
        An error where two differ, or one is absent; a warning where the reader could make sense of it.
    """
    for entry in entries_of(subject):
        lengths = {"data": entry.frames[0]} if entry.frames else {}
        for name, values in (("image_key", entry.keys), ("rotation_angle", entry.angles)):
            if values is None:
                yield error(
                    entry.name,
                    f"there is no {name}",
                    f"{name}, one number for each frame",
                    f"write {name} again from the acquisition's log; without it no frame can be used",
                )
            else:
                lengths[name] = len(values)
        if len(set(lengths.values())) > 1:
            say = warning if subject.scan is not None else error
            yield say(
                entry.name,
                ", ".join(f"{name} {n}" for name, n in lengths.items()),
                "one number for each frame",
                "the scan was broken off, or frames were dropped: cut all to the frames that are there",
            )


@check(an_hdf5_file)
def nxtomo_kinds(subject: Subject) -> Iterator[Finding]:
    """Look at the kinds of frames: known numbers, projections among them, both spellings alike.

    Parameters
    ----------
    subject : Subject
        An HDF5 file; says nothing of files without an NXtomo entry.

    Yields
    ------
    Finding
        An error for unknown kinds and for no projection, a warning where image_key_control says otherwise.
    """
    for entry in entries_of(subject):
        if entry.keys is None:
            continue
        unknown = sorted({float(key) for key in entry.keys} - {0.0, 1.0, 2.0, 3.0, 4.0})
        if unknown:
            yield error(
                f"{entry.detector}/image_key",
                f"the kinds {', '.join(f'{kind:g}' for kind in unknown[:5])}",
                "0 projection, 1 flat, 2 dark, 3 invalid, 4 background",
                "correct the keys from the acquisition's log",
            )
        if not np.any(entry.keys == 0):
            yield error(
                f"{entry.detector}/image_key",
                "no projection (0)",
                "projections",
                "correct the keys, or scan again",
            )
        if entry.control is not None and len(entry.control) == len(entry.keys):
            # -1, alignment, is written as 0 into image_key: nxtomo 3.1.
            differ = int(
                np.count_nonzero((entry.control != entry.keys) & ~((entry.control == -1) & (entry.keys == 0)))
            )
            if differ:
                yield warning(
                    f"{entry.detector}/image_key_control",
                    f"differs from image_key in {differ} of {len(entry.keys)} frames",
                    "the same, but for alignment frames (-1)",
                    "decide which of the two is right: tomarium takes image_key_control",
                )


@check(an_hdf5_file)
def exchange_lengths(subject: Subject) -> Iterator[Finding]:
    """Compare the shapes of data, data_white, data_dark and theta of a Data Exchange file.

    Parameters
    ----------
    subject : Subject
        An HDF5 file; says nothing of files without /exchange.

    Yields
    ------
    Finding
        An error where frames differ in size, or theta and data in number; a warning where the reader could make
        sense of the angles.
    """
    with reading(_path(subject)) as source:
        for name in numbered(source.file, "exchange"):
            shapes = {}
            for part in ("data", "data_white", "data_dark", "theta"):
                node = source.find(f"/{name}/{part}")
                if isinstance(node, h5py.Dataset):
                    shapes[part] = node.shape
            # A processed group of another order says so by its axes and is not compared.
            if len(shapes.get("data", ())) != 3 or _other_order(source, name):
                continue
            for part in ("data_white", "data_dark"):
                if len(shapes.get(part, ())) == 3 and shapes[part][1:] != shapes["data"][1:]:
                    yield error(
                        f"/{name}/{part}",
                        f"frames of {shapes[part][1:]}",
                        f"{shapes['data'][1:]}, as /{name}/data",
                        "these references belong to another scan or region of interest: crop, or take the right ones",
                    )
            if "theta" in shapes and np.prod(shapes["theta"]) != shapes["data"][0]:
                say = warning if subject.scan is not None else error
                yield say(
                    f"/{name}/theta",
                    f"{int(np.prod(shapes['theta']))} angles for {shapes['data'][0]} projections",
                    "one each",
                    "the scan was broken off or frames were dropped: give the angles when you open the scan",
                )


@check(an_hdf5_file)
def exchange_implements(subject: Subject) -> Iterator[Finding]:
    """Compare what /implements lists with what is there (Data Exchange guide 0.9.1, section 2.3).

    Parameters
    ----------
    subject : Subject
        An HDF5 file; says nothing of files without /implements.

    Yields
    ------
    Finding
        A warning for groups that are listed and absent.
    """
    with reading(_path(subject)) as source:
        listed_text = source.text("/implements")
        listed = [word.strip() for word in (listed_text or "").replace(" ", ":").split(":") if word.strip()]
        absent = [text for text in listed if text not in source.file]
        if absent:
            yield warning(
                "/implements",
                f"lists {', '.join(absent)}, which {'are' if len(absent) > 1 else 'is'} not there",
                "the groups of the root",
                "correct the list, or copy the file again if the group was lost",
            )


@check(an_hdf5_file)
def units_wrong(subject: Subject) -> Iterator[Finding]:
    """Look at the units of angles, pixel sizes and energies.

    Parameters
    ----------
    subject : Subject
        An HDF5 file that holds a scan.

    Yields
    ------
    Finding
        An error for a unit of another kind, such as a pixel size in degrees; one warning that names those
        without a unit.
    """
    without = []
    warned = subject.scan.warnings if subject.scan is not None else ()
    for names, spelling in _units(subject):
        name, base_unit = names[0], KINDS_OF_UNIT[names[0].rsplit("/", 1)[-1]]
        if spelling is None or spelling.lower() in NO_UNIT:
            # What the reader warns of is told there, with what it took instead.
            if not any(f":{name} " in text for name in names for text in warned):
                without.append(name)
            continue
        try:
            units.factor(spelling, base_unit)
        except UnitError as problem:
            yield error(
                name,
                f"the unit {spelling!r}",
                f"a unit such as {base_unit}",
                f"correct the attribute units: {problem}",
            )
    if without:
        more = f" and {len(without) - 3} more" if len(without) > 3 else ""
        yield warning(
            ", ".join(without[:3]) + more,
            "no unit",
            "the attribute units",
            "tomarium takes the format's default and says so; write the unit so that others need not guess",
        )


@check(an_hdf5_file)
def links_dangling(subject: Subject) -> Iterator[Finding]:
    """Look for links within the file that lead nowhere.

    Parameters
    ----------
    subject : Subject
        An HDF5 file; links to other files are told by `sources-missing`.

    Yields
    ------
    Finding
        A warning that names the first of them.
    """
    dangling: list[str] = []
    with reading(_path(subject)) as source:
        visit_links(source.file, partial(_note_dangling, source.file, dangling))
    if dangling:
        more = f" and {len(dangling) - 3} more" if len(dangling) > 3 else ""
        yield warning(
            ", ".join(dangling[:3]) + more,
            "links that lead nowhere",
            "links to what is in the file",
            "the writer was stopped before it wrote what they point to, or a group was renamed",
        )


def _note_dangling(file: h5py.File, dangling: list[str], name: str, link: object) -> bool | None:
    if isinstance(link, h5py.SoftLink):
        parent = name.rsplit("/", 1)[0] if "/" in name else "/"
        target = link.path if link.path.startswith("/") else f"{parent}/{link.path}"
        if not _is_reachable(file, target):
            dangling.append(f"/{name} → {link.path}")
    return True if len(dangling) > _MOST_NODES else None


def _is_reachable(file: h5py.File, target: str) -> bool:
    """Tell whether a path within a file leads somewhere; links to other files on its way count as if they did."""
    path_so_far = ""
    for part in [part for part in target.split("/") if part]:
        path_so_far = f"{path_so_far}/{part}"
        link = file.get(path_so_far, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return True
        if link is None or path_so_far not in file:
            return False
    return True


def _path(subject: Subject) -> Path:
    assert subject.path is not None
    return subject.path


def _other_order(source: Source, name: str) -> bool:
    node = source.find(f"/{name}/data")
    axes = attribute(node, "axes") if node is not None else None
    return axes is not None and not axes.replace(",", ":").startswith("theta")


def _units(subject: Subject) -> list[tuple[list[str], str | None]]:
    """List the numbers of known kind that lie in the file itself: all names of each, and its unit if it has one."""
    names: list[str] = []

    def visit(name: str, link: object) -> bool | None:
        if isinstance(link, h5py.HardLink) and name.rsplit("/", 1)[-1] in KINDS_OF_UNIT:
            names.append(name)
        return True if len(names) > _MOST_NODES else None

    spellings: dict[int, tuple[list[str], str | None]] = {}
    with reading(_path(subject)) as source:
        visit_links(source.file, visit)
        for name in names:
            node = member(source.file, name)
            if isinstance(node, h5py.Dataset) and node.dtype.kind in "iuf":
                spelling = attribute(node, "units") or attribute(node, "unit")
                spellings.setdefault(h5py.h5o.get_info(node.id).addr, ([], spelling))[0].append(f"/{name}")
    return list(spellings.values())


def entries_of(subject: Subject) -> list[Entry]:
    """List the NXtomo entries of a file: groups whose definition says so.

    Parameters
    ----------
    subject : Subject
        An HDF5 file.

    Returns
    -------
    list of Entry
        At the root or one level below it.

    Raises
    ------
    FormatError
        The file is damaged.
    """
    with reading(_path(subject)) as source:
        groups = _groups(source, source.file)
        inner = [entry for group in groups for entry in _groups(source, group)]
        entries = []
        for group in [*groups, *inner]:
            definition = source.text("definition", group) or attribute(group, "definition")
            if definition == "NXtomo":
                entries.append(_entry(source, group))
        return entries


def _first(source: Source, *paths: str) -> NDArray[np.float64] | None:
    generator = (source.array(path) for path in paths)
    return next((values for values in generator if values is not None), None)


def _groups(source: Source, parent: h5py.Group) -> list[h5py.Group]:
    nodes = [source.find(shown(name), parent) for name in parent]
    return [node for node in nodes if isinstance(node, h5py.Group)]


def _entry(source: Source, group: h5py.Group) -> Entry:
    instrument = source.find("instrument", group)
    parts = _groups(source, instrument) if isinstance(instrument, h5py.Group) else []
    detectors = [str(part.name) for part in parts if attribute(part, "NX_class") == "NXdetector"]
    detector = detectors[0] if detectors else f"{group.name}/instrument/detector"
    data = source.find(f"{detector}/data")
    return Entry(
        name=str(group.name),
        frames=data.shape if isinstance(data, h5py.Dataset) and data.ndim == 3 else None,
        keys=_first(source, f"{detector}/image_key", f"{group.name}/data/image_key"),
        control=source.array(f"{detector}/image_key_control"),
        angles=_first(source, f"{group.name}/sample/rotation_angle", f"{group.name}/data/rotation_angle"),
        detector=detector,
    )
