"""The walk through an HDF5 file before anything in it is trusted: no link is followed, no data are read.

HDF5 opens whatever a file points to. A dataset of 1.4 kB may name /etc/passwd as the place of its bytes, a
virtual dataset or a link may name another user's scan, 264 kB may unpack to half a gigabyte. What can only do
harm refuses the whole file; what may be meant well (a link to the raw data of a beamline, a filter that is
not installed) is a finding, and is refused where it is used.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import h5py
from h5py import h5d, h5g, h5l, h5o, h5z

from tomarium.errors import FormatError
from tomarium.formats.hdf5.errors import DAMAGE, demand_no_stop
from tomarium.formats.hdf5.half_written import while_written
from tomarium.formats.hdf5.heap_check import check_heaps
from tomarium.formats.hdf5.superblock import read_superblock
from tomarium.formats.opening.size_limits import check_claim
from tomarium.formats.opening.trusted_folders import trusted

Code = Literal[
    "raw-storage", "outside", "claim", "filter", "cycle", "objects", "depth", "link-type", "damaged", "unseen"
]
# Ids below 256 are the library's own; the others are those hdf5plugin brings, and h5py's lzf. Source: the
# list of registered filters of The HDF Group.
KNOWN_FILTERS: Final = frozenset(
    {1, 2, 3, 4, 5, 6, 307, 32000, 32001, 32004, 32008, 32013, 32015, 32017, 32018, 32024, 32026, 32028}
)
# Looking at a dataset takes some 30 µs, so that a walk ends within 0.15 s.
MOST_INSPECTED: Final = 4_000
MOST_MEMBERS: Final = 200_000
MOST_DEPTH: Final = 64
# Each file that is pointed to costs questions to the disk; further ones are checked when they are used.
MOST_FILES: Final = 200
# Below this a dataset that was never written to is not absurd, however small its file.
_SMALL_CLAIM: Final = 64 << 20
_PLACEHOLDER: Final = re.compile("(%[b%])")


@dataclass(frozen=True)
class Finding:
    """Something in an HDF5 file that is refused, now or where it is used."""

    # "raw-storage", "claim", "cycle", "objects", "depth", "link-type": these refuse the file. "outside",
    # "filter", "damaged", "unseen": these are refused, or checked, where the object is used.
    code: Code
    where: str  # path of the object in the file
    text: str  # the whole message: what was found, where, what to do

    @property
    def refuses_the_file(self) -> bool:
        """Whether the file is not opened at all."""
        return self.code in ("raw-storage", "claim", "cycle", "objects", "depth", "link-type")


@dataclass
class _Walk:
    path: Path
    file_bytes: int
    growing: bool
    findings: list[Finding] = field(default_factory=list)
    virtual: dict[str, set[str]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    files: dict[str, Path | None] = field(default_factory=dict)
    inspected: int = 0

    def note(self, code: Code, where: str, text: str) -> None:
        self.findings.append(Finding(code, where, f"{self.path}: {text}"))


def examine(path: Path, file: h5py.File, *, growing: bool = False) -> tuple[Finding, ...]:
    """Walk through an HDF5 file without following a link or reading any data.

    `path`: the file, as its user gave it; links may lead into its folder and below. `growing`: whether it is
    being written, so that datasets may still be empty. Result: empty for a file without fault. At most 4 000
    objects are looked at, which takes 0.15 s; that there are more is a finding of its own.
    """
    walk = _Walk(path, path.stat().st_size, growing)
    # A group, its name, and the addresses of the groups it lies in.
    waiting: list[tuple[h5g.GroupID, str, tuple[int, ...]]] = [(file["/"].id, "", ())]
    while waiting:
        group, name, above = waiting.pop()
        try:
            waiting.extend(_visit_group(walk, group, name, above))
        except DAMAGE as problem:
            demand_no_stop(problem)
            walk.note("damaged", name or "/", f"the group {name or '/'} cannot be listed ({problem})")
        if walk.inspected > MOST_INSPECTED:
            walk.note(
                "unseen",
                name or "/",
                f"holds more than {MOST_INSPECTED} objects; those further on are checked when they are used",
            )
            break
    _find_virtual_cycles(walk)
    return tuple(walk.findings)


# Many ask about the same file in turn; the answer changes only with the file. The oldest is forgotten first.
_MOST_JUDGED: Final = 64
_judged: dict[tuple[Path, int, int, bool], tuple[Finding, ...]] = {}


def open_beside(path: Path) -> h5py.File:
    """Open a file, without locks, as its writer lets it be read: closed, or beside it (SWMR).

    `path`: the file; the caller walks through it, or has, or trusts it.
    """
    try:
        beside_writer = read_superblock(path).is_swmr
    except FormatError:  # a user block stands before it, or it is damaged, which the library tells
        beside_writer = False
    if beside_writer:
        return h5py.File(path, "r", libver="latest", swmr=True, locking=False)
    return h5py.File(path, "r", locking=False)


def open_checked(path: Path, *, scan: Path | None = None, growing: bool = False) -> h5py.File:
    """Open an HDF5 file for reading, without locks, after a walk that refuses what can only do harm.

    This is the one place where tomarium opens HDF5 that others wrote.

    `scan`: the file its user gave, where that one links to this one; None where they are the same. `growing`:
    whether it is being written, so that datasets may still be empty; then the caller tries again, else it is
    tried for a moment where the file changes meanwhile. Result: opened with locking=False: a lock of ours
    would stop its writer, and files it links to inherit the setting; and for reading beside its writer (SWMR)
    where that has opened it so.
    """
    if growing:
        return _opened(path, scan, growing)
    return while_written(path, lambda: _opened(path, scan, growing))


def _opened(path: Path, scan: Path | None, growing: bool) -> h5py.File:
    check_heaps(path)
    now = path.stat()
    key = (path, now.st_size, now.st_mtime_ns, growing)
    file = open_beside(path)
    try:
        if key not in _judged:
            findings = examine(path, file, growing=growing)
            while len(_judged) >= _MOST_JUDGED:
                _judged.pop(next(iter(_judged)), None)
            _judged[key] = findings
        _refuse(_judged[key], path, scan)
    except BaseException:
        file.close()
        raise
    return file


def check_growing(path: Path, file: h5py.File) -> None:
    """Walk through a file that its writer has left marked as open, which the library opens in other ways."""
    _refuse(examine(path, file, growing=True), path, None)


def _refuse(findings: tuple[Finding, ...], path: Path, scan: Path | None) -> None:
    refused = next((finding.text for finding in findings if finding.refuses_the_file), None)
    if refused:
        raise FormatError(refused if scan is None or scan == path else f"{scan}: points to {refused}")


def beside(scan: Path, parent: Path, name: str) -> Path | None:
    """Find the file a link or a virtual dataset points to, if it lies in the scan's own folder or in a trusted one.

    `name`: the name as written there, relative to the parent's folder or absolute. As HDF5 does, an absolute
    name that does not exist is looked for by its last part beside the parent. Result: the file, symbolic
    links resolved; None where it is absent.
    """
    folder = parent.resolve().parent
    homes = {scan.resolve().parent, scan.absolute().parent.resolve(), *trusted()}
    # HDF5 puts the number of each block for "%b", and "%" for "%%"; in a folder's name no scan has them.
    in_folder = _PLACEHOLDER.search(str(Path(name).parent)) is not None
    for place in (folder / name, folder / Path(name).name):
        if _PLACEHOLDER.search(place.name):
            files = sorted(place.parent.glob(_pattern(place.name)))[:10_000]
        else:
            files = [place] if place.is_file() else []
        if in_folder or not all(_lies_in(file.resolve(), homes) for file in files):
            raise FormatError(
                f"{scan}: points to {name}, which lies outside the scan's own folder; copy that file beside the scan, "
                f"or say --trust DIR (in Python trust=[DIR]) where you trust the folder it lies in"
            )
        if files:
            return files[0].resolve()
    return None


def _pattern(name: str) -> str:
    """Write what HDF5 makes of a file's name as a pattern of `glob`; all else in it is meant as it stands."""
    replacements = {"%b": "[0-9]*", "%%": "%"}
    return "".join(replacements.get(part, glob.escape(part)) for part in _PLACEHOLDER.split(name))


