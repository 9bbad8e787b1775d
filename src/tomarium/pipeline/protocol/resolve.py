"""Give every parameter of a protocol its value, and follow what each step sees: shape, domain, unit, geometry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tomarium.errors import MissingData, ParameterError
from tomarium.model import Geometry, Layout, Scan, Value
from tomarium.model.geometry import BY_NAME, user_value
from tomarium.pipeline.protocol.protocol import Item, Protocol
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.parameter import FROM_SCAN, Parameter
from tomarium.steps.core.sample import layout_of
from tomarium.steps.core.serialization import all_steps, find_step
from tomarium.steps.core.step import AnyStep, Probe, Step, Tally, View

Answers = Mapping[str, Mapping[str, Any]]
"""Key of a probe → what it told, JSON-ready, with its "answer"."""


@dataclass(frozen=True)
class Resolved:
    """A step of a protocol with all its values, and what reaches and leaves it.

    Attributes
    ----------
    step : Step, View, Probe or Tally
        The step.
    values : mapping of str to Value
        One for each parameter.
    before, after : Layout
        What reaches it and what it leaves; of a probe and a tally both are the same.
    key : str
        Its name, with a number behind it from the second of that name on.
    awaits : tuple of str
        Parameters that a probe of the same protocol will fill; their value is None until then.
    scan : Scan or None
        The scan that a probe looks at: with the views before it, and without those behind it.
    """

    step: AnyStep
    values: Mapping[str, Value[Any]]
    before: Layout
    after: Layout
    key: str
    awaits: tuple[str, ...] = ()
    scan: Scan | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """The values alone."""
        return {name: value.value for name, value in self.values.items()}


@dataclass(frozen=True)
class Resolution:
    """A protocol as it is carried out on a scan.

    Attributes
    ----------
    scan : Scan
        The scan as the first step sees it: with its views, and with what the user and the probes told.
    items : tuple of Resolved
        Every view, probe, step and tally that is done; probes whose answer is given already are left out.
    layout : Layout
        What the last step leaves.
    """

    scan: Scan
    items: tuple[Resolved, ...]
    layout: Layout

    @property
    def work(self) -> tuple[Resolved, ...]:
        """The steps and tallies, in order."""
        return tuple(item for item in self.items if isinstance(item.step, Step | Tally))

    @property
    def probes(self) -> tuple[Resolved, ...]:
        """The probes, in order."""
        return tuple(item for item in self.items if isinstance(item.step, Probe))

    @property
    def geometry(self) -> Geometry:
        """The geometry that was used: the scan's, as the first step sees it."""
        return self.scan.geometry

    @property
    def axis_in_file(self) -> float | None:
        """Column of the rotation axis as the scan's file counts, that of `geometry` before the views.

        None where no axis is known, and where a view joins columns of several scans or views.
        """
        if self.geometry.axis_column is None or self.scan.recipe:
            return None
        column: float = self.geometry.axis_column.value
        for item in reversed(self.items):
            if isinstance(item.step, View):
                if item.step.column_before is None:
                    return None
                column = item.step.column_before(item.plain, item.before, column)
        return column


@dataclass
class _State:
    """Where `resolve` is: the scan and the layout so far."""

    scan: Scan
    layout: Layout
    given: Mapping[str, Value[Any]]
    before: str = "the scan"
    lifted: bool = False
    awaited: set[str] = field(default_factory=set)
    items: list[Resolved] = field(default_factory=list)

    def add(self, step: AnyStep, values: Mapping[str, Value[Any]], after: Layout) -> None:
        key = key_of(step, self.items)
        awaits = tuple(name for name, value in values.items() if value is _AWAITED)
        seen = self.scan if isinstance(step, Probe) else None
        self.items.append(Resolved(step, values, self.layout, after, key, awaits, seen))
        self.layout = after

    def lift(self) -> None:
        """From here on what the user gave for a step holds for all of them."""
        if not self.lifted:
            self.lifted = True
            self.scan = self.scan.with_geometry(**self.given)
            self.layout = replace(self.layout, geometry=self.layout.geometry.with_values(self.given))


_AWAITED: Value[Any] = Value(None, "derived", "a probe finds it before the first slab")


def key_of(step: AnyStep, before: list[Resolved]) -> str:
    """Name an item: the step's name, with a number from the second of that name on."""
    count = sum(item.step is step for item in before)
    return f"{step.name} {count + 1}" if count else step.name


