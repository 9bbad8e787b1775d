"""`tomarium protocol`: see, make and check protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import scan_options, show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.pipeline.protocol.choice import Choice
    from tomarium.pipeline.protocol.protocol import Protocol


@click.group("protocol")
def command() -> None:
    """See the protocols that come with the program, write one to a file, check one.

    A protocol is a list of steps with parameters, as YAML, JSON or plain text.

    \b
    tomarium protocol show
    tomarium protocol show phase
    tomarium protocol new mine.yaml --preset phase --step remove_stripes --set paganin.delta_beta=300
    tomarium protocol check mine.yaml
    tomarium protocol convert protocol.txt -o mine.yaml
    tomarium protocol export mine.yaml --ewoks mine.json
    """


@command.command("show")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def show_command(name: str | None, as_json: bool) -> None:
    """Show the protocol of a preset or of a file; without NAME, list the presets."""
    from tomarium.pipeline.protocol.choice import describe_presets
    from tomarium.pipeline.protocol.protocol import PRESETS, preset, to_data, to_yaml
    from tomarium.pipeline.protocol.read import instructions_in, protocol_of, read

    if name is None:
        if as_json:
            show.as_json(describe_presets())
            return
        for describe_preset in describe_presets():
            steps = " → ".join(next(iter(step)) for step in describe_preset["steps"])
            click.secho(describe_preset["name"], bold=True)
            show.table([(describe_preset["summary"],), (steps,)])
        return
    instructions = None if name in PRESETS else instructions_in(Path(name))
    protocol = (
        preset(name) if name in PRESETS else protocol_of(instructions) if instructions else read(Path(name))
    )
    if as_json:
        show.as_json(to_data(protocol))
    else:
        click.echo(to_yaml(protocol), nl=False)


@command.command("new")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@scan_options.steps
def new_command(path: Path, choice: Choice) -> None:
    """Write a protocol to FILE, .yaml, .json or .txt, with every parameter of its steps to change."""
    import json

    from tomarium.pipeline.protocol.protocol import to_data, to_text, to_yaml

    if path.exists():
        raise InputError(f"{path} exists already; give another name, or remove it first")
    protocol = choice.protocol()
    match path.suffix:
        case ".json":
            text = json.dumps(to_data(protocol), indent=2) + "\n"
        case ".yaml" | ".yml":
            text = "\n".join([to_yaml(protocol).rstrip(), *_parameters_told(protocol, str)]) + "\n"
        case _:
            told = _parameters_told(protocol, lambda name: f"--{name.replace('_', '-')}")
            text = to_text(protocol) + "\n".join(told) + "\n"
    path.write_text(text, encoding="utf-8")
    click.echo(
        f"{path}: {' → '.join(item.step.name for item in protocol.items)}; use it with: tomarium run SCAN -p {path}"
    )


def _parameters_told(protocol: Protocol, spelled: Callable[[str], str]) -> list[str]:
    """Write every parameter of the steps, its default and what it does as lines of comment."""
    from tomarium.steps.core.serialization import default_in_words, describe

    lines = []
    for item in protocol.items:
        description = describe(item.step)
        lines += ["", f"# {item.step.name}: {description.summary}"]
        lines += [
            f"#   {spelled(parameter.name)} (default {default_in_words(parameter)}): "
            f"{description.parameters[parameter.name]}"
            for parameter in item.step.parameters
        ]
    return lines


@command.command("convert")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; printed without it.")
def convert_command(path: Path, output: Path | None) -> None:
    """Turn a protocol.txt of tomodata in FILE into YAML, with what became of each line as a comment.

    Lines that set no step, such as a region or the memory, become options of `tomarium run` and are told as such. The
    program takes the file as it is, too: tomarium run SCAN -p protocol.txt.

    \b
    tomarium protocol convert protocol.txt
    tomarium protocol convert protocol.txt -o protocol.yaml
    """
    from tomarium.atomic_files import write_whole
    from tomarium.pipeline.protocol.protocol import to_yaml
    from tomarium.pipeline.protocol.read import instructions_in, protocol_of

    instructions = instructions_in(path)
    if instructions is None:
        raise InputError(
            f"{path} calls no function of tomodata, such as: python ~/Python/paganin.py XXX -m 50. Other protocols are "
            f"shown by: tomarium protocol show {path}"
        )
    lines = [f"# from {path.name}"]
    for line in instructions.lines:
        lines += [f"# line {line.number}: {line.text}", f"#   {line.became}"]
    text = "\n".join([*lines, to_yaml(protocol_of(instructions))])
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise InputError(f"{output} exists already; give another name, or remove it first")
    write_whole(output, text.encode())
    options = " ".join(_option_words(instructions.run))
    click.echo(f"{output}: use it with: tomarium run SCAN -p {output}{' ' + options if options else ''}")


def _option_words(run: Mapping[str, Any]) -> list[str]:
    """Write what a file sets beside steps as options of `tomarium run`."""
    option_names = {
        "roi": "--roi",
        "crop": "--crop",
        "memory": "--memory",
        "like": "--like",
        "volume": "--output",
    }
    return [f"{option_names[name]} {value}" for name, value in run.items() if name in option_names]


@command.command("export")
@click.argument("name", metavar="PROTOCOL")
@click.option(
    "--ewoks",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="OUT.json",
    help="File of the workflow to write; - prints it.",
)
def export_command(name: str, output: Path) -> None:
    """Write PROTOCOL, the name of a preset or a file, as a workflow of ewoks.

    The scan, each step and the reconstruction are nodes; a step's parameters are inputs of its node. Ewoks runs it with
    the package of tomarium beside it (pip install 'tomarium[ewoks]') and makes the same record, with the same voxels,
    as `tomarium run`.

    \b
    tomarium protocol export phase --ewoks phase.json
    tomarium protocol export mine.yaml --ewoks mine.json
    ewoks execute phase.json -ps scan=tooth.h5 -ps output=tooth_record -pn paganin:delta_beta=300
    """
    import json

    from tomarium.atomic_files import write_whole
    from tomarium.ewoks import to_graph
    from tomarium.pipeline.protocol.protocol import PRESETS, preset
    from tomarium.pipeline.protocol.read import instructions_in, protocol_of, read

    instructions = None if name in PRESETS else instructions_in(Path(name))
    protocol = (
        preset(name) if name in PRESETS else protocol_of(instructions) if instructions else read(Path(name))
    )
    text = json.dumps(to_graph(protocol, Path(name).stem), indent=2, ensure_ascii=False) + "\n"
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    if output.exists():
        raise InputError(f"{output} exists already; give another name, or remove it first")
    write_whole(output, text.encode())
    click.echo(f"{output}: use it with: ewoks execute {output} -ps scan=SCAN -ps output=RECORD")


@command.command("check")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--scan", type=click.Path(path_type=Path), help="Check it against a scan too.")
@scan_options.opening
def check_command(path: Path, scan: Path | None, opening: scan_options.Opening) -> None:
    """Check the protocol in FILE: its form, its steps, their values, and whether they can follow each other."""
    from tomarium.pipeline.protocol.read import instructions_in, protocol_of, read
    from tomarium.pipeline.protocol.resolve import resolve

    instructions = instructions_in(path)
    protocol = protocol_of(instructions) if instructions else read(path)
    if instructions:
        show.table([(f"line {line.number}", line.text, line.became) for line in instructions.lines])
    steps = " → ".join(item.step.name for item in protocol.items)
    if scan is None:
        click.echo(
            f"{path}: {steps}; each step and value is allowed. With --scan SCAN their order is checked too"
        )
        return
    resolution = resolve(protocol, opening.open_scan(scan))
    layout = resolution.layout
    shape = " × ".join(map(str, layout.shape))
    click.echo(f"{path}: {steps}; gives {layout.domain} of {shape} in {layout.unit}")
