"""What the groups of an open file hold, asked of the library once: formats ask for hundreds of paths each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

import h5py
from h5py import h5g, h5o

from tomarium.formats.hdf5.attributes import Node, attribute, content
from tomarium.formats.hdf5.names import as_bytes, hard_linked, numbered_in, shown

# Groups with more are asked name by name; of so many groups the members are kept, and so many objects, each open until
# its file is closed.
_MOST_LISTED: Final = 512
_MOST_KEPT: Final = 1_000

Found: TypeAlias = tuple[Node, Node | None, tuple[str, ...]]
"""Where a path begins, kept so that no other object takes its place; what lies there; the absent files on the way."""


@dataclass(frozen=True)
class Members:
    """The members of one group."""

    kinds: dict[bytes, int]  # name → type of its link (`h5py.h5l.TYPE_…`), in the group's order
    opened: dict[bytes, Any] = field(default_factory=dict)  # those that were opened, each by a hard link
    types: dict[bytes, int] = field(
        default_factory=dict
    )  # what they are (`h5py.h5o.TYPE_…`), as far as it was asked
    _numbered: dict[str, list[str]] = field(default_factory=dict)

    def key(self, name: str) -> bytes | None:
        """Find the bytes of a member's name, as `names.key_in` does.

        `name`: one name, as `shown` spells it. Result: None where there is none of that name.
        """
        key = as_bytes(name)
        if key in self.kinds:
            return key
        key = b"" if name.isascii() else name.encode("latin-1", "ignore")
        return key if key and key in self.kinds else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The members' names, as `shown` spells them."""
        return tuple(map(shown, self.kinds))

    def numbered(self, word: str) -> list[str]:
        """List the members that carry a name or its numbered spellings, as `names.numbered` does."""
        if word not in self._numbered:
            self._numbered[word] = numbered_in(self.names, word)
        return self._numbered[word]


class KnownGroups:
    """The members of each group that was asked for; for a file that does not grow while it is open."""

    def __init__(self) -> None:
        # By the identity of an object, which is kept so that no other takes its place.
        self._known: dict[int, tuple[h5py.Group, Members | None]] = {}
        self._contents: dict[int, tuple[h5py.Dataset, Any]] = {}
        self._attributes: dict[tuple[int, str], tuple[Node, str | None]] = {}
        self._opened = 0
        # Identity of a group, and a path from it → what was found there, where that led by no other file and no virtual
        # dataset.
        self.found: dict[tuple[int, str], Found] = {}

    def of(self, group: h5py.Group) -> Members | None:
        """List what a group holds.

        Result: None where it holds too many, or cannot be listed: then it is to be asked name by name.
        """
        entry = self._known.get(id(group))
        if entry is not None:
            return entry[1]
        if len(self._known) >= _MOST_KEPT:
            return None
        members = _listed(group.id)
        self._known[id(group)] = (group, members)
        return members

    def opened(self, group: h5py.Group, key: bytes, *, is_dataset: bool = False) -> Any:
        """Open a member that is a hard link, once.

        `group`, `key`: as `names.hard_linked` takes them. `is_dataset`: whether it is known to be one.
        """
        members = self.of(group)
        node = None if members is None else members.opened.get(key)
        if node is None:
            node = hard_linked(group, key, is_dataset=is_dataset)
            if members is not None and self._opened < _MOST_KEPT:
                members.opened[key] = node
                self._opened += 1
        return node

    def is_group(self, group: h5py.Group, key: bytes) -> bool:
        """Tell whether a member that is a hard link is a group, without opening it."""
        members = self.of(group)
        types = {} if members is None else members.types
        if key not in types:
            types[key] = h5o.get_info(group.id, key).type
        return bool(types[key] == h5o.TYPE_GROUP)

    def content(self, dataset: h5py.Dataset) -> Any:
        """Read a short dataset once; as `attributes.content`."""
        entry = self._contents.get(id(dataset))
        if entry is None:
            if len(self._contents) >= _MOST_KEPT:
                self._contents.clear()
            entry = self._contents[id(dataset)] = (dataset, content(dataset))
        return entry[1]

    def attribute(self, node: Node, name: str) -> str | None:
        """Read an attribute once; as `attributes.attribute`."""
        entry = self._attributes.get((id(node), name))
        if entry is None:
            if len(self._attributes) >= _MOST_KEPT:
                self._attributes.clear()
            entry = self._attributes[id(node), name] = (node, attribute(node, name))
        return entry[1]


def _listed(group: h5g.GroupID) -> Members | None:
    kinds: dict[bytes, int] = {}
    try:
        if group.get_num_objs() > _MOST_LISTED:
            return None
        group.links.iterate(lambda key, info: kinds.__setitem__(key, info.type), info=True)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):  # damaged; asked by name it may answer
        return None
    return Members(kinds)
