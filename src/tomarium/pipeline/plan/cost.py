"""What a section of a run costs in memory, in bytes moved and in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Literal

from tomarium.model import Layout
from tomarium.pipeline.plan.on_device import LANES, works_there
from tomarium.pipeline.plan.slabs import Reach, reached
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Step

Direction = Literal["row", "angle"]
"""How a section is cut: slabs of rows (and so of slices), or of angles."""

PROGRAM_BYTES: Final = 260_000_000
"""What the interpreter and its libraries take before the first slab, measured with some room."""

PROCESS_BYTES: Final = 170_000_000
"""What a further process takes that works on slabs, before its first."""

PYRAMID: Final = 8.0 / 7.0
"""A multiscale pyramid of 2 x 2 x 2 means adds 1/8 + 1/64 + … = 1/7."""

READ: Final = 1.0e9
"""Bytes a second from disk, where nothing else is known."""

UNPACK: Final = 2.4e9
"""Bytes a second that a core decompresses, of bitshuffle and LZ4."""

WRITE: Final = 0.7e9
"""Bytes a second to disk."""

PACK: Final = 0.9e9
"""Bytes a second of a volume that a core compresses and writes with its pyramid, into the page cache."""

TOUCH: Final = 1.0e9
"""Bytes of new memory a second that a core gets from the system, which clears them: 0.5 to 1.5e9 on a virtual machine,
2 to 4e9 on others."""

SLAB_SECONDS: Final = 0.01
"""Time of one core that a slab costs whatever its size."""

EDGE: Final = 5
"""Slices that a slab costs beside those it makes, in the time to write them: levels of the pyramid that do not end with
it, and scratch that is laid out anew."""

SERIAL: Final = 0.1
"""Part of the work on a slab that does not go over several threads: most of reading, what lies between steps."""

FAST_BLOCK: Final = 64_000_000
"""Bytes of frames as float32 that a slab of angles holds, about."""


def halo_of(items: Sequence[Resolved], direction: Direction) -> int:
    """Return the context a section needs on each side, in the direction it is cut.

    Parameters
    ----------
    items : sequence of Resolved
        Its steps and tallies.
    direction : "row" or "angle"
        How it is cut.

    Returns
    -------
    int
        Rows (or slices), or angles: the sum over its steps.
    """
    return sum(step_halo(item, direction) for item in items)


def step_halo(item: Resolved, direction: Direction) -> int:
    """Return the context one step needs on each side, in the direction it is cut."""
    if not isinstance(item.step, Step):
        return 0
    if (direction == "angle") != (item.step.cut == "angle"):
        return 0
    with told_as_its_own(item.step):
        return item.step.halo(item.plain, item.before)


def reach_of(items: Sequence[Resolved], direction: Direction) -> Reach:
    """Return what the steps of a section need in the direction it is cut, in order."""
    return tuple(step_reach(item, direction) for item in items)


def step_reach(item: Resolved, direction: Direction) -> tuple[int, int]:
    """Return the context one step needs on each side, and the rows it works on together."""
    together = item.step.together if isinstance(item.step, Step) and direction == "row" else 1
    return step_halo(item, direction), together


def rows_needed(
    items: Sequence[Resolved],
    reach: Reach,
    wanted: slice,
    height: int,
    prepared: Callable[[int, slice], Any],
) -> slice:
    """Return the rows that steps need to make some rows.

    Parameters
    ----------
    items : sequence of Resolved
        Steps and tallies.
    reach : Reach
        What each of them needs of rows.
    wanted : slice
        Rows that are wanted, `start` and `stop` given.
    height : int
        Rows there are.
    prepared : callable
        `prepared(number, rows)`: what the step of this number prepared for some rows at least.

    Returns
    -------
    slice
        Without the halo of steps that can do without it there, see `Step.alone`.
    """
    behind: Reach = ()
    for number, (item, (halo, together)) in reversed(list(enumerate(zip(items, reach, strict=True)))):
        if halo and isinstance(item.step, Step) and item.step.alone is not None:
            few = reached(wanted, ((0, together), *behind), height)
            halo = 0 if item.step.alone(prepared(number, few), item.before, few) else halo
        behind = ((halo, together), *behind)
    return reached(wanted, behind, height)


def row_halo_of(items: Sequence[Resolved]) -> int:
    """Return the rows that steps on parts of frames need above and below, for a section cut by angle."""
    return sum(
        step_halo(item, "row") for item in items if isinstance(item.step, Step) and item.step.cut == "any"
    )


def needs_whole_frames(items: Sequence[Resolved]) -> bool:
    """Tell whether one of the steps works on whole frames."""
    return any(isinstance(item.step, Step) and item.step.cut == "angle" for item in items)


def part_of(layout: Layout, direction: Direction, count: int) -> Layout:
    """Return the layout of a slab of so many rows or angles."""
    if direction == "row":
        return layout.with_rows(min(count, layout.rows))
    return layout.with_angles(min(count, layout.shape[0]))


@dataclass(frozen=True)
class SlabCost:
    """What one slab costs.

    Attributes
    ----------
    host_bytes, device_bytes : int
        Memory at its worst moment; of a device that of all slabs that are there.
    seconds : float
        Time of one core for its steps.
    """

    host_bytes: int
    device_bytes: int
    seconds: float


def slab_cost(
    items: Sequence[Resolved],
    source: Layout,
    direction: Direction,
    count: int,
    halo: int,
    unpacked: int,
    writes_volume: bool,
    device: bool = False,
) -> SlabCost:
    """Price one slab of a section.

    Parameters
    ----------
    items : sequence of Resolved
        Its steps and tallies.
    source : Layout
        What the section reads.
    direction : "row" or "angle"
        How it is cut.
    count : int
        Rows or angles it makes.
    halo : int
        Context on each side.
    unpacked : int
        Bytes that are held while it is read, beside what is read.
    writes_volume : bool
        Whether its result goes into a volume with a pyramid.
    device : bool
        Whether steps that work anywhere are done on a device.

    Returns
    -------
    SlabCost
        Memory: what is read, two results in turn, and the most that a step takes beside its input and result. On a
        device, what a step takes at most, and the largest that comes or leaves for each other slab that is there; on
        the host, what comes and leaves once more.
    """
    reach = halo
    layout = part_of(source, direction, count + 2 * reach)
    raw = layout.bytes + unpacked
    kept_bytes, inner, seconds = [0, 0], 0, 0.0
    device_bytes, comes, leaves = 0, 0, 0
    for item in items:
        if not isinstance(item.step, Step):
            continue
        input_layout = part_of(item.before, direction, count + 2 * reach)
        reach -= step_halo(item, direction)
        with told_as_its_own(item.step):
            result = item.step.after(input_layout, item.plain)
            declared = item.step.cost.host_bytes(item.plain, input_layout)
            declared_there = item.step.cost.device_bytes(item.plain, input_layout)
        if device and works_there(item):
            device_bytes = max(device_bytes, declared_there)
            comes, leaves = max(comes, input_layout.bytes), max(leaves, result.bytes)
        else:
            inner = max(inner, declared - input_layout.bytes - result.bytes)
            kept_bytes = [kept_bytes[1], max(kept_bytes[0], result.bytes)]
        seconds += 1e-9 * item.step.cost.nanoseconds * input_layout.values
        layout = result
    last = part_of(layout, direction, count)
    written = int(last.bytes * (1 + PYRAMID)) if writes_volume else 0
    on_device = device_bytes + (LANES - 1) * max(comes, leaves) if device_bytes else 0
    return SlabCost(raw + comes + leaves + sum(kept_bytes) + max(inner, written, 0), on_device, seconds)


def angles_block(layout: Layout, rows: int) -> int:
    """Return how many frames a slab of angles holds: about `FAST_BLOCK` bytes of them, at least one."""
    return max(1, FAST_BLOCK // max(1, 4 * rows * layout.shape[2]))


def slabs_of(count: int, size: int) -> int:
    """Return how many slabs of a size so many rows or angles make."""
    return ceil(count / size)
