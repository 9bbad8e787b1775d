"""Further scans that go through the steps of the first: which steps, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tomarium.errors import MissingData, ParameterError
from tomarium.model import Scan, Value
from tomarium.pipeline.plan.cost import halo_of, slab_cost
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.further_scans import follows, scans_beside
from tomarium.steps.core.sample import layout_of
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.step import Step

FOLLOWED_ROWS = 16
"""Rows of a further scan that steps on sinograms get at a time: what compiled kernels take."""


@dataclass(frozen=True)
class FollowedCost:
    """What further scans cost that go through the steps before.

    Attributes
    ----------
    held_bytes : int
        Memory of what the steps prepare for them, and of sinograms in work.
    spool_bytes : int
        What steps on sinograms leave of them, which is laid down.
    seconds : float
        Time of one core.
    """

    held_bytes: int = 0
    spool_bytes: int = 0
    seconds: float = 0.0


def as_done(steps: Sequence[Resolved], scan: Scan) -> tuple[Resolved, ...]:
    """Return steps as they are done to another scan, with the values that they have for the first.

    What a step takes from the scan, as its axis, is the other's own where that tells it.

    Parameters
    ----------
    steps : sequence of Resolved
        Steps and tallies of the first scan.
    scan : Scan
        The other one.

    Returns
    -------
    tuple of Resolved
        The steps alone. Of a scan that holds no counts any more, those behind the flat field; of one that holds counts
        where the first does not, `flat_field` before them.

    Raises
    ------
    MissingData
        A step needs the axis of a scan of another width that does not tell it.
    ParameterError
        A step moves the views of the first scan by shifts that only that one has, or two steps need the scan cut in
        two ways.
    """
    followed = [item for item in steps if isinstance(item.step, Step)]
    if scan.domain != "counts":
        followed = [item for item in followed if item.before.domain != "counts"]
    layout = layout_of(scan)
    if scan.domain == "counts" and not any(item.before.domain == "counts" for item in followed):
        flat_field = find_step("flat_field")
        assert isinstance(flat_field, Step)
        values = {p.name: Value(p.default, "default", "") for p in flat_field.parameters}
        values["log"] = Value(False, "derived", f"{scan.path.name} holds counts")
        followed.insert(0, Resolved(flat_field, values, layout, layout, flat_field.name))
    followed_steps = []
    for item in followed:
        assert isinstance(item.step, Step)
        moved = item.before.geometry.shift_columns_px, item.before.geometry.shift_rows_px
        shifts_left = item.after.geometry.shift_columns_px, item.after.geometry.shift_rows_px
        if any(
            value is not None and np.any(value.value) and value is not two
            for value, two in zip(moved, shifts_left, strict=True)
        ):
            raise ParameterError(
                f"step {item.step.name} moves the views of the first scan, and the shifts of {scan.path} are not "
                f"known; leave {item.step.name} away, or put it behind the step that takes further scans"
            )
        with told_as_its_own(item.step):
            if item.step.demand is not None:
                item.step.demand(scan, layout)
            own = replace(item, values=_own_values(item, scan))
            after = item.step.after(layout, own.plain)
        followed_steps.append(replace(own, before=layout, after=after))
        layout = after
    _demand_one_cut(followed_steps)
    return tuple(followed_steps)


def _own_values(item: Resolved, scan: Scan) -> dict[str, Value[Any]]:
    """Take from another scan what it tells of itself, such as its axis; else what is known of the first."""
    values = dict(item.values)
    for parameter in item.step.parameters:
        own = getattr(scan.geometry, parameter.name) if parameter.from_scan else None
        if own is not None:
            values[parameter.name] = own
        elif parameter.name == "axis_column" and scan.shape[2] != item.before.shape[2]:
            raise MissingData(
                f"step {item.step.name} needs the axis of {scan.path}, which has {scan.shape[2]} columns and does not "
                f"tell it; put {item.step.name} behind the step that takes further scans"
            )
    return values


def _demand_one_cut(steps: Sequence[Resolved]) -> None:
    by_row, by_frame = (
        [item.step.name for item in steps if isinstance(item.step, Step) and item.step.cut == cut]
        for cut in ("row", "angle")
    )
    if by_row and by_frame:
        raise ParameterError(
            f"step {by_row[0]} works on sinograms and {by_frame[0]} on whole frames; further scans can go through one "
            f"of them: put the other behind the step that takes them"
        )


def on_sinograms(steps: Sequence[Resolved]) -> bool:
    """Tell whether one of the steps needs all angles of a row."""
    return any(isinstance(item.step, Step) and item.step.cut == "row" for item in steps)


def cost_of_following(item: Resolved, before: Sequence[Resolved], scan: Scan) -> FollowedCost:
    """Price the further scans of a step that go through the steps before it.

    Parameters
    ----------
    item : Resolved
        The step.
    before : sequence of Resolved
        Steps and tallies before it.
    scan : Scan
        The first scan.

    Returns
    -------
    FollowedCost
        Nothing where it takes none. Further scans count whole, without the views of the first.
    """
    host_bytes = spool = 0
    seconds = 0.0
    if isinstance(item.step, Step) and follows(item.step):
        for further_scan in scans_beside(scan, item.plain["scans"]):
            steps = as_done(before, further_scan)
            if not steps:
                continue
            layout, rows = layout_of(further_scan), further_scan.shape[1]
            for following in steps:
                if isinstance(following.step, Step) and following.step.cost.prepared is not None:
                    host_bytes += following.step.cost.prepared(further_scan, following.plain)
            halo = halo_of(steps, "row")
            slab_price = slab_cost(steps, layout, "row", rows, 0, 0, False)
            seconds += slab_price.seconds
            if on_sinograms(steps):
                spool += steps[-1].after.bytes
                host_bytes += slab_cost(
                    steps, layout, "row", min(rows, FOLLOWED_ROWS), halo, 0, False
                ).host_bytes
            else:
                host_bytes += slab_cost(steps, layout, "angle", 1, 0, 0, False).host_bytes
    return FollowedCost(host_bytes, spool, seconds)
