"""What is done with a scan, by the words of a user: protocol, part of the volume, parameters of another record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tomarium.catalogue.copy_parameters import copy_parameters
from tomarium.errors import ParameterError
from tomarium.model import Scan
from tomarium.pipeline.protocol.choice import Choice, with_parameter
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.run.crop import centred_crop, find_crop, parse_sizes
from tomarium.pipeline.run.runner import Progress, silent


@dataclass(frozen=True)
class ChosenRun:
    """What is done with a scan.

    Attributes
    ----------
    scan : Scan
        The scan, with what was copied of another record.
    protocol : Protocol
        The steps.
    rows : slice or None
        Detector rows wanted; None for all.
    told : tuple of str
        How it was chosen, where that is not the user's own word: what was copied, and a crop.
    warnings : tuple of str
        What the user should know of it.
    """

    scan: Scan
    protocol: Protocol
    rows: slice | None = None
    told: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())


def chosen_run(
    scan: Scan,
    choice: Choice,
    *,
    like: Path | None = None,
    rows: slice | None = None,
    crop: str | None = None,
    axis: bool = True,
    on_progress: Progress = silent,
) -> ChosenRun:
    """Choose what is done with a scan.

    Parameters
    ----------
    scan : Scan
        The scan.
    choice : Choice
        A protocol in the words of a command line.
    like : Path, optional
        Folder of a record whose protocol, axis and region are taken, rescaled to this scan; the choice then changes
        that protocol.
    rows : slice, optional
        Detector rows wanted.
    crop : str, optional
        "auto" for the box of the object, or its size "Z,Y,X"; by default what the protocol's file says.
    axis : bool
        Whether the rotation axis of the other record is taken too; it is not where the user gives one or asks that it
        be looked for.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    ChosenRun
        For `tomarium.catalogue.make_record.make_record`.

    Raises
    ------
    InputError, ParameterError, MissingData
        The words do not fit together, or the other record cannot be followed.
    """
    crop = crop or choice.told("crop")
    region = choice.region or choice.told("roi")
    if crop is not None and (rows is not None or region is not None):
        raise ParameterError("--crop chooses the part of the volume; leave out --rows and --roi")
    notes: tuple[str, ...] = ()
    if like is None:
        protocol = choice.protocol(scan.domain)
    else:
        copied = copy_parameters(
            like,
            scan,
            binning=choice.binning,
            axis=axis and not _own_axis(choice),
            region=region is None and rows is None and crop is None,
        )
        scan, notes = copied.scan, copied.told
        protocol = choice.protocol(scan.domain, copied.protocol)
        rows = rows or copied.rows
    if crop is None:
        return ChosenRun(scan, protocol, rows or choice.rows(), notes)
    if crop == "auto":
        found_crop = find_crop(scan, protocol, on_progress=on_progress)
    else:
        found_crop = centred_crop(scan, protocol, parse_sizes(crop))
    return ChosenRun(
        scan,
        with_parameter(protocol, f"fbp.region={found_crop.region}"),
        found_crop.rows,
        (*notes, f"crop: {found_crop.told}"),
        tuple(found_crop.warnings),
    )


def _own_axis(choice: Choice) -> bool:
    """Tell whether the user gives the axis by the protocol, or asks that it be looked for."""
    steps = dict(choice.instructions.steps) if choice.instructions else {}
    is_chosen = "find_axis" in {*steps, *choice.steps}
    is_given = any("axis_column" in values for values in steps.values())
    return (
        is_chosen
        or is_given
        or any(assignment.partition("=")[0].endswith(".axis_column") for assignment in choice.assignments)
    )
