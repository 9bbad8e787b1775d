"""`tomarium advise`: what a scan needs, or a planned one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.errors import InputError
from tomarium.model.geometry import BY_NAME

UNITS: Final = {
    "sample": ("m", "LENGTH"),
    "span": ("deg", "ANGLE"),
    "exposure": ("s", "TIME"),
    "speed": ("deg/s", "SPEED"),
}
"""Options that take a number with its unit: the unit inside, the word in the help."""

FIELDS: Final = {
    "sample": "sample_m",
    "exposure": "exposure_s",
    "speed": "speed_deg_s",
    "span": "span_deg",
    "num_flats": "flats",
    "num_darks": "darks",
}
"""Option → field of an acquisition, where they have different names."""

_COUNT = click.IntRange(min=1)


def _numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that tell what a scan does not, or what a planned one will be."""
    command: Any = function
    for name, kind, told in reversed(
        (
            ("columns", _COUNT, "Detector columns."),
            ("rows", _COUNT, "Detector rows."),
            ("views", _COUNT, "Projections of a scan."),
            ("span", None, "Angle that they go through, such as '180 deg'."),
            ("num-flats", click.IntRange(min=0), "Flat fields of a scan."),
            ("num-darks", click.IntRange(min=0), "Dark fields of a scan."),
            ("scans", _COUNT, "How many such scans, for the disk space."),
            ("width", _COUNT, "Voxels of the volume across; those of the field of view by default."),
            ("sample", None, "Diameter of the sample, such as '1.3 mm'."),
            (
                "delta-beta",
                click.FloatRange(min=0, min_open=True),
                "Ratio δ/β of the sample, for phase retrieval.",
            ),
            (
                "length-px",
                click.FloatRange(min=0, min_open=True),
                "Length of Paganin's filter in pixels, for the ratio that it stands for.",
            ),
            ("exposure", None, "Exposure time of a projection, such as '50 ms'."),
            ("speed", None, "Speed of a continuous rotation, such as '3.6 deg/s'."),
        )
    ):
        settings = {"type": kind} if kind is not None else {"metavar": UNITS[name][1]}
        command = click.option(f"--{name}", help=told, **settings)(command)
    decorated: Callable[..., Any] = command
    return decorated


@click.command("advise")
@click.argument("path", metavar="[SCAN]", required=False, type=click.Path(path_type=Path))
@_numbers
@click.option(
    "--material",
    metavar="'FORMULA DENSITY'",
    help="Sample's material, such as 'SiO2 2.65' (g/cm³); a mixture by weight '0.7 H2O + 0.3 C5H8O2 1.05'.",
)
@click.option("--extended", is_flag=True, help="The axis stands near the detector's edge: a full turn.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path | None,
    opening: scan_options.Opening,
    extended: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Say what SCAN needs, or a scan that is planned: views, disk, exposure, phase contrast, energy.

    Without SCAN the numbers are given by options; with one, options go before what it tells. Only the header is read.
    Nothing is assumed: what a topic lacks is named.

    \b
    views         π/2 times the width for full sampling up to the rim; as many as the width in practice
    disk          raw data (2 bytes a pixel) and volume (4 bytes a voxel); 1 GB = 10⁹ B, 1 GiB = 2³⁰ B
    exposure      how far the rim moves during one exposure; at most 1 px is wanted
    phase         width of the fringes, near-field or not, and the length of Paganin's filter
    transmission  how much of the beam goes through, and the energies at which 10 to 20 % do

    \b
    tomarium advise scan.h5
    tomarium advise scan.h5 --material 'SiO2 2.65' --sample '1.3 mm'
    tomarium advise --columns 2048 --rows 2048 --views 2000 --scans 8
    tomarium advise --pixel 0.65um --energy 20keV --distance 5cm --delta-beta 400
    """
    from tomarium.pipeline.advice.acquisition import acquisition
    from tomarium.pipeline.advice.advise import advise, as_data

    scan = None if path is None else opening.open_scan(path)
    told = {FIELDS.get(name, name): _number(name, value) for name, value in given.items()}
    if path is None:
        told |= {name: opening.given.get(name) for name in ("pixel_m", "energy_kev", "distance_m")}
        unused = set(opening.given) - {"pixel_m", "energy_kev", "distance_m"}
        if unused:
            words = ", ".join(sorted(f"--{BY_NAME[n].option if n in BY_NAME else n}" for n in unused))
            raise InputError(
                f"{words} tells how a SCAN is opened, but none was named; name it, or leave that out"
            )
    known = acquisition(told | {"extended": True if extended else None}, scan)
    topics = advise(known)
    if as_json:
        show.as_json(as_data(known, topics))
    else:
        for topic in topics:
            click.secho(topic.name, bold=True)
            show.table((line.name, line.shown, line.why) for line in topic.lines)
            if topic.missing:
                click.echo(f"  for more, give {', '.join(topic.missing)}")
    warnings = [text for topic in topics for text in topic.warnings]
    show.warnings(warnings)
    return 1 if warnings else 0


def _number(name: str, given: Any) -> Any:
    """Read text of a number with its unit."""
    return given if given is None or name not in UNITS else units.parse(given, UNITS[name][0])
