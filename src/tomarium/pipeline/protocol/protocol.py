"""A protocol: an ordered list of steps with parameters, and its spellings YAML, JSON and plain text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tomarium.errors import InputError, ParameterError
from tomarium.model import Domain
from tomarium.model.account import in_lines
from tomarium.model.wording import in_words
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.step import AnyStep, Probe, Step, View
from tomarium.steps.core.values import as_options, check, from_form, spell, spelled

VERSION: Final = 1


@dataclass(frozen=True)
class Item:
    """One step of a protocol with the parameters that were given.

    Attributes
    ----------
    step : Step, Probe or Tally
        The step.
    given : mapping of str to object
        Checked parameters; those not given keep their defaults.
    """

    step: AnyStep
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """An ordered list of steps.

    Attributes
    ----------
    items : tuple of Item
        The steps, in the order they are done.
    """

    items: tuple[Item, ...]

    def __repr__(self) -> str:
        texts = (in_words(spelled(item.step, item.given)) if item.given else "" for item in self.items)
        names = (item.step.name for item in self.items)
        return in_lines("Protocol", list(zip(names, texts, strict=True)))


PRESETS: Final[Mapping[str, tuple[str, list[Any]]]] = {
    "standard": (
        "flat field, half acquisitions weighted, filtered backprojection",
        ["find_axis", "flat_field", "half_acquisition", "fbp"],
    ),
    "quick": (
        "a look: pixels and views binned two by two, smoothed",
        [{"bin": {"rows": 2, "columns": 2, "angles": 2}}, "find_axis", "flat_field", "half_acquisition",
         {"fbp": {"window": "hann"}}],
    ),
    "phase": (
        "standard with Paganin's phase retrieval; give paganin.delta_beta for the sample",
        ["find_axis", {"flat_field": {"log": False}}, "paganin", "minus_log", "half_acquisition", "fbp"],
    ),
    "rings": (
        "standard with zingers removed from the frames, stripes by their kind, and pixels corrected by all views",
        ["find_axis", "remove_spikes", "flat_field", {"remove_stripes": {"method": "auto"}}, "double_flat_field",
         "half_acquisition", "fbp"],
    ),
}  # fmt: skip
"""Protocols that come with the program: name → what it does, and its steps."""


def preset(name: str) -> Protocol:
    """Return a protocol that comes with the program.

    Parameters
    ----------
    name : str
        One of `PRESETS`.

    Returns
    -------
    Protocol
        The protocol.

    Raises
    ------
    ParameterError
        There is none of that name.
    """
    if name not in PRESETS:
        raise ParameterError(f"there is no preset {name!r}; there are: {', '.join(PRESETS)}")
    return from_data({"steps": PRESETS[name][1]}, f"preset {name}")


def default_protocol(domain: Domain = "counts") -> Protocol:
    """Return what is done where nothing else is asked for.

    Parameters
    ----------
    domain : Domain
        What the scan's numbers are; data that are corrected already need no flat field.

    Returns
    -------
    Protocol
        Find the rotation axis, correct by the flat field, weight half acquisitions, filtered backprojection.
    """
    return for_domain(preset("standard"), domain)


def for_domain(protocol: Protocol, domain: Domain) -> Protocol:
    """Leave out what data need not that are corrected already.

    Parameters
    ----------
    protocol : Protocol
        A preset, made for counts.
    domain : Domain
        What the scan's numbers are.

    Returns
    -------
    Protocol
        Without flat_field where the numbers are no counts; with minus_log where they are transmissions and the
        protocol would have had flat_field take the logarithm. Without minus_log too for attenuation.
    """
    if domain == "counts":
        return protocol
    items: list[Item] = []
    for item in protocol.items:
        accepts = getattr(item.step, "accepts", ())
        if "counts" in accepts and item.step.name == "flat_field":
            if domain == "transmission" and item.given.get("log", True):
                items.append(Item(find_step("minus_log")))
        elif not (domain == "attenuation" and item.step.name == "minus_log"):
            items.append(item)
    return Protocol(tuple(items))


RECONSTRUCTION: Final = 60
"""Natural place of the steps that make slices, of which a protocol has one."""


def from_steps(names: Sequence[str], among: Protocol, domain: Domain = "counts") -> Protocol:
    """Put steps in their natural places among those of a protocol.

    Parameters
    ----------
    names : sequence of str
        Steps that are wanted besides, in any order.
    among : Protocol
        A protocol whose steps stand in their natural places.
    domain : Domain
        What the scan's numbers are.

    Returns
    -------
    Protocol
        Sorted by place. A reconstruction takes the place of the one that is there, and a step that turns counts into
        attenuation that of flat_field, with probes behind it. Where a step works on transmission, the logarithm is
        taken behind it, unless it gives attenuation itself.

    Raises
    ------
    ParameterError
        There is no such step.
    """
    if not names:
        return among
    items = list(among.items)
    for name in names:
        step = find_step(name)
        if step not in [item.step for item in items]:
            if step.place == RECONSTRUCTION:
                items = [item for item in items if item.step.place != RECONSTRUCTION]
            if _turns_counts_into_attenuation(step) or _corrects_counts(step):
                items = [item for item in items if not _corrects_counts(item.step)]
            items.append(Item(step))
    needs_transmission = any(
        getattr(item.step, "accepts", ()) == ("transmission",) or item.step.name == "minus_log"
        for item in items
    )
    if needs_transmission and domain == "counts":
        items = [Item(i.step, {**i.given, "log": False}) if _corrects_counts(i.step) else i for i in items]
        if not any(isinstance(i.step, Step) and i.step.gives == "attenuation" for i in items):
            items.append(Item(find_step("minus_log")))
    # Frames of a stepping are no views yet: a probe looks at what is made of them.
    first = max((item.step.place for item in items if _turns_counts_into_attenuation(item.step)), default=0)

    def place(item: Item) -> float:
        return (
            max(item.step.place, first + 0.5) if isinstance(item.step, Probe) and first else item.step.place
        )

    return Protocol(tuple(sorted(items, key=place)))  # of equal places as they were told


def _turns_counts_into_attenuation(step: AnyStep) -> bool:
    return isinstance(step, Step) and step.gives == "attenuation" and step.accepts == ("counts",)


def _corrects_counts(step: AnyStep) -> bool:
    """Tell whether a step is flat_field, or what stands in its place: it takes the logarithm, or leaves it."""
    if not isinstance(step, Step) or step.accepts != ("counts",):
        return False
    return any(parameter.name == "log" for parameter in step.parameters)


def from_data(data: Any, where: str, *, written: bool = False) -> Protocol:
    """Read a protocol from plain data, as YAML and JSON hold it.

    Parameters
    ----------
    data : mapping
        ``{"steps": [name, {name: {parameter: value}}, …]}``.
    where : str
        What the data came from, for messages.
    written : bool
        Whether a person wrote them: then numbers must carry their unit.

    Returns
    -------
    Protocol
        The checked protocol.

    Raises
    ------
    InputError
        It has another form.
    ParameterError
        An unknown step or parameter, or a value that is not allowed.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("steps"), list | tuple):
        raise InputError(f"{where}: a protocol is a mapping with a list 'steps', but {_kind(data)} was found")
    if data.get("tomarium", VERSION) != VERSION:
        raise InputError(
            f"{where}: protocol version {data['tomarium']!r} is not known; this program reads {VERSION}"
        )
    unknown = set(data) - {"tomarium", "steps"}
    if unknown:
        raise InputError(
            f"{where}: {', '.join(sorted(map(str, unknown)))} is not part of a protocol; it has 'steps'"
        )
    try:
        return _demand_order(Protocol(tuple(_item(entry, written) for entry in data["steps"])))
    except ParameterError as problem:
        raise ParameterError(f"{where}: {problem}") from problem


