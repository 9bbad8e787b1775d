"""What the menu prints: the state of the scan, and the help, from the steps' own descriptions."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final

import click

from tomarium import units
from tomarium.beamtime.menu_letters import LETTERS, Letter, in_words, now_in_words
from tomarium.beamtime.quick_look import steps_behind_axis
from tomarium.beamtime.scan_parameters import ScanParameters
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import Protocol, to_data
from tomarium.pipeline.protocol.tomodata_functions import FUNCTIONS
from tomarium.pipeline.run.journal import is_unfinished
from tomarium.steps.core.serialization import describe, find_step

LINE: Final = 80


def paragraph(name: str, text: str) -> None:
    """Print a text beside its name, in lines that fit."""
    lines = textwrap.wrap(text, LINE - 10, break_on_hyphens=False) or [""]
    click.secho(f"{name:<9}", bold=True, nl=False)
    click.echo(lines[0])
    for line in lines[1:]:
        click.echo(f"{'':9}{line}")


def sentence(text: str) -> None:
    """Print a sentence in lines that fit."""
    click.echo(textwrap.fill(text, LINE - 1, subsequent_indent="  ", break_on_hyphens=False))


def state(scan: Scan, parameters: ScanParameters, file: Path, record: Path) -> None:
    """Print what is known of the scan and what will be done with it."""
    protocol = parameters.protocol
    views, rows, columns = scan.shape
    geometry = scan.geometry
    facts = [f"{views} views of {rows} × {columns}"]
    facts += [] if geometry.pixel_m is None else [f"pixel {units.show(geometry.pixel_m.value, 'm')}"]
    facts += [] if geometry.energy_kev is None else [f"{geometry.energy_kev.value:g} keV"]
    paragraph("scan", f"{scan.path.name}: {', '.join(facts)}")
    paragraph("axis", axis(scan, parameters, protocol))
    steps = []
    for entry in to_data(protocol)["steps"]:
        [(name, values)] = entry.items()
        parameters_text = ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)
        steps.append(f"{name} ({parameters_text})" if parameters_text else name)
    paragraph("steps", " → ".join(steps))
    region = parameters.calls.get("roi")
    paragraph(
        "region", "the whole" if region is None else f"x1 y1 z1 x2 y2 z2 = {in_words(region['-r'])}, from 1"
    )
    progress = (
        "unfinished, l goes on" if is_unfinished(record) else "made" if record.exists() else "not made yet"
    )
    paragraph("output", f"{record.name} ({progress}), parameters in {file.name}")


def axis(scan: Scan, parameters: ScanParameters, protocol: Protocol) -> str:
    """Tell the rotation axis as it is known now."""
    column = parameters.calls.get("rotation_axis", {}).get("-m")
    if column is not None:
        return f"column {column - 0.5:.2f}, given"
    if scan.axis_column is not None:
        return f"column {scan.axis_column.value:.2f}, {scan.axis_column.origin}: {scan.axis_column.source}"
    found_axis = parameters.axis
    if found_axis is not None and found_axis.behind == steps_behind_axis(protocol):
        return f"column {found_axis.column:.2f}, found, confidence {found_axis.confidence}"
    return "not looked for yet: a finds it"


def short_help(parameters: ScanParameters | None) -> None:
    """Print the letters that are used every day, with the values they have now."""
    _list([letter for letter in LETTERS if not letter.more], parameters)


def extended_help(parameters: ScanParameters | None) -> None:
    """Print all letters."""
    _list(list(LETTERS), parameters)


def _list(letters: list[Letter], parameters: ScanParameters | None) -> None:
    width = max(len(letter.letter) for letter in letters) + 1
    for letter in letters:
        values = None if parameters is None else parameters.calls.get(letter.function)
        now = "" if values is None else f" [{now_in_words(letter, values)}]"
        click.secho(f"  {letter.letter:<{width}}", bold=True, nl=False)
        click.echo(f"{letter.words}{now}")


def filled(text: str) -> str:
    """Write paragraphs and numbered items in lines that fit; what is indented stays as it is."""
    blocks = [re.split(r"\n(?=\d+\. )", paragraph) for paragraph in text.split("\n\n")]
    return "\n\n".join(
        "\n".join(
            item
            if re.search(r"^\s", item, re.MULTILINE) and not re.match(r"\d+\. ", item)
            else textwrap.fill(
                " ".join(item.split()), LINE - 1, subsequent_indent="   " * bool(re.match(r"\d+\. ", item))
            )
            for item in items
        )
        for items in blocks
    )


def full_help(letter: Letter) -> None:
    """Print all that is known of one letter, with what its step says of itself."""
    click.secho(f"{letter.letter}  ", bold=True, nl=False)
    click.echo(letter.words)
    if letter.function in FUNCTIONS:
        click.echo(f"in tomodata {letter.function}.py")
    if not letter.step:
        return
    description = describe(find_step(letter.step))
    click.echo("\n" + filled(f"step {letter.step}: {description.summary}"))
    if description.text:
        click.echo("\n" + filled(description.text))
    for number, question in enumerate(letter.questions, start=1):
        default = question.default_in_words()
        click.echo(f"\n  {number}. {question.words} [{default}], {question.flag} of tomodata")
        parameter = question.parameter.partition(".")[2]
        click.echo(textwrap.indent(textwrap.fill(description.parameters.get(parameter, ""), 74), "     "))
    back = "auto" if letter.function == "half_acq" else "off"
    click.echo(f"\n  {letter.letter} {back} takes it back. All of it: tomarium steps {letter.step}")
