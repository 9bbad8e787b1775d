"""The steps there are, their parameters in forms and schemas, and recipes of views."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from tomarium.errors import ParameterError
from tomarium.model import Scan
from tomarium.registry import collect, of_name
from tomarium.steps.core.parameter import Parameter
from tomarium.steps.core.step import AnyStep, Probe, Step, Tally, View
from tomarium.steps.core.values import as_text, names_alike, spell

_FAMILIES: Final[tuple[type[Any], ...]] = (Step, View, Probe, Tally)


@cache
def all_steps() -> Mapping[str, AnyStep]:
    """Return every step, view, probe and tally there is.

    Returns
    -------
    mapping of str to Step, View, Probe or Tally
        By name, sorted.
    """
    return collect("steps", *_FAMILIES)


ELSEWHERE: Final[Mapping[str, str]] = {
    **{
        one: f"the command tomarium {one}"
        for one in ("recad", "segment", "check", "measure", "advise", "denoise")
    },
    "check_reconstructions": "the command tomarium check",
    "recad_multi_memmap": "the command tomarium recad",
    "auto_crop": "tomarium run --crop auto",
    "angle_offset": "--set fbp.angle_offset_deg=DEGREES",
    "rotation_axis_by_reconstruction": "tomarium slice --axis-sweep A:B:STEP",
    "copy_parameters": "tomarium run --like RECORD",
    "series": "the command tomarium series",
    **dict.fromkeys(("retrieve_phase", "paganin_filter", "paganin_filter_tomopy"), "the step paganin"),
    **dict.fromkeys(
        ("find_center", "find_center_vo", "find_center_pc", "find_center_360"), "the step find_axis"
    ),
    **dict.fromkeys(("fbp3d_tomobar", "lprec3d_tomobar", "recon"), "the step fbp"),
    **dict.fromkeys(("fista3d_tomobar", "admm3d_tomobar"), "the step tv"),
    **dict.fromkeys(
        ("total_variation_rof", "total_variation_pd"), "the command tomarium denoise, another method"
    ),
    **dict.fromkeys(("rescale_to_int", "save_to_images"), "tomarium run --output volume:tiff,uint16"),
    **dict.fromkeys(
        ("remove_all_stripe", "remove_all_stripes"),
        "the step remove_stripes with --set remove_stripes.method=all",
    ),
    "remove_stripe_fw": "the step remove_stripes with --set remove_stripes.method=wavelet",
    "paganin_filter_savu_legacy": "the step paganin with a quarter of its ratio_delta_beta",
    "sirt3d_tomobar": "the step sirt",
    "cgls3d_tomobar": "the step cgls",
    "dark_flat_field_correction": "the step flat_field",
    "sino_360_to_180": "the step half_acquisition",
    "calculate_stats": "the step statistics",
    "standard_tomo": "the path of the scan, for its format is found",
}
"""What is no step, though other programs have it as one, or it is named beside the steps, in small letters → what
does it."""


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
    known: AnyStep | None = of_name("steps", name, *_FAMILIES)
    if known is not None:
        return known
    steps = {
        alias.removesuffix(".py"): step
        for step in all_steps().values()
        for alias in (step.name, *step.aliases)
    }
    bare = name.removesuffix(".py")
    for spelling in (bare, bare.lower()):  # Data Exchange writes SART and GridRec
        if spelling in steps:
            return steps[spelling]
    if bare.lower() in ELSEWHERE:
        raise ParameterError(f"{name} is no step of a protocol here: use {ELSEWHERE[bare.lower()]}")
    raise ParameterError(
        f"there is no step {name!r}; {names_alike(name, all_steps(), others='`tomarium steps` lists those there are')}"
    )


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
    explanations = describe(step).parameters
    return tuple(
        FormField(
            name=parameter.name,
            label=parameter.name.replace("_", " "),
            help=explanations.get(parameter.name, ""),
            control=parameter.kind,
            value=as_text(spell(parameter, values[parameter.name])) if parameter.name in values else "",
            choices=tuple(as_text(choice) for choice in parameter.choices),
            unit=parameter.unit,
        )
        for parameter in step.parameters
    )


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

    description = describe(step)
    properties = {}
    for parameter in step.parameters:
        entry = TypeAdapter(parameter.annotation).json_schema()
        if parameter.unit:
            entry = {"anyOf": [entry, {"type": "string"}], "unit": parameter.unit}
        if not parameter.from_scan:
            entry["default"] = parameter.default
        properties[parameter.name] = entry | {"description": description.parameters.get(parameter.name, "")}
    return {
        "title": step.name,
        "description": description.summary,
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
    return "from the scan" if parameter.from_scan else as_text(spell(parameter, parameter.default))