def _lies_in(place: Path, homes: set[Path]) -> bool:
    return any(place.is_relative_to(home) for home in homes)


def _visit_group(
    walk: _Walk, group: h5g.GroupID, name: str, above: tuple[int, ...]
) -> Iterator[tuple[h5g.GroupID, str, tuple[int, ...]]]:
    """Look at a group's members, and hand back the groups among them."""
    members = group.get_num_objs()
    if members > MOST_MEMBERS:
        walk.note(
            "objects",
            name or "/",
            f"the group {name or '/'} claims {members} members, more than the {MOST_MEMBERS} any scan has; "
            f"the file is damaged or made to mislead, so take it from its origin",
        )
        return
    links: list[tuple[bytes, int]] = []
    group.links.iterate(lambda key, info: links.append((key, info.type)), info=True)
    address = h5o.get_info(group).addr
    for key, kind in links:
        walk.inspected += 1
        if walk.inspected > MOST_INSPECTED:
            return
        place = f"{name}/{key.decode('utf-8', 'replace')}"
        if kind == h5l.TYPE_EXTERNAL:
            _look_outside(walk, place, group.links.get_val(key)[0].decode("utf-8", "surrogateescape"))
        elif kind == h5l.TYPE_HARD:
            try:
                below = _visit_object(walk, group, key, place, (*above, address))
            except DAMAGE as problem:
                demand_no_stop(problem)
                walk.note("damaged", place, f"{place} cannot be opened ({problem})")
                continue
            if below is not None:
                yield below, place, (*above, address)
        elif kind != h5l.TYPE_SOFT:  # what a link of a user's own type means, a plugin decides
            walk.note(
                "link-type",
                place,
                f"{place} is a link of the unknown type {kind}, which is refused; "
                f"repack the file with `h5repack`",
            )


