"""The values of a step's parameters: checked, and written as people and files read them back."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from tomarium.errors import ParameterError
from tomarium.steps.core.parameter import Parameter


class Named(Protocol):
    """A step, view, probe or tally, as far as its parameters go."""

    @property
    def name(self) -> str:
        """Word users write."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""


def check(step: Named, given: Mapping[str, Any], *, written: bool = False) -> dict[str, Any]:
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
    parameters = {parameter.name: parameter for parameter in step.parameters}
    for name in given:
        if name not in parameters:
            raise ParameterError(
                f"step {step.name} has no parameter {name!r}; {names_alike(str(name), parameters)}"
            )
    for name, value in given.items():
        is_bare = isinstance(value, int | float) and not isinstance(value, bool)
        if written and is_bare and parameters[name].needs_unit:
            example = {"m": "0.65 um", "keV": "20 keV"}.get(
                parameters[name].unit, f"{value:g} {parameters[name].unit}"
            )
            raise ParameterError(
                f"step {step.name}: {name} = {value!r} has no unit; write it with one, such as '{example}'"
            )
    return {name: _value(step, parameters[name], value) for name, value in given.items()}


def _value(step: Named, parameter: Parameter, value: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    if parameter.optional and isinstance(value, str) and value == "none":
        return None
    try:
        return TypeAdapter(parameter.annotation).validate_python(value)
    except ValidationError as problem:
        reasons = "; ".join(dict.fromkeys(str(error["msg"]) for error in problem.errors()))
        raise ParameterError(
            f"step {step.name}: {parameter.name} = {value!r} is not allowed: {reasons.removeprefix('Value error, ')}"
        ) from problem


def from_form(step: Named, fields: Mapping[str, str]) -> dict[str, Any]:
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
    parameters = {parameter.name: parameter for parameter in step.parameters}
    texts = {name: text for name, text in fields.items() if text != ""}
    return check(
        step,
        {
            name: _from_text(parameters[name], text) if name in parameters else text
            for name, text in texts.items()
        },
    )


def _from_text(parameter: Parameter, text: str) -> Any:
    if parameter.kind == "boolean":
        return {"yes": True, "no": False}.get(text, text)
    return next((choice for choice in parameter.choices if str(choice) == text), text)


def names_alike(name: str, parameters: Mapping[str, Any], others: str = "") -> str:
    """Say which of the known names an unknown one may stand for.

    Parameters
    ----------
    name : str
        What was written.
    parameters : mapping of str to object
        The names there are.
    others : str
        What to say where none is alike; by default all names.

    Returns
    -------
    str
        The end of a sentence: those alike, or all.
    """
    close_names = get_close_matches(name, parameters, n=3, cutoff=0.5)
    return (
        f"did you mean {' or '.join(close_names)}?"
        if close_names
        else others or f"there are: {', '.join(parameters) or 'none'}"
    )


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


def spelled(step: Named, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write the values of a step as `spell` does each.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.
    values : mapping of str to object
        As `check` returns them.

    Returns
    -------
    dict of str to object
        JSON-ready.
    """
    parameters = {parameter.name: parameter for parameter in step.parameters}
    return {name: spell(parameters[name], value) for name, value in values.items()}


def as_text(value: Any) -> str:
    """Write a value as forms and command lines show it: "none", "yes", "no", and else as it is printed."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def as_options(step: Named, values: Mapping[str, Any]) -> list[str]:
    """Write the values of a step as the words of a command line.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        The step.
    values : mapping of str to object
        As `check` returns them.

    Returns
    -------
    list of str
        "--name", value, "--other-name", value …; "none", "yes" and "no" as forms write them.
    """
    options: list[str] = []
    for name, value in spelled(step, values).items():
        options += [f"--{name.replace('_', '-')}", as_text(value)]
    return options
