"""Further steps on the page of work: which there are, and how those that are chosen are written in one field.

The field holds a line for each step, its name, and a line for each of its parameters, "step.parameter=value".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tomarium.errors import ParameterError
from tomarium.pipeline.protocol.protocol import RECONSTRUCTION
from tomarium.steps.core.serialization import all_steps, find_step
from tomarium.steps.core.step import AnyStep, View

FILES: Final = "scans"
"""Parameter by which a step takes further files, which a page does not let it."""
OF_FIELDS: Final = ("axis_column", "pixel_m", "region")
"""Parameters that have fields of their own."""


def offered_steps() -> dict[str, AnyStep]:
    """List the steps that can be added: all but views, which change what rows and columns are, and those on more files.

    Returns
    -------
    dict of str to Step, Probe or Tally
        By name, sorted.
    """
    return {
        name: step
        for name, step in all_steps().items()
        if not isinstance(step, View) and not _takes_files(step)
    }


def _takes_files(step: AnyStep) -> bool:
    return any(parameter.name == FILES for parameter in step.parameters)


def demand_offered(name: str) -> AnyStep:
    """Find a step that can be added; ParameterError where there is none, or the page does not take it."""
    step = find_step(name)
    if step.name not in offered_steps():
        why = "takes further files" if _takes_files(step) else "changes what rows and columns are"
        raise ParameterError(
            f"step {step.name} {why}, so the page does not take it; use it with tomarium run --step"
        )
    return step


def chosen_steps(text: str) -> dict[str, dict[str, str]]:
    """Read the field.

    Parameters
    ----------
    text : str
        As it is typed.

    Returns
    -------
    dict of str to dict
        Name of each step as it is written → its parameters that were typed. Nothing is checked.
    """
    steps: dict[str, dict[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        target, equals, value = line.partition("=")
        name, _, parameter = target.partition(".")
        values = steps.setdefault(name.strip(), {})
        if equals:
            values[parameter.strip()] = value.strip()
    return steps


def further_text(chosen: Mapping[str, Mapping[str, str]]) -> str:
    """Write the field: what `chosen_steps` reads back, without parameters that are empty."""
    lines = []
    for name, values in chosen.items():
        lines += [name, *(f"{name}.{parameter}={value}" for parameter, value in values.items() if value)]
    return "\n".join(lines)


def from_fields(text: str, fields: Iterable[tuple[str, str]]) -> str:
    """Write the field from those of a form, in which each step has fields of its own.

    Parameters
    ----------
    text : str
        The field itself.
    fields : iterable of tuple of str
        Names and texts: "add", a step to add; "step.NAME", that a step is done; "step.NAME.PARAMETER". Others are
        passed over, and so are parameters of a step that is not done.

    Returns
    -------
    str
        All of them in the one field.
    """
    values = {name: value.strip() for name, value in fields}
    chosen = chosen_steps(text)
    for name in values:
        step = name.removeprefix("step.")
        if name != step and step and "." not in step:
            chosen.setdefault(step, {})
    for name, value in values.items():
        head, _, step_and_parameter = name.partition(".")
        step, dot, parameter = step_and_parameter.partition(".")
        if head == "step" and dot and step in chosen:
            chosen[step][parameter] = value
    if values.get("add"):
        chosen.setdefault(values["add"], {})
    return further_text(chosen)


def reconstruction_of(names: Iterable[str]) -> str:
    """Return the step that makes the slices: fbp, or the last of those that were chosen."""
    offered = offered_steps()
    chosen = [name for name in names if name in offered and offered[name].place == RECONSTRUCTION]
    return chosen[-1] if chosen else "fbp"
