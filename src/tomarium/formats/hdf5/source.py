"""HDF5 for reading: never locked, links followed by hand so that none leaves the scan's own folder.

Formats that live in HDF5 keep tables of paths; this module turns a path into a node, a text or a number
with its unit, and notes what it could not use.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from h5py import h5g, h5l, h5o
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import FormatError, UnitError
from tomarium.formats.hdf5.attributes import Node, attribute, content, plain_text, size_of
from tomarium.formats.hdf5.errors import DAMAGE, advice, demand_no_stop, guarded
from tomarium.formats.hdf5.half_written import FRESH_S
from tomarium.formats.hdf5.held_open import shared_open
from tomarium.formats.hdf5.members import Found, KnownGroups, Members
from tomarium.formats.hdf5.missing_data import gaps_of
from tomarium.formats.hdf5.names import (
    as_bytes,
    file_of,
    hard_linked,
    key_in,
    link_in,
    numbered,
    path_of,
    shown,
)
from tomarium.formats.hdf5.plain_values import as_number, as_text
from tomarium.formats.hdf5.security_check import beside, open_checked
from tomarium.model import Value

# What files write where a unit is unknown.
NO_UNIT: Final = frozenset({"", "undefined", "none", "text", "unknown", "n/a", "na", "any", "-"})
# The group in which a converted file keeps the one it was made from: another file's tree, not this one's.
SIDE_CAR: Final = "tomarium"
# Asking takes 8 µs; entries of ten members each, 600 of them, are within it.
_MOST_TYPED: Final = 6_000
_MOST_HOPS: Final = 32
# Of so many paths what lies there is kept, open until the file is closed; readers ask for most of them several times.
_MOST_FOUND: Final = 1_000
_MOST_NUMBERS: Final = 1 << 24


@dataclass
class Source:
    """An HDF5 scan file, open for reading, and the files beside it that it points to."""

    path: Path  # the file that was asked for
    file: h5py.File
    stack: ExitStack
    # files that are pointed to and absent, as they are written
    missing: list[str] = field(default_factory=list)
    # what was repaired, and what the user should know, in words
    repaired: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # the files it points to, as far as they were needed
    opened: dict[Path, h5py.File] = field(default_factory=dict)
    # file and name of each virtual dataset that was met; False while its sources are looked at
    admitted: dict[tuple[str, str], bool] = field(default_factory=dict)
    growing: bool = False  # whether it is being written, so that datasets may still be empty
    # file and name of virtual sources that are known to be whole, plain, and in the scan's folder
    trusted: set[tuple[str, str]] = field(default_factory=set)
    # files of virtual sources that cannot be opened, and why
    damaged: dict[Path, str] = field(default_factory=dict)
    typed: int = 0  # how many members of groups were asked what they are
    known: KnownGroups | None = None  # what its groups hold; None where it grows
    # identity of a group, and a path from it → what was found there
    found: dict[tuple[int, str], Found] = field(default_factory=dict)
    # file → path, as its bytes → the text or single number there, with its path; None where there is none
    values: dict[str, dict[bytes, tuple[str, Value[Any]] | None]] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether its writer has it open so that others read it meanwhile (SWMR), or ended without closing it."""
        return bool(self.file.swmr_mode)

    def grows(self, *held: tuple[Node | None, int]) -> bool:
        """Tell whether datasets are being appended to: all can grow, and their files changed in the last minute.

        `*held`: datasets, each with the axis along which it would grow. Result: true where also where the
        writer lets others read meanwhile (SWMR); a writer that does not leaves no other mark.
        """
        for node, axis in held:
            if not isinstance(node, h5py.Dataset) or node.maxshape is None or node.maxshape[axis] is not None:
                return False
            age = time.time() - file_of(node).stat().st_mtime
            if age > FRESH_S and not node.file.swmr_mode:
                return False
        return True

    def find(self, path: str, start: h5py.Group | None = None) -> Node | None:
        """Follow a path to a group or dataset, through links that stay in the scan's folder.

        `path`: "/exchange/data"; a component that ends with "*" also matches the numbered spellings of its
        name, the unnumbered one first: "detector*" is detector, detector_1, detector1, detector_2 …. `start`:
        where a relative path begins; the root of the file by default. Result: None where there is nothing; a
        link to an absent file is noted in `missing`.
        """
        begin = self.file if start is None or path.startswith("/") else start
        if self.known is None:
            return self._walk(begin, _parts(path), 0)
        key = (id(begin), path)
        node_found = self.known.found.get(key) or self.found.get(key) or self._keep(self.known, begin, path)
        if node_found[2]:
            self.missing += [name for name in node_found[2] if name not in self.missing]
        return node_found[1]

    def _keep(self, known: KnownGroups, begin: Node, path: str) -> Found:
        """Find what lies at a path and keep it: for all who read the file where it is plain, else for this one."""
        before, self.missing[:] = self.missing[:], []
        node = self._walk(begin, _parts(path), 0)
        node_found = (begin, node, tuple(self.missing))
        self.missing[:] = before
        # Files it points to are closed with this one, and virtual datasets are looked at by each who reads.
        cache = self.found if node_found[2] or self.opened or self.admitted else known.found
        if len(cache) >= _MOST_FOUND:
            cache.clear()
        cache[id(begin), path] = node_found
        return node_found

    def _walk(self, current: Node, parts: list[str], hops: int) -> Node | None:
        if hops > _MOST_HOPS:
            raise FormatError(f"{self.path}: the links to {'/'.join(parts)} go round in a circle")
        if not parts:
            if isinstance(current, h5py.Dataset):
                self._admit(current, hops)
            return current
        if not isinstance(current, h5py.Group):
            return None
        name, remaining = parts[0], parts[1:]
        if name.endswith("*"):
            branches = (
                self._walk(current, [member, *remaining], hops)
                for member in self.numbered(current, name[:-1])
            )
            return next((node for node in branches if node is not None), None)
        if name == ".":
            return self._walk(current, remaining, hops)
        # The library's own question; h5py's takes ten times as long, and a detection asks thousands.
        members = self._members(current)
        key = key_in(current, name) if members is None else members.key(name)
        if key is None:
            return None
        kind = current.id.links.get_info(key).type if members is None else members.kinds[key]
        if kind != h5l.TYPE_HARD:
            link = link_in(current, key)
            if isinstance(link, h5py.ExternalLink):
                place = self.locate(file_of(current), link.filename)
                if place is None:
                    return None
                with guarded(place):
                    file = self._open(place)
                return self._walk(file, [*_split(link.path), *remaining], hops + 1)
            if isinstance(link, h5py.SoftLink):
                begin = (current.file if self.opened else self.file) if link.path.startswith("/") else current
                return self._walk(begin, [*_split(link.path), *remaining], hops + 1)
        below = hard_linked(current, key) if self.known is None else self.known.opened(current, key)
        return None if isinstance(below, h5py.Datatype) else self._walk(below, remaining, hops)

    def _members(self, group: h5py.Group) -> Members | None:
        return None if self.known is None else self.known.of(group)

    def numbered(self, group: h5py.Group, name: str) -> list[str]:
        """List the members of a group that carry a name or its numbered spellings."""
        members = self._members(group)
        return numbered(group, name) if members is None else members.numbered(name)

    def names(self, group: h5py.Group) -> Iterable[str]:
        """List the names of a group's members, as `shown` spells them."""
        members = self._members(group)
        return map(shown, group) if members is None else members.names

    def groups(self, group: h5py.Group, having: tuple[bytes, ...] = ()) -> Iterator[tuple[str, h5py.Group]]:
        """List the groups in a group, and open no dataset for it.

        `group`: where to look. In all, a source asks what 6 000 members are, and takes those further on for
        datasets. `having`: names of which a group has at least one member; empty lists all. Yields: name and
        group; links are followed as `find` does.
        """
        links = group.id.links
        if self.typed > _MOST_TYPED:
            return  # before h5py lists all members for the first
        members = self._members(group)
        for name in group if members is None else members.kinds:
            key = as_bytes(name)
            self.typed += 1
            if self.typed > _MOST_TYPED:
                return
            if (links.get_info(key).type if members is None else members.kinds[key]) == h5l.TYPE_HARD:
                if self.known is not None:
                    member = self.known.opened(group, key) if self.known.is_group(group, key) else None
                else:
                    is_group = h5o.get_info(group.id, key).type == h5o.TYPE_GROUP
                    member = h5py.Group(h5g.open(group.id, key)) if is_group else None
                if member is not None and (not having or any(map(member.id.links.exists, having))):
                    yield shown(name), member
                continue
            node = self._walk(group, [shown(name)], 0)
            if isinstance(node, h5py.Group):
                yield shown(name), node

    def _open(self, place: Path) -> h5py.File:
        if place not in self.opened:
            self.opened[place] = self.stack.enter_context(
                open_checked(place, scan=self.path, growing=self.growing)
            )
        return self.opened[place]

    def locate(self, parent: Path, name: str) -> Path | None:
        """Find a file that another one points to.

        `name`: the name as written there, relative to the parent's folder or absolute. Result: the file; None
        where it is absent, which is noted in `missing`. As HDF5 does, an absolute name that does not exist is
        looked for by its last part beside the parent.
        """
        place = beside(self.path, parent, name)
        if place is not None:
            return place
        if name not in self.missing:
            self.missing.append(name)
        return None

    def _admit(self, dataset: h5py.Dataset, hops: int) -> None:
        if dataset.external:
            raise FormatError(
                f"{self.path}: {dataset.name} keeps its bytes in the raw file {dataset.external[0][0]}, "
                f"which is refused because it could be any file; repack the scan with `h5repack`"
            )
        if not dataset.is_virtual:
            return
        # Each once: sources of sources may be many, and virtual datasets made of each other never end.
        key = (dataset.file.filename, path_of(dataset))
        if key in self.admitted:
            if not self.admitted[key]:
                raise FormatError(
                    f"{self.path}: the virtual dataset {dataset.name} is made of itself; "
                    f"take the file from its origin"
                )
            return
        self.admitted[key] = False
        folder = file_of(dataset).parent
        for file_name, name in {(item.file_name, item.dset_name) for item in dataset.virtual_sources()}:
            part = (str(folder / file_name), name)
            if part in self.trusted:
                continue
            place = None if file_name == "." else self.locate(folder / "_", file_name)
            if file_name != "." and (place is None or place in self.damaged):
                continue
            try:
                file = dataset.file if place is None else self._open(place)
            except DAMAGE as problem:  # the others can still be read; `gaps_of` tells
                demand_no_stop(problem)
                self.damaged[place or self.path] = advice(str(problem)).split(" (")[0]
                continue
            self._walk(file, _split(name), hops + 1)
        self.admitted[key] = True

    def text(self, path: str, start: h5py.Group | None = None) -> str | None:
        """Read a text, however it is spelt.

        Result: None where there is no text or it is empty.
        """
        node = self.find(path, start)
        return as_text(self._content(node)) if isinstance(node, h5py.Dataset) else None

    def _content(self, dataset: h5py.Dataset) -> Any:
        """Read a short dataset; None where it is longer, or neither a number nor a text."""
        return content(dataset) if self.known is None else self.known.content(dataset)

    def attribute(self, node: Node, name: str) -> str | None:
        """Read an attribute as text, as `attributes.attribute` does, but once."""
        return attribute(node, name) if self.known is None else self.known.attribute(node, name)

    def array(self, path: str, start: h5py.Group | None = None) -> NDArray[np.float64] | None:
        """Read a list of numbers as float64.

        Result, shape (n,): flattened; None where there is no numeric dataset, or part of it lies in an absent
        file.
        """
        node = self.find(path, start)
        if not isinstance(node, h5py.Dataset) or node.size is None:
            return None
        if node.ndim == 1 and node.size and h5py.check_string_dtype(node.dtype) is not None:
            return self._numbers_in_words(node)
        if node.dtype.kind not in "iufb":
            return None
        if node.size > _MOST_NUMBERS:
            raise FormatError(
                f"{self.path}: {node.name} claims {node.size} numbers, which is no list of angles or keys; "
                f"the file is damaged, so copy it again from its origin"
            )
        if any(gaps_of(self, node)):
            return None
        return np.asarray(node[()], dtype=np.float64).ravel()

    def _numbers_in_words(self, node: h5py.Dataset) -> NDArray[np.float64] | None:
        """Read a list of texts as numbers, where all of them are; None, and said, where one is not."""
        content = self._content(node)
        if content is None:
            return None
        words = [as_text(text) or "" for text in np.ravel(content)]
        place, numbers = f"{self.path.name}:{path_of(node)}", np.empty(len(words))
        for number, word in enumerate(words):
            try:
                numbers[number] = float(word)
            except ValueError:
                warning = f"{place} holds texts such as {word[:40]!r}, no numbers, and was left out"
                self.warnings += [] if warning in self.warnings else [warning]
                return None
        warning = f"{place} holds texts, which were read as numbers"
        self.repaired += [] if warning in self.repaired else [warning]
        return numbers

    def quantity(
        self, path: str, unit: str, default: str | None, start: h5py.Group | None = None
    ) -> Value[float] | None:
        """Read a number with its unit.

        `unit`: unit of the result: "m", "keV", "deg", "s". `default`: unit to take where the file gives none;
        None demands one. Result: None where there is nothing; also where it is no finite number or its unit
        cannot be read, which is then said in `warnings`.
        """
        node = self.find(path, start)
        content = self._content(node) if isinstance(node, h5py.Dataset) else None
        if node is None or content is None:
            return None
        place = f"{self.path.name}:{path_of(node)}"
        try:
            number, spelling = (
                as_number(content),
                self.attribute(node, "units") or self.attribute(node, "unit"),
            )
            if spelling is not None and spelling.lower() in NO_UNIT:
                spelling = None
            if number is None or not math.isfinite(number):
                raise UnitError(f"{as_text(content) or number} is no finite number")
            if spelling is None and default is None:
                raise UnitError(f"{number:g} has no unit")
            unit_given = spelling or default or unit
            value = number if unit_given == unit else units.convert(number, unit_given, unit)
        except UnitError as problem:
            self.warnings.append(f"{place} was left out: {problem}")
            return None
        if spelling is None and default != unit:
            self.warnings.append(f"{place} has no unit; {default} was taken, the format's default")
        return Value(value, "read", place)

    def walk(self, start: h5py.Group) -> dict[str, Value[Any]]:
        """Collect every text and single number below a group, and every file that is pointed to and absent.

        `start`: where to begin; links to other files are checked, not followed. Result: full HDF5 path →
        value, a unit kept as "12.3 mm".
        """
        values: dict[str, Value[Any]] = {}
        home = as_bytes(start.name).rstrip(b"/")
        links = start.id.links
        cache: dict[bytes, tuple[str, Value[Any]] | None]
        cache = {} if self.known is None else self.values.setdefault(str(file_of(start)), {})

        def visit(key: bytes, info: Any) -> None:
            below = home + b"/" + key
            if (below + b"/").startswith(b"/%s/" % SIDE_CAR.encode()):
                return
            if info.type == h5l.TYPE_EXTERNAL:
                try:
                    self.locate(file_of(start), os.fsdecode(links.get_val(key)[0]))
                except FormatError as problem:
                    self.warnings.append(str(problem))
            elif info.type == h5l.TYPE_HARD:
                if below not in cache:
                    cache[below] = self._value_at(start, key)
                value = cache[below]
                if value is not None:
                    values[value[0]] = value[1]

        links.visit(visit, info=True)
        return values

    def linked(self, start: h5py.Group) -> Iterator[tuple[bytes, Node]]:
        """List all that lies below a group by hard links, with the path to it; each object once."""
        keys: list[bytes] = []

        def visit(key: bytes, info: Any) -> None:
            if info.type == h5l.TYPE_HARD:
                keys.append(key)

        start.id.links.visit(visit, info=True)
        for key in keys:
            node = self._hard_linked(start, key)
            if not isinstance(node, h5py.Datatype):
                yield key, node

    def _value_at(self, group: h5py.Group, key: bytes) -> tuple[str, Value[Any]] | None:
        """Read a text or a single number, with its path; of arrays, which are most, nothing more is asked."""
        # This question meets damage, of a heap or an index of chunks, that opening alone does not.
        if h5o.get_info(group.id, key).type != h5o.TYPE_DATASET:
            return None
        node = self._hard_linked(group, key, is_dataset=True)
        if size_of(node) != 1 or node.external or node.is_virtual:
            return None
        content = self._content(node)
        value = None if content is None else plain_text(content, lambda: self.attribute(node, "units"))
        if value is None:
            return None
        place = path_of(node)
        return place, Value(value, "read", f"{self.path.name}:{place}")

    def _hard_linked(self, group: h5py.Group, path: bytes, *, is_dataset: bool = False) -> Any:
        """Open what lies at a path of hard links."""
        if self.known is None:
            return hard_linked(group, path, is_dataset=is_dataset)
        *above, last = path.split(b"/")
        for part in above:
            group = self.known.opened(group, part)
        return self.known.opened(group, last, is_dataset=is_dataset)


@contextmanager
def reading(path: Path) -> Iterator[Source]:
    """Open an HDF5 scan for reading, without locks.

    `path`: the file. It is opened with locking=False: a lock of ours would stop its writer, and files it
    links to inherit the setting. Yields: the open file; closed with the files it pointed to when the block
    ends.
    """
    with guarded(path), ExitStack() as stack:
        file, known = stack.enter_context(shared_open(path))
        yield Source(path, file, stack, known=known)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."]
