"""How the parameters of a step are checked, and spelled in YAML, forms, command lines and schemas."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

from tomarium.errors import ParameterError
from tomarium.model import Scan
from tomarium.registry import collect
from tomarium.steps.core.parameter import Parameter
from tomarium.steps.core.step import AnyStep, Probe, Step, Tally, View


@cache
def all_steps() -> Mapping[str, AnyStep]:
    """Return every step, view, probe and tally there is.

    Returns
    -------
    mapping of str to Step, View, Probe or Tally
        By name, sorted.
    """
    families: tuple[type[Any], ...] = (Step, View, Probe, Tally)
    return collect("steps", *families)


def find_step(name: str) -> AnyStep:
    """Find a step by its name or one of its aliases, with or without a script's ".py".

    Parameters
    ----------
    name : str
        As users write it.

    Returns
    -------
    Step, View, Probe or Tally
        The step.

    Raises
    ------
    ParameterError
        There is none; the message names those that sound alike.
    """
    known = {
        alias.removesuffix(".py"): step
        for step in all_steps().values()
        for alias in (step.name, *step.aliases)
    }
    if (bare := name.removesuffix(".py")) in known:
        return known[bare]
    raise ParameterError(f"there is no step {name!r}; {_advice(name, all_steps())}")


def apply_recipe(scan: Scan, recipe: Sequence[Mapping[str, Any]]) -> Scan:
    """Make the views of a recipe again.

    Parameters
    ----------
    scan : Scan
        The scan as its file holds it.
    recipe : sequence of mapping
        As `Scan.recipe`; what was told when it was opened is left out.

    Returns
    -------
    Scan
        The view.

    Raises
    ------
    ParameterError
        It names something that is no view, or a value that is not allowed.
    """
    for entry in recipe:
        for name, values in entry.items():
            if name == "open":
                continue
            view = find_step(name)
            if not isinstance(view, View):
                raise ParameterError(
                    f"{name} is no view of a scan; a recipe holds views, such as crop and bin"
                )
            scan = view(scan, **values)
    return scan


def check(step: AnyStep, given: Mapping[str, Any], *, written: bool = False) -> dict[str, Any]:
    """Check the parameters given to a step.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.
    given : mapping of str to object
        Values as YAML, a form or a command line holds them; text with units for numbers that have one.
    written : bool
        Whether a person wrote them into a file: then a bare number is refused where a unit belongs. In Python a bare
        number is in the unit of the parameter's name.

    Returns
    -------
    dict of str to object
        The given parameters as the function wants them; those not given are left out.

    Raises
    ------
    ParameterError
        An unknown parameter, or a value it does not allow.
    """
    known = {parameter.name: parameter for parameter in step.parameters}
    for name in given:
        if name not in known:
            raise ParameterError(f"step {step.name} has no parameter {name!r}; {_advice(str(name), known)}")
    for name, value in given.items():
        is_bare = isinstance(value, int | float) and not isinstance(value, bool)
        if written and is_bare and known[name].needs_unit:
            example = {"m": "0.65 um", "keV": "20 keV"}.get(known[name].unit, f"{value:g} {known[name].unit}")
            raise ParameterError(
                f"step {step.name}: {name} = {value!r} has no unit; write it with one, such as '{example}'"
            )
    return {name: _value(step, known[name], value) for name, value in given.items()}


def _value(step: AnyStep, parameter: Parameter, given: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(parameter.annotation).validate_python(given)
    except ValidationError as problem:
        reasons = "; ".join(dict.fromkeys(str(error["msg"]) for error in problem.errors()))
        raise ParameterError(
            f"step {step.name}: {parameter.name} = {given!r} is not allowed: {reasons.removeprefix('Value error, ')}"
        ) from problem


def _advice(name: str, known: Mapping[str, Any]) -> str:
    alike = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(alike)}?" if alike else f"there are: {', '.join(known) or 'none'}"


def spell(parameter: Parameter, value: Any) -> Any:
    """Write a value as YAML, JSON and people read it back: a number that has a unit becomes text with it.

    Parameters
    ----------
    parameter : Parameter
        Tells the unit.
    value : object
        As `check` returns it.

    Returns
    -------
    object
        JSON-ready; `check` turns it back into the same value.
    """
    if parameter.unit and isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value!r} {parameter.unit}"
    return value


def spelled(step: AnyStep, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write the values of a step as `spell` does each."""
    known = {parameter.name: parameter for parameter in step.parameters}
    return {name: spell(known[name], value) for name, value in values.items()}


@dataclass(frozen=True)
class FormField:
    """A field of a web form.

    Attributes
    ----------
    name, label, help : str
        Name of the parameter, its label and its explanation.
    control : str
        "choice", "boolean", "integer", "number" or "text".
    value : str
        What the field shows, as text.
    choices : tuple of str
        For "choice".
    unit : str
        Unit the placeholder shows.
    """

    name: str
    label: str
    help: str
    control: Literal["choice", "boolean", "integer", "number", "text"]
    value: str
    choices: tuple[str, ...] = ()
    unit: str = ""


