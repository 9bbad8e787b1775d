"""How numbers flow through the steps of a protocol: their kind, their shape, their unit."""

from __future__ import annotations

from collections.abc import Iterable

from tomarium.errors import ParameterError
from tomarium.model import Domain, Scan
from tomarium.pipeline.protocol import Bound
from tomarium.steps.step import Step


def split(bound: Iterable[Bound]) -> tuple[tuple[Bound, ...], tuple[Bound, ...]]:
    """Part steps into those that are cut by angle and those cut by row.

    Parameters
    ----------
    bound : iterable of Bound
        The steps of a protocol.

    Returns
    -------
    tuple
        The angle steps, then the row steps, each in order; probes are in neither.

    Raises
    ------
    ParameterError
        A step cut by angle stands behind one cut by row.
    """
    steps = [b for b in bound if isinstance(b.step, Step)]
    angle = tuple(b for b in steps if isinstance(b.step, Step) and b.step.cut == "angle")
    row = tuple(b for b in steps if isinstance(b.step, Step) and b.step.cut == "row")
    if steps != [*angle, *row]:
        raise ParameterError(
            f"{', '.join(b.step.name for b in angle)} work on whole frames and must stand before "
            f"{row[0].step.name} in the protocol"
        )
    return angle, row


def follow(bound: Iterable[Bound]) -> Domain:
    """Follow the kind of numbers through the steps.

    Parameters
    ----------
    bound : iterable of Bound
        The steps of a protocol.

    Returns
    -------
    Domain
        What the last step gives; "slice", else it is refused.

    Raises
    ------
    ParameterError
        A step is given numbers it does not work on, or the last gives no slices.
    """
    domain: Domain = "counts"
    before = "the scan"
    for b in bound:
        if not isinstance(b.step, Step):
            continue
        if domain not in b.step.accepts:
            raise ParameterError(
                f"step {b.step.name} works on {' or '.join(b.step.accepts)}, but {before} gives {domain}; "
                f"change the order of the steps, or add the one that lacks"
            )
        domain, before = b.step.gives(domain, b.plain), f"step {b.step.name}"
    if domain != "slice":
        raise ParameterError(
            f"the protocol ends with {domain}, not with slices; add a reconstruction such as fbp"
        )
    return domain


def output_plane(bound: Iterable[Bound], scan: Scan) -> tuple[int, int]:
    """Return the size (y, x) of the slices a protocol makes.

    Parameters
    ----------
    bound : iterable of Bound
        The steps of a protocol.
    scan : Scan
        The scan.

    Returns
    -------
    tuple of int
        Rows and columns of a slice.
    """
    planes = [b.step.plane(b.plain, scan) for b in bound if isinstance(b.step, Step) and b.step.plane]
    return planes[-1] if planes else (scan.shape[2], scan.shape[2])


def output_unit(bound: Iterable[Bound]) -> str:
    """Return the unit of the slices a protocol makes.

    Parameters
    ----------
    bound : iterable of Bound
        The steps of a protocol.

    Returns
    -------
    str
        "1/cm" where a step knows the pixel size, else "1/px".
    """
    known = any(b.plain.get("pixel_m") is not None for b in bound if "pixel_m" in b.values)
    return "1/cm" if known else "1/px"
