"""What harvests a catalogue by a protocol, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.harvest_sources import Source
from tomarium.catalogue.harvested import HarvestCounts

Tell = Callable[[str, int, int], object]
"""Told of progress: a word, how many are done, how many there are in all."""


@dataclass(frozen=True)
class Harvest:
    """What came of one harvest.

    Attributes
    ----------
    kept : HarvestCounts
        What became of the items.
    whole : bool
        Whether all of the source was read, not only what was changed since the harvest before.
    notes : tuple of str
        What its keeper should know, a sentence each.
    """

    kept: HarvestCounts = field(default_factory=HarvestCounts)
    whole: bool = False
    notes: tuple[str, ...] = ()


class Harvesting(Protocol):
    """A function that harvests."""

    def __call__(
        self, catalogue: Catalogue, source: Source, *, again: bool = False, tell: Tell | None = None
    ) -> Harvest:
        """Harvest a source; go on where a harvest of it was interrupted.

        Parameters
        ----------
        catalogue : Catalogue
            Open.
        source : Source
            One that is known.
        again : bool
            Whether all of it is read, not only what was changed since the harvest before.
        tell : callable, optional
            Told of progress.

        Returns
        -------
        Harvest
            What came of it.

        Raises
        ------
        Interrupted
            The source does not answer; what was kept stays, and the next harvest goes on.
        InputError
            What it answers cannot be used. Both are noted as the source's error.
        """
        ...


@dataclass(frozen=True)
class Harvester:
    """A protocol.

    Attributes
    ----------
    name : str
        A key of `catalogue.harvest_sources.KINDS`.
    harvest : Harvesting
        What harvests by it.
    """

    name: str
    harvest: Harvesting
