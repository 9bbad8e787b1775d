"""Counting records by facets, from the numbers of records that share a set of facets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Transaction, select

from tomarium.catalogue.facets import ACCESS, CATALOGUE, EMBARGO, FACETS, HERE, OPEN, Filters
from tomarium.catalogue.reader import HARVESTED
from tomarium.catalogue.tables import facet_sets

CHOICES: Final = 50  # of one facet
JOINT: Final = "+"
"""Stands between a state and an access that are told in one text."""


@dataclass(frozen=True)
class FacetChoice:
    """One value of a facet.

    Attributes
    ----------
    value : str
        As records have it.
    count : int
        How many records would be found by it, under all that was asked of the other facets.
    chosen : bool
        Whether it was asked for.
    """

    value: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class FacetCounts:
    """One facet with its values.

    Attributes
    ----------
    name, label : str
        Name in addresses, and for people.
    choices : tuple of FacetChoice
        Those with most records first, at most 50; of years the latest first. What was chosen is always there.
    """

    name: str
    label: str
    choices: tuple[FacetChoice, ...]


@dataclass(frozen=True)
class Groups:
    """How many records have each set of facets, state and access; these are as long as each other.

    Attributes
    ----------
    sets, counts : NDArray of int64
        Number of a set of facets, and how many records have it.
    states : NDArray of str
        In which state they are.
    access : NDArray of str, or None
        Of each the value of the facet of that name, "" where it has none; None where it was not asked for.
    left : NDArray of int64, or None
        Numbers of all records that have what was chosen of all facets, in no order, where these were told with them.
    """

    sets: NDArray[np.int64]
    counts: NDArray[np.int64]
    states: NDArray[np.str_]
    access: NDArray[np.str_] | None = None
    left: NDArray[np.int64] | None = None

    @property
    def total(self) -> int:
        """All records."""
        return int(self.counts.sum())

    @classmethod
    def read(cls, lines: Iterable[tuple[str, str]]) -> Groups:
        """Read states, each with a line "set,count,set,count …"; a state may be told with its access: `JOINT`."""
        return cls._of([(state, read_numbers(line).reshape(-1, 2)) for state, line in lines])

    @classmethod
    def count(cls, lines: Iterable[tuple[str, str]]) -> Groups:
        """Count what states have, each with a line "set,set …" of all their records."""
        counted = [(state, np.unique(read_numbers(line), return_counts=True)) for state, line in lines]
        return cls._of([(state, np.stack(pair, axis=1)) for state, pair in counted])

    @classmethod
    def count_coded(cls, line: str, states: Sequence[str]) -> Groups:
        """Count a line "code,code …": a set's number times as many as there are states, and the state's added."""
        codes, counts = np.unique(read_numbers(line), return_counts=True)
        return cls(codes // len(states), counts, np.array(states, np.str_)[codes % len(states)])

    @classmethod
    def _of(cls, read: Sequence[tuple[str, NDArray[np.int64]]]) -> Groups:
        pairs = np.concatenate([np.zeros((0, 2), np.int64), *(pair for _, pair in read)])
        sizes = [len(pair) for _, pair in read]
        told = [state.partition(JOINT) for state, _ in read]
        states = np.repeat([state for state, _, _ in told], sizes).astype(np.str_)
        access = np.repeat([access for _, _, access in told], sizes).astype(np.str_)
        by_access = all(joint for _, joint, _ in told)
        return cls(pairs[:, 0], pairs[:, 1], states, access if by_access else None)


def read_numbers(line: str) -> NDArray[np.int64]:
    """Read a line "number,number …"."""
    return np.fromstring(line, np.int64, sep=",")


class FacetSets:
    """All sets of facets of a catalogue, kept in memory: a set never changes, and its number is never given again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._codes: dict[str, dict[str, int]] = {name: {} for name in FACETS}
        self._pairs: dict[str, list[tuple[int, int]]] = {name: [] for name in FACETS}
        self._arrays: dict[str, NDArray[np.int64]] = {}
        self._values: dict[str, dict[int, frozenset[str]]] = {}
        self._read_in: WeakSet[Transaction] = WeakSet()

    def read_new(self, connection: Connection) -> None:
        """Read the sets that were added since the last time, once in each transaction, which sees one state."""
        of, transaction = facet_sets.c, connection.get_transaction()
        with self._lock:
            if transaction is not None and transaction in self._read_in:
                return
            statement = select(of.number, of.content).where(of.number > self._last).order_by(of.number)
            rows = connection.execute(statement).all()
            if transaction is not None:
                self._read_in.add(transaction)
            for number, content in rows:
                for name, value in json.loads(content):
                    codes = self._codes.setdefault(name, {})
                    self._pairs.setdefault(name, []).append((number, codes.setdefault(value, len(codes))))
                self._last = number
            if rows or not self._arrays:
                self._values = {}
                self._arrays = {
                    name: np.array(pairs, np.int64).reshape(-1, 2) for name, pairs in self._pairs.items()
                }

    def values(self, name: str) -> list[str]:
        """List all values that records have had of a facet, whoever may see them."""
        return list(self._codes.get(name, ()))

    def values_of_sets(self, name: str) -> dict[int, frozenset[str]]:
        """Tell the values of a facet that each set has; sets without one are left out."""
        with self._lock:
            if name not in self._values:
                values, values_of_set = self.values(name), dict[int, set[str]]()
                for number, code in self._arrays.get(name, np.zeros((0, 2), np.int64)).tolist():
                    values_of_set.setdefault(number, set()).add(values[code])
                same: dict[frozenset[str], frozenset[str]] = {}
                self._values[name] = {
                    number: same.setdefault(frozenset(set_values), frozenset(set_values))
                    for number, set_values in values_of_set.items()
                }
            return self._values[name]

    def tally(self, groups: Groups, filters: Filters) -> tuple[FacetCounts, ...]:
        """Count the values of each facet.

        Parameters
        ----------
        groups : Groups
            Of what is found whatever facets are asked for.
        filters : Mapping of str to tuple of str
            What was chosen.

        Returns
        -------
        tuple of FacetCounts
            In the order of `FACETS`; those without any value are left out. A facet's own choice does not limit its
            counts, that of the others does.
        """
        arrays = self._arrays
        sets, counts, states = groups.sets, groups.counts, groups.states
        size = self._size(sets)
        meets = self._meets(sets, states, filters, groups.access)
        facets = []
        for name, label in FACETS.items():
            other_masks = [mask for facet, mask in meets.items() if facet != name]
            counts_met = counts * np.logical_and.reduce([*other_masks, np.ones(len(counts), bool)])
            if name == "state":
                counts_by_value = {
                    state: int(counts_met[states == state].sum()) for state in np.unique(states).tolist()
                }
            elif name == ACCESS:
                if groups.access is None:
                    continue
                counts_by_value = {
                    access: int(counts_met[groups.access == access].sum()) for access in (OPEN, EMBARGO)
                }
            else:
                counts_by_value = self._count(name, arrays[name], np.bincount(sets, counts_met, size))
            if name == CATALOGUE and (any(counts_by_value.values()) or filters.get(name)):
                counts_by_value[HERE] = int(counts_met[states != HARVESTED].sum())
            chosen = filters.get(name, ())
            counts_by_value = {value: count for value, count in counts_by_value.items() if count} | {
                value: counts_by_value.get(value, 0) for value in chosen
            }
            if counts_by_value:
                facets.append(FacetCounts(name, label, _choices(name, counts_by_value, chosen)))
        return tuple(facets)

    def total(self, groups: Groups, filters: Filters) -> int:
        """Count the records that have what was chosen of all facets.

        Parameters
        ----------
        groups : Groups
            Of what is found whatever facets are asked for.
        filters : Mapping of str to tuple of str
            What was chosen.

        Returns
        -------
        int
            How many there are.
        """
        return int(groups.counts[self.meets(groups.sets, groups.states, filters, groups.access)].sum())

    def meets(
        self,
        sets: NDArray[np.int64],
        states: NDArray[np.str_],
        filters: Filters,
        access: NDArray[np.str_] | None = None,
    ) -> NDArray[np.bool_]:
        """Tell which sets of facets, each with a state, have what was chosen of all facets."""
        masks = self._meets(sets, states, filters, access).values()
        met: NDArray[np.bool_] = np.logical_and.reduce([*masks, np.ones(len(sets), bool)])
        return met

    def _size(self, sets: NDArray[np.int64]) -> int:
        return (
            int(max(sets.max(initial=0), *(pairs[:, 0].max(initial=0) for pairs in self._arrays.values())))
            + 1
        )

    def _meets(
        self,
        sets: NDArray[np.int64],
        states: NDArray[np.str_],
        filters: Filters,
        access: NDArray[np.str_] | None,
    ) -> dict[str, NDArray[np.bool_]]:
        size = self._size(sets)
        alone = {"state": states, ACCESS: access}  # of a record, rather than of its set of facets
        meets = {}
        for name, chosen in filters.items():
            if name not in alone:
                meets[name] = self._meet(name, chosen, self._arrays[name], size)[sets]
                continue
            values = alone[name]
            assert values is not None, f"what is filtered by {name} is counted by it"
            meets[name] = np.isin(values, chosen) & (values != "")
        if HERE in filters.get(CATALOGUE, ()):
            meets[CATALOGUE] = meets[CATALOGUE] | (states != HARVESTED)
        return meets

    def _meet(
        self, name: str, chosen: Sequence[str], pairs: NDArray[np.int64], size: int
    ) -> NDArray[np.bool_]:
        codes = [self._codes[name][value] for value in chosen if value in self._codes[name]]
        meets = np.zeros(size, bool)
        meets[pairs[np.isin(pairs[:, 1], codes), 0]] = True
        return meets

    def _count(self, name: str, pairs: NDArray[np.int64], of_sets: NDArray[Any]) -> dict[str, int]:
        values = list(self._codes[name])
        of_values = np.bincount(pairs[:, 1], of_sets[pairs[:, 0]], len(values))
        return {value: round(count) for value, count in zip(values, of_values.tolist(), strict=False)}


def _choices(name: str, counts: dict[str, int], chosen: Sequence[str]) -> tuple[FacetChoice, ...]:
    if name == "year":
        ordered = sorted(counts.items(), reverse=True)
    else:
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    first = ordered[:CHOICES] + [item for item in ordered[CHOICES:] if item[0] in chosen]
    return tuple(FacetChoice(value, count, value in chosen) for value, count in first)


_OF_ENGINES: Final[WeakKeyDictionary[Engine, FacetSets]] = WeakKeyDictionary()


def sets_of(connection: Connection) -> FacetSets:
    """Return the sets of facets of a catalogue, up to date for a connection that reads.

    Parameters
    ----------
    connection : Connection
        That does not write: what it writes may be taken back.

    Returns
    -------
    FacetSets
        Kept for as long as the catalogue is open.
    """
    sets = _OF_ENGINES.setdefault(connection.engine, FacetSets())
    sets.read_new(connection)
    return sets