def resolve(protocol: Protocol, scan: Scan, answers: Answers | None = None) -> Resolution:
    """Give every parameter of a protocol its value and say where it comes from.

    A value that a step is given for something the scan tells too, such as `fbp.axis_column`, is the value of the
    whole run: every step uses it, no probe looks for it, and the record states it.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    scan : Scan
        The scan as it was opened.
    answers : mapping, optional
        What probes told already; a value whose probe is not there is None.

    Returns
    -------
    Resolution
        Pure: no pixel is read.

    Raises
    ------
    MissingData
        A parameter has no value: neither the protocol, nor the scan, nor a probe tells it.
    ParameterError
        Steps that cannot follow each other, or one value that is given twice.
    """
    scan.demand_frames()
    last_view = max((k for k, item in enumerate(protocol.items) if isinstance(item.step, View)), default=-1)
    state = _State(scan, layout_of(scan), _given(protocol, scan))
    for number, item in enumerate(protocol.items):
        if number > last_view:
            state.lift()
        with told_as_its_own(item.step):
            _follow(state, item, answers or {})
    state.lift()
    _demand_voxels(state)
    return Resolution(state.scan, tuple(state.items), state.layout)


def _follow(state: _State, item: Item, answers: Answers) -> None:
    if isinstance(item.step, View):
        _view(state, item)
    elif isinstance(item.step, Probe):
        _probe(state, item, answers)
    elif isinstance(item.step, Tally):
        _demand_domain(state, item)
        state.add(item.step, _values(state, item), state.layout)
    else:
        _step(state, item, answers)


def _given(protocol: Protocol, scan: Scan) -> dict[str, Value[Any]]:
    """Collect what the protocol gives of the geometry; one thing has one value; what the scan says too stays so."""
    values: dict[str, tuple[str, Value[Any]]] = {}
    views = any(isinstance(item.step, View) for item in protocol.items)
    for item in protocol.items:
        for parameter in item.step.parameters:
            name = parameter.name
            if isinstance(item.step, View) or name not in item.given or name not in BY_NAME:
                continue
            number = item.given[name]
            if not parameter.from_scan or number is None:  # "none" is a step's own business: do without it
                continue
            place = f"{item.step.name}.{name}"
            user_value(name, number, place)  # refuses what no scan has
            if name in values and not _same(values[name][1].value, number):
                raise ParameterError(
                    f"{place} is {number:g}, but {values[name][0]} is {values[name][1].value:g}; one scan has one "
                    f"{BY_NAME[name].label.lower()}, so give it once"
                )
            own = getattr(scan.geometry, name)
            same = not views and own is not None and _same(own.value, number)
            values[name] = place, own if same else Value(number, "user", f"given in the protocol as {place}")
    for name, (place, value) in values.items():
        opened_with = getattr(scan.geometry, name)
        if (
            opened_with is not None
            and opened_with.origin == "user"
            and not views
            and not _same(opened_with.value, value.value)
        ):
            raise ParameterError(
                f"{place} is {value.value:g}, but --{BY_NAME[name].option} is {opened_with.value:g}; give it once"
            )
    return {name: value for name, (_, value) in values.items()}


def _same(first: Any, other: Any) -> bool:
    return math.isclose(first, other, rel_tol=1e-12, abs_tol=1e-12)


def _view(state: _State, item: Item) -> None:
    done = [b for b in state.items if isinstance(b.step, Step)]
    if done:
        raise ParameterError(
            f"{item.step.name} is a view of the scan, which flats and darks follow: it must stand before "
            f"{done[0].step.name} in the protocol"
        )
    assert isinstance(item.step, View)
    values = _values(state, item)
    plain = {name: value.value for name, value in values.items()}
    state.scan = item.step.function(state.scan, **plain)
    state.add(item.step, values, layout_of(state.scan))


def _probe(state: _State, item: Item, answers: Answers) -> None:
    assert isinstance(item.step, Probe)
    to_measure = [name for name in item.step.fields if not _told_by_user(state, name)]
    if not to_measure:
        return  # its answer would not be used
    state.add(item.step, _values(state, item), state.layout)
    answer = answers.get(state.items[-1].key)
    if answer is None:
        state.awaited.update(to_measure)
        # So that the plan holds the steps which shifts ask for, before anybody knows how large they are.
        still = {name: Value(np.zeros(state.layout.shape[0]), "derived", _AWAITED.source) for name in to_measure
                 if BY_NAME[name].per_view}  # fmt: skip
        state.layout = replace(state.layout, geometry=state.layout.geometry.with_values(still))
        return
    source = f"probe {item.step.name}, confidence {answer.get('confidence', 'unknown')}"
    answers_used = {
        name: Value(number, "derived", source)
        for name, number in item.step.filled(answer["answer"]).items()
        if name in to_measure
    }
    state.awaited.difference_update(to_measure)
    state.layout = replace(state.layout, geometry=state.layout.geometry.with_values(answers_used))
    state.scan = state.scan.with_geometry(**answers_used)


def _told_by_user(state: _State, name: str) -> bool:
    value = getattr(state.layout.geometry, name)
    return name in state.given or (value is not None and value.origin == "user")


