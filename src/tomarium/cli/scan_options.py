"""Options that several commands share: how a scan is opened, and how a protocol is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tomarium import units
from tomarium.errors import InputError
from tomarium.model import Image, Scan

F = TypeVar("F", bound=Callable[..., Any])

SCAN = click.argument("path", metavar="SCAN", type=click.Path(path_type=Path))
FLATS, DARKS = "tomarium.flats", "tomarium.darks"


def _remember(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Keep the value for `open_any`; no command needs an argument for it."""
    context.meta[FLATS if option.name == "flats" else DARKS] = value


def geometry(function: F) -> F:
    """Add the options by which a user tells what a scan does not.

    Parameters
    ----------
    function : callable
        Takes `axis`, `pixel`, `energy` and `distance`.

    Returns
    -------
    callable
        The same with options.
    """
    for option in (
        *(
            click.option(
                f"--{name}",
                metavar="FILE[:PATH]",
                expose_value=False,
                callback=_remember,
                help=f"File with the {name}, where the scan's own lacks them; PATH is the dataset in it.",
            )
            for name in ("darks", "flats")
        ),
        click.option(
            "--distance", metavar="LENGTH", help="Distance from sample to detector, such as '10 cm'."
        ),
        click.option("--energy", metavar="ENERGY", help="Photon energy, such as '20 keV'."),
        click.option("--pixel", metavar="LENGTH", help="Pixel size at the sample, such as '0.65 um'."),
        click.option(
            "--axis",
            type=float,
            metavar="COLUMN",
            help="Column of the rotation axis, 0-based; looked for otherwise.",
        ),
    ):
        function = option(function)
    return function


def steps(function: F) -> F:
    """Add the options by which a protocol is chosen.

    Parameters
    ----------
    function : callable
        Takes `protocol_path` and `assignments`.

    Returns
    -------
    callable
        The same with options.
    """
    for option in (
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="STEP.PARAMETER=VALUE",
            help="Set one parameter, such as fbp.window=hann; may be given often. `tomarium steps` lists them.",
        ),
        click.option(
            "-p",
            "--protocol",
            "protocol_path",
            type=click.Path(path_type=Path),
            help="Protocol file (.yaml, .json or .txt); find_axis, flat_field, fbp by default.",
        ),
    ):
        function = option(function)
    return function


def open_scan(
    path: Path,
    *,
    axis: float | None = None,
    pixel: str | None = None,
    energy: str | None = None,
    distance: str | None = None,
) -> Scan:
    """Open a scan with what the user tells of it.

    Parameters
    ----------
    path : Path
        File or folder.
    axis : float, optional
        Column of the rotation axis.
    pixel, energy, distance : str, optional
        Text with units.

    Returns
    -------
    Scan
        The scan.

    Raises
    ------
    InputError
        It holds an image, not a scan.
    FormatError
        It cannot be read.
    UnitError
        A text lacks its unit.
    """
    opened = open_any(path, axis=axis, pixel=pixel, energy=energy, distance=distance)
    if not isinstance(opened, Scan):
        raise InputError(
            f"{path} holds an image of shape {opened.shape}, not a tomography scan with projections"
        )
    return opened


def open_any(
    path: Path,
    *,
    axis: float | None = None,
    pixel: str | None = None,
    energy: str | None = None,
    distance: str | None = None,
    entry: str | None = None,
) -> Scan | Image:
    """Open a scan or an image with what the user tells of it, the files of `--flats` and `--darks` among it.

    Parameters
    ----------
    path : Path
        File or folder.
    axis : float, optional
        Column of the rotation axis.
    pixel, energy, distance : str, optional
        Text with units.
    entry : str, optional
        Which scan, for a file that holds several.

    Returns
    -------
    Scan or Image
        What the file holds.

    Raises
    ------
    FormatError
        It cannot be read.
    ParameterError
        There is no such entry.
    UnitError
        A text lacks its unit.
    """
    import tomarium.formats as formats

    context = click.get_current_context(silent=True)
    told = {} if context is None else context.meta
    return formats.open(
        path,
        entry=entry,
        flats=told.get(FLATS),
        darks=told.get(DARKS),
        axis_column=axis,
        pixel_m=None if pixel is None else units.parse(pixel, "m"),
        energy_kev=None if energy is None else units.parse(energy, "keV"),
        distance_m=None if distance is None else units.parse(distance, "m"),
    )


def choose_protocol(protocol_path: Path | None, assignments: tuple[str, ...]) -> Any:
    """Read the protocol and set the parameters the user gives.

    Parameters
    ----------
    protocol_path : Path or None
        Its file; None for the default.
    assignments : tuple of str
        ``step.parameter=value``.

    Returns
    -------
    Protocol
        The protocol.

    Raises
    ------
    InputError, ParameterError
        It cannot be used.
    """
    from tomarium.pipeline.protocol import default_protocol, read, with_parameter

    protocol = default_protocol() if protocol_path is None else read(protocol_path)
    for assignment in assignments:
        protocol = with_parameter(protocol, assignment)
    return protocol


def parse_rows(text: str | None) -> slice | None:
    """Read rows as users write them.

    Parameters
    ----------
    text : str or None
        "A:B"; either may be left out.

    Returns
    -------
    slice or None
        The rows.

    Raises
    ------
    InputError
        It has another form.
    """
    if text is None:
        return None
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError(text)
        return slice(int(first) if first.strip() else None, int(last) if last.strip() else None)
    except ValueError as problem:
        raise InputError(f"--rows {text!r}: write A:B with whole numbers, such as 100:200") from problem
