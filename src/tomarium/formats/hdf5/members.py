"""What the groups of an open file hold, asked of the library once: formats ask for hundreds of paths each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import h5py
from h5py import h5g

from tomarium.formats.hdf5.names import as_bytes, numbered_in, shown

# Groups with more are asked name by name; of so many groups the members are kept, each open until its file is closed.
_MOST_LISTED: Final = 512
_MOST_KEPT: Final = 1_000


@dataclass(frozen=True)
class Members:
    """The members of one group."""

    kinds: dict[bytes, int]  # name → type of its link (`h5py.h5l.TYPE_…`), in the group's order
    groups: dict[bytes, h5py.Group] = field(default_factory=dict)  # those that were opened and are groups
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

    def numbered(self, word: str) -> list[str]:
        """List the members that carry a name or its numbered spellings, as `names.numbered` does."""
        if word not in self._numbered:
            self._numbered[word] = numbered_in(map(shown, self.kinds), word)
        return self._numbered[word]


class KnownGroups:
    """The members of each group that was asked for; for a file that does not grow while it is open."""

    def __init__(self) -> None:
        # By the identity of the group's object, which is kept so that no other takes its place.
        self._known: dict[int, tuple[h5py.Group, Members | None]] = {}

    def of(self, group: h5py.Group) -> Members | None:
        """List what a group holds.

        Result: None where it holds too many, or cannot be listed: then it is to be asked name by name.
        """
        known = self._known.get(id(group))
        if known is not None:
            return known[1]
        if len(self._known) >= _MOST_KEPT:
            return None
        members = _listed(group.id)
        self._known[id(group)] = (group, members)
        return members


def _listed(group: h5g.GroupID) -> Members | None:
    kinds: dict[bytes, int] = {}
    try:
        if group.get_num_objs() > _MOST_LISTED:
            return None
        group.links.iterate(lambda key, info: kinds.__setitem__(key, info.type), info=True)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):  # damaged; asked by name it may answer
        return None
    return Members(kinds)
