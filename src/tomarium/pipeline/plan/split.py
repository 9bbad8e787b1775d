"""Split the steps of a protocol into sections that can be cut alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from tomarium.pipeline.plan.cost import Direction, step_halo
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.steps.core.step import Step

MOST_SPLITS = 400
"""Ways to split that are priced; a protocol with more is split by the first of them."""


@dataclass(frozen=True)
class Part:
    """Some neighbouring steps, cut in one direction; between two parts lies a spool.

    Attributes
    ----------
    direction : "row" or "angle"
        How it is cut.
    items : tuple of Resolved
        Its steps and tallies; none where the frames are only laid down unpacked.
    """

    direction: Direction
    items: tuple[Resolved, ...]


def splits(items: Sequence[Resolved]) -> Iterator[tuple[Part, ...]]:
    """Yield every way to split steps into parts that are worth pricing.

    Parameters
    ----------
    items : sequence of Resolved
        Steps and tallies, in order.

    Yields
    ------
    tuple of Part
        Steps that may be cut either way go with their neighbours before or behind, or stand in a part of their
        own between them; where a step needs a halo, a spool may stand before it; and raw frames may be laid down
        unpacked before all. The fewest parts come first.
    """
    parts_by_key: dict[tuple[tuple[Direction, int], ...], tuple[Part, ...]] = {}
    for directions in _directions(items):
        for breaks in _breaks(items, directions):
            parts = _parts(items, directions, breaks)
            key = tuple((part.direction, len(part.items)) for part in parts)
            parts_by_key.setdefault(key, parts)
            if parts and parts[0].direction == "row":
                spooled = (Part("angle", ()), *parts)
                parts_by_key.setdefault((("angle", 0), *key), spooled)
            if len(parts_by_key) >= MOST_SPLITS:
                break
    yield from sorted(parts_by_key.values(), key=len)


def _directions(items: Sequence[Resolved]) -> Iterator[tuple[Direction, ...]]:
    """Yield the directions of all items; a run of steps that go either way turns at most twice."""
    fixed = [_fixed(item) for item in items]
    runs: list[list[tuple[Direction, ...]]] = []
    start = 0
    while start < len(items):
        direction = fixed[start]
        stop = start + 1
        if direction is not None:
            runs.append([(direction,)])
        else:
            while stop < len(items) and fixed[stop] is None:
                stop += 1
            runs.append(_either(stop - start))
        start = stop

    def joined(number: int) -> Iterator[tuple[Direction, ...]]:
        if number == len(runs):
            yield ()
            return
        for head in runs[number]:
            for tail in joined(number + 1):
                yield (*head, *tail)

    yield from islice(joined(0), MOST_SPLITS)


def _either(length: int) -> list[tuple[Direction, ...]]:
    row: tuple[Direction, ...] = ("row",)
    angle: tuple[Direction, ...] = ("angle",)
    directions: dict[tuple[Direction, ...], None] = {}
    for first in range(length + 1):
        for last in range(first, length + 1):
            directions[row * first + angle * (last - first) + row * (length - last)] = None
    return list(directions)


_DIRECTIONS: Final[dict[str, Direction | None]] = {
    "row": "row",
    "slice": "row",
    "angle": "angle",
    "any": None,
}


def _fixed(item: Resolved) -> Direction | None:
    """Return the one direction a step can be cut in; None where it goes either way."""
    if item.before.domain == "slice" or not isinstance(item.step, Step):
        return "row" if item.before.domain == "slice" else None
    return _DIRECTIONS[item.step.cut]


def _breaks(items: Sequence[Resolved], directions: Sequence[Direction]) -> Iterator[frozenset[int]]:
    """Yield where spools stand besides those that a change of direction needs."""
    yield frozenset()
    for number in range(1, len(items)):
        if directions[number] == directions[number - 1] and step_halo(items[number], directions[number]):
            yield frozenset({number})


def _parts(
    items: Sequence[Resolved], directions: Sequence[Direction], breaks: frozenset[int]
) -> tuple[Part, ...]:
    parts: list[Part] = []
    for number, (item, direction) in enumerate(zip(items, directions, strict=True)):
        if parts and parts[-1].direction == direction and number not in breaks:
            parts[-1] = Part(direction, (*parts[-1].items, item))
        else:
            parts.append(Part(direction, (item,)))
    return tuple(parts) or (Part("angle", ()),)