def _item(entry: Any, written: bool) -> Item:
    if isinstance(entry, str):
        return Item(find_step(entry))
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise ParameterError(
            f"a step is 'name' or 'name: {{parameter: value}}', but {_kind(entry)} was found"
        )
    [(name, values)] = entry.items()
    if not isinstance(values, Mapping | None):
        raise ParameterError(f"the parameters of step {name} are a mapping, but {_kind(values)} was found")
    step = find_step(str(name))
    return Item(step, check(step, values or {}, written=written))


def _kind(data: Any) -> str:
    return f"{type(data).__name__} {str(data)[:60]!r}"


def _demand_order(protocol: Protocol) -> Protocol:
    """Refuse a protocol whose steps cannot follow each other."""
    if not any(isinstance(item.step, Step | View) for item in protocol.items):
        raise ParameterError("there is no step in the list; write at least one, such as 'fbp'")
    return protocol


def to_data(protocol: Protocol) -> dict[str, Any]:
    """Write a protocol as plain data for YAML and JSON.

    Parameters
    ----------
    protocol : Protocol
        The protocol.

    Returns
    -------
    dict
        What `from_data` reads back to an equal protocol.
    """
    return {"tomarium": VERSION, "steps": [_entry(item) for item in protocol.items]}


def _entry(item: Item) -> Any:
    parameters = {parameter.name: parameter for parameter in item.step.parameters}
    return {item.step.name: {name: spell(parameters[name], value) for name, value in item.given.items()}}


def to_yaml(protocol: Protocol) -> str:
    """Write a protocol as YAML.

    Parameters
    ----------
    protocol : Protocol
        The protocol.

    Returns
    -------
    str
        YAML text.
    """
    import yaml

    return str(yaml.safe_dump(to_data(protocol), sort_keys=False, allow_unicode=True))


def from_text(text: str, where: str) -> Protocol:
    """Read the plain-text spelling: one step a line, its parameters as options.

    Parameters
    ----------
    text : str
        ``fbp --window hann --cutoff 0.8``; ``#`` begins a comment.
    where : str
        What the text came from, for messages.

    Returns
    -------
    Protocol
        The checked protocol.

    Raises
    ------
    ParameterError
        An unknown step or parameter, a value that is not allowed or a line that cannot be read.
    """
    items = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
            if words:
                items.append(_item_from_words(words))
        except (ParameterError, ValueError) as problem:
            raise ParameterError(f"{where}, line {number}: {problem}") from problem
    return _demand_order(Protocol(tuple(items)))


def _item_from_words(words: list[str]) -> Item:
    step, options = find_step(words[0]), words[1:]
    names, texts = options[::2], options[1::2]
    if len(names) != len(texts) or not all(name.startswith("--") for name in names):
        raise ParameterError(
            f"step {step.name}: write its parameters as '--name value', not {' '.join(options)!r}"
        )
    fields = {name[2:].replace("-", "_"): text for name, text in zip(names, texts, strict=True)}
    return Item(step, from_form(step, fields))


def to_text(protocol: Protocol) -> str:
    """Write the plain-text spelling.

    Parameters
    ----------
    protocol : Protocol
        The protocol.

    Returns
    -------
    str
        What `from_text` reads back to an equal protocol.
    """
    return "".join(
        shlex.join([item.step.name, *as_options(item.step, item.given)]) + "\n" for item in protocol.items
    )
