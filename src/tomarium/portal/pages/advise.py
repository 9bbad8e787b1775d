"""What a planned scan, or a beamtime of them, needs: the questions of `tomarium advise` as a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tomarium.errors import EngineUnavailable, ParameterError, UnitError
from tomarium.model.sentence import Sentence, sentence_of
from tomarium.pipeline.advice.acquisition import acquisition
from tomarium.pipeline.advice.advise import Line, Topic, advise
from tomarium.pipeline.advice.questions import BY_OPTION, GROUPS
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

LONGEST: Final = 200
OF_FIELD: Final = "%(label)s: %(told)s"
NAMES: Final = {
    "views": "Projections",
    "disk": "Disk and hours",
    "exposure": "Exposure",
    "phase": "Phase contrast",
    "transmission": "Transmission",
}
WORDS: Final = {
    "raw_bytes": "raw data",
    "volume_bytes": "a volume",
    "scan_bytes": "a scan",
    "total_bytes": "all scans",
    "rule_bytes": "rule of thumb",
    "safe_bytes": "to bring",
    "binned_bytes": "binned",
    "transfer_h": "usual copy",
    "scans_h": "scans",
    "copy_h": "copy",
    "behind_h": "disk falls behind by",
    "sample_px": "sample",
    "views_in_full": "views in full",
    "views_in_practice": "views in practice",
    "views_there": "views there",
    "sampling": "sampling",
    "rim_step_px": "rim step",
    "blur_px": "blur",
    "fastest_deg_s": "fastest",
    "least_time_s": "least time",
    "delta": "δ",
    "beta": "β",
    "delta_beta": "δ/β",
    "delta_beta_of_length": "δ/β of the length",
    "fringe_m": "fringe",
    "fresnel_number": "Fresnel number",
    "paganin_length_m": "Paganin's length",
    "paganin_length_px": "Paganin's length, px",
    "attenuation_1_cm": "attenuation",
    "transmission": "transmission",
    "good_energies_kev": "good energies",
}


@dataclass(frozen=True)
class Answer:
    """One number of advice: its key, value and unit for machines, as people read it, and why."""

    key: str
    value: Any
    unit: str
    shown: str
    why: str
    words: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Advice:
    """Advice on one thing: its key, numbers, what is to be filled in for more, and what will spoil the result."""

    key: str
    answers: tuple[Answer, ...]
    missing: tuple[str, ...]
    warnings: tuple[str, ...]
    title: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class FormField:
    """A field of the form."""

    name: str
    label: str
    hint: str
    value: str
    whole: bool


@dataclass(frozen=True)
class Group:
    """Fields that stand together."""

    title: str
    questions: tuple[FormField, ...]


@dataclass(frozen=True)
class AdvisePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    topics : tuple of Advice
        What can be said: views, disk, exposure, phase, transmission.
    problems : tuple of str
        What was filled in and cannot be.
    groups : tuple of Group
        The form.
    extended : bool
        Whether the axis stands near the detector's edge.
    filled : bool
        Whether anything was filled in.
    """

    title: str
    topics: tuple[Advice, ...]
    problems: tuple[str, ...]
    groups: tuple[Group, ...] = field(metadata=FOR_PEOPLE)
    extended: bool = field(metadata=FOR_PEOPLE)
    filled: bool = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> AdvisePage:
    """Say what planned scans need, as `tomarium advise` does: views, disk, hours, exposure, phase contrast, energy."""
    query_params = request_context.request.query_params
    texts = {name: text for name in BY_OPTION if (text := query_params.get(name, "").strip()[:LONGEST])}
    extended = "extended" in query_params
    values: dict[str, Any] = {"extended": True} if extended else {}
    problems: list[str] = []
    for name, text in texts.items():
        try:
            values[BY_OPTION[name].field] = BY_OPTION[name].read(text)
        except (ParameterError, UnitError) as problem:
            problems.append(
                Sentence(OF_FIELD, label=Sentence(BY_OPTION[name].label), told=sentence_of(problem))
            )
    return AdvisePage(
        title="Plan a beamtime",
        topics=() if problems or not values else _advice(values, problems),
        problems=tuple(problems),
        groups=tuple(
            Group(
                title,
                tuple(
                    FormField(
                        q.option,
                        q.label,
                        "" if q.help.rstrip(".") == q.label else q.help,
                        texts.get(q.option, ""),
                        q.least is not None,
                    )
                    for q in group
                ),
            )
            for title, group in GROUPS
        ),
        extended=extended,
        filled=bool(values or texts),
    )


def _advice(values: dict[str, Any], problems: list[str]) -> tuple[Advice, ...]:
    """Ask for advice; what cannot be is added to the problems."""
    try:
        return tuple(_shown(topic) for topic in advise(acquisition(values)) if topic.lines or topic.warnings)
    except (ParameterError, UnitError, EngineUnavailable) as problem:
        problems.append(sentence_of(problem))
        return ()


def _shown(topic: Topic) -> Advice:
    return Advice(
        topic.name,
        tuple(_answer(line) for line in topic.lines),
        tuple(_by_label(text) for text in topic.missing),
        topic.warnings,
        NAMES[topic.name],
    )


def _answer(line: Line) -> Answer:
    return Answer(line.name, line.value, line.unit, line.shown, line.why, WORDS[line.name])


def _by_label(text: str) -> str:
    """Name fields of the form in place of options."""
    if isinstance(text, Sentence):
        return Sentence(text.pattern, **{name: _field(str(value)) for name, value in text.values.items()})
    return _field(text)


def _field(option: str) -> Sentence:
    question = BY_OPTION.get(option.removeprefix("--"))
    return Sentence(option if question is None else question.label)


ADVISE = Page(
    name="advise",
    path="/advise",
    json_path="/advise.json",
    template="advise.html",
    content=content,
    menu="Plan",
    order=13,
)
