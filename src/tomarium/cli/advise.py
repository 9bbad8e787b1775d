"""`tomarium advise`: what a scan needs, or a planned one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.errors import InputError
from tomarium.model.geometry import BY_NAME
from tomarium.pipeline.advice.questions import MATERIAL, OWN, Question


def _numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that tell what a scan does not, or what a planned one will be."""
    command: Any = function
    for question in reversed(OWN):
        settings: dict[str, Any] = {"metavar": question.metavar}
        if question.least is not None:
            settings = {"type": click.IntRange(min=question.least)}
        elif not question.unit:
            settings = {"type": click.FloatRange(min=0, min_open=True)}
        command = click.option(f"--{question.option}", help=question.help, **settings)(command)
    decorated: Callable[..., Any] = command
    return decorated


@click.command("advise")
@click.argument("path", metavar="[SCAN]", required=False, type=click.Path(path_type=Path))
@_numbers
@click.option("--material", metavar="'FORMULA DENSITY'", help=MATERIAL.help)
@click.option("--extended", is_flag=True, help="The axis stands near the detector's edge: a full turn.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path | None, opening: scan_options.Opening, extended: bool, as_json: bool, **options: Any
) -> int:
    """Say what SCAN needs, or a scan that is planned: views, disk, exposure, phase contrast, energy.

    Without SCAN the numbers are given by options; with one, options go before what it tells. Only the header is read.
    Nothing is assumed: what a topic lacks is named.

    \b
    views         π/2 times the width for full sampling up to the rim; as many as the width in practice
    disk          raw data (2 bytes a pixel) and volumes (4 bytes a voxel); 1 GB = 10⁹ B, 1 GiB = 2³⁰ B; the hours of
                  the beamtime and of the copy, and by how many your disk falls behind
    exposure      how far the rim moves during one exposure; at most 1 px is wanted
    phase         width of the fringes, near-field or not, and the length of Paganin's filter
    transmission  how much of the beam goes through, and the energies at which 10 to 20 % do

    \b
    tomarium advise scan.h5
    tomarium advise scan.h5 --material 'SiO2 2.65' --sample '1.3 mm'
    tomarium advise --columns 2048 --rows 2048 --views 2000 --scans 8
    tomarium advise --columns 2048 --rows 2048 --scans 24 --methods 2 --scan-time '20 min' --disk-speed '80 MB/s'
    tomarium advise --pixel 0.65um --energy 20keV --distance 5cm --delta-beta 400
    """
    from tomarium.pipeline.advice.acquisition import acquisition
    from tomarium.pipeline.advice.advise import advise, as_data

    scan = None if path is None else opening.open_scan(path)
    answers = {"material": options.pop("material")} | {
        question.field: read_number(question, options[question.option.replace("-", "_")]) for question in OWN
    }
    if path is None:
        answers |= {name: opening.given.get(name) for name in ("pixel_m", "energy_kev", "distance_m")}
        unused = set(opening.given) - {"pixel_m", "energy_kev", "distance_m"}
        if unused:
            words = ", ".join(sorted(f"--{BY_NAME[n].option if n in BY_NAME else n}" for n in unused))
            raise InputError(
                f"{words} tells how a SCAN is opened, but none was named; name it, or leave that out"
            )
    facts = acquisition(answers | {"extended": True if extended else None}, scan)
    topics = advise(facts)
    if as_json:
        show.as_json(as_data(facts, topics))
    else:
        for topic in topics:
            click.secho(topic.name, bold=True)
            show.table((line.name, line.shown, line.why) for line in topic.lines)
            if topic.missing:
                click.echo(f"  for more, give {', '.join(topic.missing)}")
    warnings = [text for topic in topics for text in topic.warnings]
    show.warnings(warnings)
    return 1 if warnings else 0


def read_number(question: Question, value: Any) -> Any:
    """Read text of a number with its unit."""
    return units.parse(value, question.unit) if question.unit and value is not None else value