def _step(state: _State, item: Item, answers: Answers) -> None:
    assert isinstance(item.step, Step)
    _demand_domain(state, item)
    values = _values(state, item)
    plain = {name: value.value for name, value in values.items()}
    before = () if item.step.first is None else item.step.first(state.layout, plain)
    for name in before:
        with told_as_its_own(lacking := find_step(name)):
            _follow(state, Item(lacking, {}), {})
    if before:
        values = _values(state, item)
    for name, ask in item.step.asks.items():
        if values[name].value == "auto":
            values[name] = _asked(state, ask, answers)
    if item.step.settle is not None:
        values |= item.step.settle(values)
    plain = {name: value.value for name, value in values.items()}
    layout = state.layout
    if item.step.cut == "angle" and layout.domain == "slice":
        raise ParameterError(f"step {item.step.name} works on whole frames, but {state.before} gives slices")
    if item.step.cut == "slice" and layout.domain != "slice":
        raise ParameterError(
            f"step {item.step.name} works on slices, but {state.before} gives {layout.domain}"
        )
    if item.step.demand is not None:
        item.step.demand(state.scan, layout)
    after = item.step.after(layout, plain)
    if after.domain == "counts" and item.step.cut == "row" and state.scan.flats is not None:
        raise ParameterError(
            f"step {item.step.name} works on sinograms of raw counts, and flats have none; put it behind flat_field"
        )
    if after.rows != layout.rows:
        raise ParameterError(
            f"step {item.step.name} turns {layout.rows} rows into {after.rows}; only a view may change the rows"
        )
    state.add(item.step, values, after)
    state.before = f"step {item.step.name}"


def _demand_voxels(state: _State) -> None:
    """Refuse slices whose voxels are no cubes where no output could say so: without a size they count in voxels."""
    geometry = state.layout.geometry
    if state.layout.domain == "slice" and geometry.aspect != 1 and geometry.pixel_m is None:
        raise MissingData(
            f"{state.scan.path}: pixels are {geometry.aspect:g} times as high as wide, but their size is not known, "
            f"and a volume without a voxel size is taken for one of cubes; give it with "
            f"--{BY_NAME['pixel_m'].option}, or bin as many rows as columns"
        )


def _asked(state: _State, name: str, answers: Answers) -> Value[Any]:
    """Put the probe that a step asks before it, and return what it told, if it was asked already."""
    probe = find_step(name)
    with told_as_its_own(probe):
        state.add(probe, _values(state, Item(probe, {})), state.layout)
    answer = answers.get(state.items[-1].key)
    if answer is None:
        return _AWAITED
    return Value(
        answer["answer"], "derived", f"probe {name}, confidence {answer.get('confidence', 'unknown')}"
    )


def _demand_domain(state: _State, item: Item) -> None:
    assert isinstance(item.step, Step | Tally)
    if state.layout.domain not in item.step.accepts:
        raise ParameterError(
            f"step {item.step.name} works on {' or '.join(item.step.accepts)}, but {state.before} gives "
            f"{state.layout.domain}; change the order of the steps, or add the one that lacks"
        )


def _values(state: _State, item: Item) -> dict[str, Value[Any]]:
    return {parameter.name: _value(state, parameter, item) for parameter in item.step.parameters}


def _value(state: _State, parameter: Parameter, item: Item) -> Value[Any]:
    name = parameter.name
    if name in item.given:
        return Value(item.given[name], "user", "given in the protocol")
    if parameter.default is not FROM_SCAN:
        return Value(parameter.default, "default", f"default of step {item.step.name}")
    value: Value[Any] | None = getattr(state.layout.geometry, name)
    if name in state.awaited:
        return _AWAITED
    if value is not None:
        return value
    if parameter.optional:
        return Value(None, "default", f"{state.scan.path.name} does not tell it")
    option = f"--{BY_NAME[name].option}, " if name in BY_NAME else ""
    raise MissingData(
        f"step {item.step.name} needs {name}, which {state.scan.path} does not tell; give it with "
        f"{option}--set {item.step.name}.{name}=… or in the protocol{_probe_for(name)}"
    )


def _probe_for(name: str) -> str:
    """Name the probe that finds a value of the geometry, as the end of a sentence; "" where there is none."""
    probes = [step.name for step in all_steps().values() if isinstance(step, Probe) and name in step.fields]
    return f", or put the step {' or '.join(probes)} first, which finds it" if probes else ""


def freeze(resolution: Resolution) -> Protocol:
    """Write the values in use as a protocol that needs neither probe nor scan to be done again.

    Parameters
    ----------
    resolution : Resolution
        Steps with all their values.

    Returns
    -------
    Protocol
        The same views, steps and tallies with every parameter given; probes are left out, their answers stand in
        the steps.
    """
    generator = (item for item in resolution.items if not isinstance(item.step, Probe))
    return Protocol(tuple(Item(item.step, item.plain) for item in generator))