def _visit_object(
    walk: _Walk, group: h5g.GroupID, key: bytes, place: str, above: tuple[int, ...]
) -> h5g.GroupID | None:
    """Look at what a hard link holds; a group that was not met before is handed back."""
    info = h5o.get_info(group, key)
    if info.addr in above:
        walk.note(
            "cycle",
            place,
            f"the groups go round in a circle: {place} is one of the groups it lies in; "
            f"take the file from its origin, or copy what you need with `h5copy`",
        )
        return None
    if info.addr in walk.seen:
        return None
    walk.seen.add(info.addr)
    if info.type == h5o.TYPE_DATASET:
        _look_at_dataset(walk, h5o.open(group, key), place)
    if info.type != h5o.TYPE_GROUP:
        return None
    if len(above) > MOST_DEPTH:
        walk.note(
            "depth",
            place,
            f"{place[:60]}… lies more than {MOST_DEPTH} groups deep, where no scan has anything; "
            f"the file is damaged or made to mislead, so take it from its origin",
        )
        return None
    return h5o.open(group, key)


def _look_outside(walk: _Walk, place: str, name: str) -> Path | None:
    if name in walk.files or len(walk.files) >= MOST_FILES:
        return walk.files.get(name)
    walk.files[name] = None
    try:
        walk.files[name] = beside(walk.path, walk.path, name)
    except FormatError as problem:
        walk.findings.append(Finding("outside", place, f"{problem} (it is {place} that points)"))
    return walk.files[name]


def _look_at_dataset(walk: _Walk, dataset: h5d.DatasetID, place: str) -> None:
    plist = dataset.get_create_plist()
    if plist.get_external_count():
        name = plist.get_external(0)[0].decode("utf-8", "replace")
        walk.note(
            "raw-storage",
            place,
            f"{place} keeps its bytes in the raw file {name}, which is refused because it could be any file; "
            f"repack the scan with `h5repack`",
        )
        return
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        # Its extent is not asked for: HDF5 opens the sources of an unlimited one to find it.
        for number in range(min(plist.get_virtual_count(), MOST_MEMBERS)):
            file, name = plist.get_virtual_filename(number), plist.get_virtual_dsetname(number)
            if file == "." or _look_outside(walk, place, file) == walk.path.resolve():
                walk.virtual.setdefault(place, set()).add("/" + name.strip("/"))
        return
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    for code, _, _, name in filters:
        if code not in KNOWN_FILTERS and not h5z.filter_avail(code):
            walk.note(
                "filter",
                place,
                f"{place} is packed with the unknown HDF5 filter {code} {name.decode('utf-8', 'replace')!r}; "
                f"install the plugin that brings it, or repack the file with `h5repack -f GZIP=1`",
            )
    _weigh(walk, dataset, place, plist.get_chunk() if layout == h5d.CHUNKED else None, bool(filters))


def _weigh(
    walk: _Walk, dataset: h5d.DatasetID, place: str, chunk: tuple[int, ...] | None, packed: bool
) -> None:
    shape, itemsize, stored = dataset.shape or (), dataset.get_type().get_size(), dataset.get_storage_size()
    claimed = itemsize
    for length in shape:
        claimed *= length
    try:
        block = chunk if packed else None
        blocks = None
        if block is not None and claimed > 200 * stored > 0:
            blocks = dataset.get_num_chunks()
        check_claim(f"{walk.path}: {place}", shape, itemsize, stored, block=block, blocks=blocks)
    except FormatError as problem:
        walk.findings.append(Finding("claim", place, str(problem)))
        return
    if not stored and not walk.growing and claimed > max(100 * walk.file_bytes, _SMALL_CLAIM):
        walk.note(
            "claim",
            place,
            f"{place} claims the shape {' × '.join(map(str, shape))}, {claimed} bytes, and the file of "
            f"{walk.file_bytes} holds none of them; wait until it is written, or take it from its origin",
        )


def _find_virtual_cycles(walk: _Walk) -> None:
    """Refuse virtual datasets of one file that are made of each other: HDF5 would read them for ever."""
    finished: set[str] = set()
    for first in walk.virtual:
        trail: list[tuple[str, Iterator[str]]] = [(first, iter(walk.virtual[first]))]
        on_trail = {first}
        while trail and first not in finished:
            place, remaining = trail[-1]
            following = next(remaining, None)
            if following is None:
                trail.pop()
                on_trail.discard(place)
                finished.add(place)
            elif following in on_trail:
                walk.note(
                    "cycle",
                    following,
                    f"the virtual dataset {following} is made of itself, by way of {place}; "
                    f"take the file from its origin",
                )
                return
            elif following in walk.virtual and following not in finished:
                trail.append((following, iter(walk.virtual[following])))
                on_trail.add(following)
