"""A protocol: an ordered list of steps with parameters, and its spellings YAML, JSON and plain text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.model import Scan, Value
from tomarium.steps.parameter import FROM_SCAN, Parameter
from tomarium.steps.spelling import check, find_step, from_form, spell
from tomarium.steps.step import AnyStep, Probe, Step

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


@dataclass(frozen=True)
class Bound:
    """A step whose parameters all have a value and an origin.

    Attributes
    ----------
    step : Step, Probe or Tally
        The step.
    values : mapping of str to Value
        One for each parameter.
    awaits : tuple of str
        Parameters that a probe of the same protocol will fill; their value is None until then.
    """

    step: AnyStep
    values: Mapping[str, Value[Any]]
    awaits: tuple[str, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """The values alone."""
        return {name: value.value for name, value in self.values.items()}


def default_protocol() -> Protocol:
    """Return what is done where nothing else is asked for.

    Returns
    -------
    Protocol
        Find the rotation axis, correct by the flat field, weight half acquisitions, filtered backprojection.
    """
    return from_data(
        {"steps": ["find_axis", "flat_field", "half_acquisition", "fbp"]}, "the default protocol"
    )


def from_data(data: Any, where: str) -> Protocol:
    """Read a protocol from plain data, as YAML and JSON hold it.

    Parameters
    ----------
    data : mapping
        ``{"steps": [name, {name: {parameter: value}}, …]}``.
    where : str
        What the data came from, for messages.

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
        return _demand_order(Protocol(tuple(_item(entry) for entry in data["steps"])))
    except ParameterError as problem:
        raise ParameterError(f"{where}: {problem}") from problem


def _item(entry: Any) -> Item:
    if isinstance(entry, str):
        return Item(find_step(entry))
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise ParameterError(
            f"a step is 'name' or 'name: {{parameter: value}}', but {_kind(entry)} was found"
        )
    [(name, given)] = entry.items()
    if not isinstance(given, Mapping | None):
        raise ParameterError(f"the parameters of step {name} are a mapping, but {_kind(given)} was found")
    step = find_step(str(name))
    return Item(step, check(step, given or {}))


def _kind(data: Any) -> str:
    return f"{type(data).__name__} {str(data)[:60]!r}"


def _demand_order(protocol: Protocol) -> Protocol:
    """Refuse a protocol whose steps cannot follow each other."""
    if not any(isinstance(item.step, Step) for item in protocol.items):
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
    known = {parameter.name: parameter for parameter in item.step.parameters}
    return {item.step.name: {name: spell(known[name], value) for name, value in item.given.items()}}


def read(path: Path) -> Protocol:
    """Read a protocol file.

    Parameters
    ----------
    path : Path
        `.yaml`, `.yml` or `.json`, else plain text with one step a line: ``fbp --window hann``.

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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: the protocol cannot be read: {problem}") from problem
    if path.suffix in {".yaml", ".yml"}:
        return from_data(_yaml(text, path), str(path))
    if path.suffix == ".json":
        try:
            return from_data(json.loads(text), str(path))
        except json.JSONDecodeError as problem:
            raise InputError(f"{path}: this is not JSON: {problem}") from problem
    return from_text(text, str(path))


def _yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise InputError(f"{path}: this is not YAML: {problem}") from problem


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
    return "".join(shlex.join([item.step.name, *_options(item)]) + "\n" for item in protocol.items)


def _options(item: Item) -> list[str]:
    known = {parameter.name: parameter for parameter in item.step.parameters}
    words = {None: "none", True: "yes", False: "no"}
    found = []
    for name, value in item.given.items():
        spelled = spell(known[name], value)
        text = words[spelled] if spelled is None or isinstance(spelled, bool) else str(spelled)
        found += [f"--{name.replace('_', '-')}", text]
    return found


def with_parameter(protocol: Protocol, assignment: str) -> Protocol:
    """Set one parameter of a protocol from a command line's ``step.parameter=value``.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    assignment : str
        For example ``fbp.window=hann``.

    Returns
    -------
    Protocol
        A protocol with that parameter, in every item of that step.

    Raises
    ------
    ParameterError
        The text has another form, the protocol lacks the step, or the value is not allowed.
    """
    target, equals, text = assignment.partition("=")
    name, dot, parameter = target.partition(".")
    if not (equals and dot and parameter.strip()):
        raise ParameterError(f"{assignment!r}: write STEP.PARAMETER=VALUE, such as fbp.window=hann")
    step = find_step(name)
    given = from_form(step, {parameter.strip(): text.strip()})
    if step not in [item.step for item in protocol.items]:
        raise ParameterError(
            f"{assignment!r}: the protocol has no step {step.name}; "
            f"it has {', '.join(item.step.name for item in protocol.items)}"
        )
    return Protocol(
        tuple(replace(i, given={**i.given, **given}) if i.step is step else i for i in protocol.items)
    )


def bind(protocol: Protocol, scan: Scan) -> tuple[Bound, ...]:
    """Give every parameter of a protocol its value and say where it comes from.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    scan : Scan
        Tells what the protocol leaves to it.

    Returns
    -------
    tuple of Bound
        One for each item. A probe whose answer the scan's user has given already is left out.

    Raises
    ------
    MissingData
        A parameter has no value: neither the protocol, nor the scan, nor a probe tells it.
    """
    bound: list[Bound] = []
    probed: set[str] = set()
    for item in protocol.items:
        if isinstance(item.step, Probe):
            if _given_by_user(scan, item.step.fills):
                continue
            probed.add(item.step.fills)
        values, awaits = {}, []
        for parameter in item.step.parameters:
            value = _bind_parameter(parameter, item, scan, probed)
            if value is None:
                awaits.append(parameter.name)
                value = Value(None, "derived", "a probe finds it before the first slab")
            values[parameter.name] = value
        bound.append(Bound(item.step, values, tuple(awaits)))
    return tuple(bound)


def _given_by_user(scan: Scan, name: str) -> bool:
    value = getattr(scan, name)
    return value is not None and value.origin == "user"


def _bind_parameter(parameter: Parameter, item: Item, scan: Scan, probed: set[str]) -> Value[Any] | None:
    """Return the value of a parameter, or None where a probe will tell it."""
    name = parameter.name
    if name in item.given:
        return Value(item.given[name], "user", "given in the protocol")
    if parameter.default is not FROM_SCAN:
        return Value(parameter.default, "default", f"default of step {item.step.name}")
    told: Value[Any] | None = getattr(scan, name)
    if name in probed and not (told is not None and told.origin == "user"):
        return None
    if told is not None:
        return told
    if parameter.optional:
        return Value(None, "default", f"{scan.path.name} does not tell it")
    raise MissingData(
        f"step {item.step.name} needs {name}, which {scan.path} does not tell; give it with "
        f"--set {item.step.name}.{name}=… or in the protocol"
    )


def freeze(bound: tuple[Bound, ...]) -> Protocol:
    """Write the values in use as a protocol that needs neither probe nor scan to be done again.

    Parameters
    ----------
    bound : tuple of Bound
        Steps with all their values.

    Returns
    -------
    Protocol
        The same steps with every parameter given; probes are left out, their answers stand in the steps.
    """
    return Protocol(tuple(Item(b.step, b.plain) for b in bound if isinstance(b.step, Step)))