def form(step: AnyStep, values: Mapping[str, Any]) -> tuple[FormField, ...]:
    """Write a step's parameters as the fields of a form.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.
    values : mapping of str to object
        Present values, as `check` returns them; others show their default.

    Returns
    -------
    tuple of FormField
        One for each parameter.
    """
    told = describe(step).parameters
    return tuple(
        FormField(
            name=parameter.name,
            label=parameter.name.replace("_", " "),
            help=told.get(parameter.name, ""),
            control=parameter.kind,
            value=_text(spell(parameter, values[parameter.name])) if parameter.name in values else "",
            choices=tuple(_text(choice) for choice in parameter.choices),
            unit=parameter.unit,
        )
        for parameter in step.parameters
    )


def from_form(step: AnyStep, fields: Mapping[str, str]) -> dict[str, Any]:
    """Read the parameters of a step from a sent form, or from a command line's options.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.
    fields : mapping of str to str
        Field name → text; an empty text means "as by default".

    Returns
    -------
    dict of str to object
        As `check` returns it.

    Raises
    ------
    ParameterError
        As `check`.
    """
    known = {parameter.name: parameter for parameter in step.parameters}
    given = {name: text for name, text in fields.items() if text != ""}
    return check(
        step, {name: _from_text(known[name], text) if name in known else text for name, text in given.items()}
    )


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _from_text(parameter: Parameter, text: str) -> Any:
    if parameter.optional and text == "none":
        return None
    if parameter.kind == "boolean":
        return {"yes": True, "no": False}.get(text, text)
    return next((choice for choice in parameter.choices if str(choice) == text), text)


def schema(step: AnyStep) -> dict[str, Any]:
    """Write a step's parameters as a JSON schema.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.

    Returns
    -------
    dict
        JSON Schema (draft 2020-12) of an object with one property for each parameter; `unit` marks numbers
        that may be written as text with a unit.
    """
    from pydantic import TypeAdapter

    told = describe(step)
    properties = {}
    for parameter in step.parameters:
        entry = TypeAdapter(parameter.annotation).json_schema()
        if parameter.unit:
            entry = {"anyOf": [entry, {"type": "string"}], "unit": parameter.unit}
        if not parameter.from_scan:
            entry["default"] = parameter.default
        properties[parameter.name] = entry | {"description": told.parameters.get(parameter.name, "")}
    return {
        "title": step.name,
        "description": told.summary,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Description:
    """What a step's docstring says.

    Attributes
    ----------
    summary : str
        Its first line.
    text : str
        The paragraphs that follow.
    parameters : mapping of str to str
        Parameter → explanation.
    sections : mapping of str to str
        Further sections by title: "Returns", "Raises", "References" …
    """

    summary: str
    text: str
    parameters: Mapping[str, str]
    sections: Mapping[str, str]


@cache
def describe(step: AnyStep) -> Description:
    """Read a step's docstring.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.

    Returns
    -------
    Description
        Its parts, as plain text.
    """
    from griffe import Docstring, DocstringSectionKind, parse_numpy

    parsed = parse_numpy(Docstring(inspect.getdoc(step.function) or ""), warnings=False)
    paragraphs: list[str] = []
    parameters: dict[str, str] = {}
    sections: dict[str, str] = {}
    for part in parsed:
        if part.kind is DocstringSectionKind.text:
            paragraphs.append(str(part.value))
        elif part.kind is DocstringSectionKind.parameters:
            parameters |= {item.name: " ".join(item.description.split()) for item in part.value}
        elif part.kind is DocstringSectionKind.admonition:
            sections[str(part.title)] = part.value.description
        elif isinstance(part.value, list):
            sections[part.kind.value.capitalize()] = "\n".join(
                f"{item.annotation}: {' '.join(item.description.split())}" for item in part.value
            )
    summary, _, text = "\n\n".join(paragraphs).partition("\n")
    return Description(summary, text.strip(), parameters, sections)


def type_in_words(parameter: Parameter) -> str:
    """Write the type of a parameter as people read it.

    Parameters
    ----------
    parameter : Parameter
        The parameter.

    Returns
    -------
    str
        "number in keV", "one of ramp, hann", "yes or no" …
    """
    words = {"boolean": "yes or no", "integer": "whole number", "number": "number", "text": "text"}
    text = (
        f"one of {', '.join(str(choice) for choice in parameter.choices)}"
        if parameter.choices
        else words[parameter.kind]
    )
    text += f" in {parameter.unit}" if parameter.unit else ""
    return text + (", or none" if parameter.optional else "")


def default_in_words(parameter: Parameter) -> str:
    """Write the default of a parameter as people read it.

    Parameters
    ----------
    parameter : Parameter
        The parameter.

    Returns
    -------
    str
        "from the scan", "hann", "20.0 keV" …
    """
    return "from the scan" if parameter.from_scan else _text(spell(parameter, parameter.default))
