"""Read a protocol from whatever spells one: a file, a text, the name of a preset, plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tomarium.errors import InputError, ParameterError
from tomarium.model import Domain
from tomarium.pipeline.protocol.of_others import demand_no_methods, demand_ours
from tomarium.pipeline.protocol.protocol import (
    PRESETS,
    Protocol,
    default_protocol,
    for_domain,
    from_data,
    from_steps,
    from_text,
    preset,
)
from tomarium.pipeline.protocol.tomodata import Instructions, is_instructions, read_instructions

AnyProtocol = Protocol | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | str | Path | None
"""Whatever spells a protocol."""


def as_protocol(given: AnyProtocol, domain: Domain = "counts") -> Protocol:
    """Make a protocol of whatever spells one.

    Parameters
    ----------
    given : Protocol, mapping, sequence, str, path or None
        A protocol; its plain data; its steps, such as ["flat_field", {"paganin": {"delta_beta": 300}}, "fbp"]; the
        path of its file; its text, such as "steps: [flat_field, fbp]"; the name of a preset; or None for the default.
    domain : Domain
        What the scan's numbers are, for presets and the default.

    Returns
    -------
    Protocol
        The checked protocol.

    Raises
    ------
    InputError, ParameterError
        It cannot be read.
    """
    if given is None:
        return default_protocol(domain)
    if isinstance(given, Protocol):
        return given
    if isinstance(given, Mapping | list | tuple):
        return from_data(given if isinstance(given, Mapping) else {"steps": list(given)}, "protocol")
    if isinstance(given, str):
        if given in PRESETS:
            return for_domain(preset(given), domain)
        if is_instructions(given):
            return _alone(read_instructions(given, "protocol"), "protocol")
        if "\n" in given or "steps:" in given or given.lstrip().startswith("{"):
            return from_data(_yaml(given, "protocol"), "protocol", written=True)
        if not Path(given).exists() and not Path(given).suffix:
            raise ParameterError(
                f"{given!r} is no protocol: give the path of its file, its text (such as 'steps: [flat_field, fbp]'), "
                f"or one of the presets {', '.join(PRESETS)}"
            )
    if not isinstance(given, str | Path):
        raise InputError(
            f"a protocol is text, a path, a mapping, a list of steps or a Protocol, but {type(given).__name__} was "
            f"given"
        )
    return read(Path(given))


def read(path: Path) -> Protocol:
    """Read a protocol file.

    Parameters
    ----------
    path : Path
        `.yaml`, `.yml` or `.json`; else plain text with one step a line, ``fbp --window hann``, or instructions of
        tomodata, ``python ~/Python/paganin.py XXX -m 50``.

    Returns
    -------
    Protocol
        The checked protocol.

    Raises
    ------
    InputError
        The file is absent, unreadable or not a protocol.
    ParameterError
        An unknown step or parameter, or a value that is not allowed.
    """
    text = _text_of(path)
    if path.suffix in {".yaml", ".yml"}:
        data = _yaml(text, path)
        demand_no_methods(data, str(path))
        return from_data(data, str(path), written=True)
    if path.suffix == ".json":
        try:
            return from_data(json.loads(text), str(path))
        except json.JSONDecodeError as problem:
            raise InputError(f"{path}: this is not JSON: {problem}") from problem
    if is_instructions(text):
        return _alone(read_instructions(text, str(path)), str(path))
    demand_ours(text, str(path))
    return from_text(text, str(path))


def instructions_in(path: Path | None) -> Instructions | None:
    """Read a file of instructions of tomodata.

    Parameters
    ----------
    path : Path or None
        A protocol's file.

    Returns
    -------
    Instructions or None
        What it asks for; None for a protocol of another spelling.

    Raises
    ------
    InputError
        The file cannot be read.
    ParameterError
        A line cannot be followed.
    """
    if path is None or path.suffix in {".yaml", ".yml", ".json"}:
        return None
    text = _text_of(path)
    return read_instructions(text, str(path)) if is_instructions(text) else None


def protocol_of(instructions: Instructions, base: Protocol | None = None) -> Protocol:
    """Make the protocol that a file of instructions of tomodata asks for.

    Parameters
    ----------
    instructions : Instructions
        What the file says.
    base : Protocol, optional
        What its steps are put into; the preset "standard" by default.

    Returns
    -------
    Protocol
        The base with the steps of the file in their natural places. What is no step (a region, the memory) is
        left to the run.

    Raises
    ------
    ParameterError
        A step of one line is taken out by another.
    """
    values_of_steps = dict(instructions.steps)
    protocol = from_steps(
        [name for name in values_of_steps if name != "minus_log"], base or preset("standard")
    )
    if "minus_log" in values_of_steps and all(item.step.name != "minus_log" for item in protocol.items):
        protocol = from_steps(["minus_log"], protocol)
    items = [item for item in protocol.items if item.step.name not in instructions.left_out]
    missing = sorted(values_of_steps.keys() - {item.step.name for item in items})
    if missing:
        raise ParameterError(
            f"{', '.join(missing)}: another line takes the step out of the protocol; leave one of the lines out"
        )
    return Protocol(
        tuple(
            replace(item, given={**item.given, **values_of_steps.get(item.step.name, {})}) for item in items
        )
    )


def _alone(instructions: Instructions, where: str) -> Protocol:
    """Return the protocol of a file that sets nothing beside steps, which a protocol alone could not follow."""
    beside = [name for name in ("roi", "crop", "like", "volume") if name in instructions.run]
    if beside:
        raise ParameterError(
            f"{where}: {', '.join(beside)} is an option of a run, which a protocol alone does not have; give the "
            "file to tomarium run, or leave the line out"
        )
    return protocol_of(instructions)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else f"it is no text in UTF-8 ({problem})"
        raise InputError(
            f"{path}: the protocol cannot be read: {reason}; give a file of steps, as `tomarium protocol new` makes one"
        ) from problem


def _yaml(text: str, path: Path | str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise InputError(f"{path}: this is not YAML: {problem}") from problem
