"""Forms of the steps that are added on the page of work, made from the definition of each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tomarium.beamtime.work_steps import OF_FIELDS, chosen_steps, offered_steps
from tomarium.steps.core.serialization import FormField, default_in_words, describe, form


@dataclass(frozen=True)
class StepForm:
    """The fields of a step that was added.

    Attributes
    ----------
    name, summary : str
        What it is called, and what it does.
    fields : tuple of FormField
        Its parameters, with what was typed.
    defaults : mapping of str to str
        What each parameter is where nothing is typed.
    """

    name: str
    summary: str
    fields: tuple[FormField, ...]
    defaults: Mapping[str, str]


def step_forms(text: str) -> tuple[StepForm, ...]:
    """Make the forms of the steps that were added.

    Parameters
    ----------
    text : str
        The field that holds them; see `tomarium.beamtime.work_steps`.

    Returns
    -------
    tuple of StepForm
        In the order in which they were added. A name that is none was refused, and has no form.
    """
    offered, forms = offered_steps(), []
    for name, typed in chosen_steps(text).items():
        step = offered.get(name)
        if step is not None:
            parts = tuple(
                replace(form_field, value=typed.get(form_field.name, ""))
                for form_field in form(step, {})
                if form_field.name not in OF_FIELDS
            )
            defaults = {parameter.name: default_in_words(parameter) for parameter in step.parameters}
            forms.append(StepForm(name, describe(step).summary, parts, defaults))
    return tuple(forms)


def steps_in_words() -> dict[str, str]:
    """List the steps that can be added.

    Returns
    -------
    dict of str to str
        Name → what it does, in one sentence.
    """
    return {name: describe(step).summary for name, step in offered_steps().items()}
