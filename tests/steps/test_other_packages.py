"""Steps of other packages: what cannot be used is left out by name, and what fails is told as theirs."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.test_steps import make_scan
from tomarium import registry
from tomarium.catalogue.copy_parameters import protocol_like
from tomarium.catalogue.make_record import again_of
from tomarium.errors import MissingData, StepFailed, TomariumWarning
from tomarium.model import Scan, Slab
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import Item, Protocol
from tomarium.pipeline.run.runner import run
from tomarium.steps.core.parameter import Positive
from tomarium.steps.core.serialization import all_steps
from tomarium.steps.core.step import AnyStep, Cost, Step, probe, step, tally, view

PLENTY = Resources(10**12, None, 2, 2)


@dataclass(frozen=True)
class Entry:
    """An entry point of a package called woods."""

    loads: Callable[[], Any]
    name: str = "entry"
    value: str = "woods:leaf"
    dist: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(name="woods", version="3.1"))

    def load(self) -> Any:
        return self.loads()


@pytest.fixture
def steps_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Look for the steps as if another package brought one more."""
    monkeypatch.setattr(registry, "BROKEN", {})
    registry._collect.cache_clear()

    def found(loads: Callable[[], Any]) -> Any:
        monkeypatch.setattr(
            registry, "entry_points", lambda group: [Entry(loads)] if group == "tomarium.steps" else []
        )
        return all_steps.__wrapped__()  # type: ignore[attr-defined]

    yield found
    registry._collect.cache_clear()


@step(accepts=("transmission",), cut="any", place=25)
def twice(slab: Slab, *, factor: Positive = 2.0) -> Slab:
    """Double the numbers."""
    return replace(slab, data=slab.data * factor)


@view()
def whole(scan: Scan) -> Scan:
    """Leave all."""
    return scan


def without_default() -> Step:
    @step(accepts=("transmission",))
    def lacking(slab: Slab, *, factor: Positive) -> Slab:
        return slab

    return lacking


def leave() -> Any:
    sys.exit()


@pytest.mark.parametrize(
    ("loads", "why"),
    [
        (lambda: replace(whole, name="fbp"), "there is one called 'fbp' already"),
        (lambda: replace(twice, name="binning"), "there is one called 'binning' already"),
        (lambda: replace(twice, aliases=("fbp",)), "there is one called 'fbp' already"),
        (lambda: twice.function, "it is a function, but a Step, View, Probe or Tally was expected"),
        (without_default, "TypeError: .* the parameter 'factor' needs a type and a default"),
        (leave, "SystemExit;"),
    ],
)
def test_what_cannot_be_used_is_left_out(steps_with: Any, loads: Callable[[], Any], why: str) -> None:
    ours = all_steps()
    with pytest.warns(
        TomariumWarning, match=f"package woods: woods:leaf, one of its steps, is left out: {why}"
    ) as told:
        assert steps_with(loads) == ours
    assert len(told) == 1
    assert list(registry.BROKEN) == ["steps/entry of woods"]


def test_a_good_one_stands_among_ours(steps_with: Any) -> None:
    assert steps_with(lambda: twice)["twice"] is twice
    assert registry.BROKEN == {}


def test_the_package_of_what_is_installed_in_place_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An editable installation lists no modules; its entry point tells which package a module is of."""
    for name in ("gamma", "noise"):
        about = tmp_path / f"{name}-2.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        (about / "RECORD").write_text(f"__editable__.{name}.pth,,\n")
        (about / "entry_points.txt").write_text(f"[tomarium.steps]\n{name} = lab.steps.{name}:{name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._providers.cache_clear()
    for name in ("gamma", "noise"):
        assert registry.package_of(SimpleNamespace(__module__=f"lab.steps.{name}")) == (name, "2.0")  # type: ignore[arg-type]
    registry._providers.cache_clear()


def fails(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("of theirs")


def leaves(slab: Slab, **_: Any) -> Slab:
    sys.exit(0)


FAILING: dict[str, AnyStep] = {
    "function": replace(twice, function=fails),
    "exit": replace(twice, function=leaves),
    "after": replace(twice, after=fails),
    "halo": replace(twice, halo=fails),
    "memory": replace(twice, cost=Cost(host=fails)),
    "prepared": replace(twice, cost=Cost(prepared=fails)),
    "prepare": replace(twice, prepare=fails),
    "demand": replace(twice, demand=fails),
    "view": replace(whole, function=fails),
    "probe": probe(fills="axis_column", answer=fails, reads=lambda *_: (slice(0, 1),))(fails),
    "reads": probe(fills="axis_column", answer=fails, reads=fails)(fails),
    "tally": tally(merge=fails, accepts=("transmission",))(fails),
    "merge": tally(merge=fails, accepts=("transmission",))(lambda slab: {"count": 1}),
}


def protocol_with(failing: AnyStep) -> Protocol:
    flat_field = Item(all_steps()["flat_field"], {"log": False})
    first = [Item(failing), flat_field] if failing.place < 10 else [flat_field, Item(failing)]
    return Protocol((*first, Item(all_steps()["minus_log"]), Item(all_steps()["fbp"])))


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_is_told_as_its_own(name: str) -> None:
    failing, scan = FAILING[name], make_scan(30, rows=6, columns=16)
    if hasattr(failing, "fills"):
        scan = scan.with_geometry(axis_column=None)
    why = "SystemExit: 0" if name == "exit" else "ZeroDivisionError: of theirs"
    package = __name__
    with pytest.raises(StepFailed, match=rf"step {failing.name} \(package {package} unknown\) failed: {why}"):
        run(scan, protocol_with(failing), None, PLENTY, slab_rows=2)


def test_what_the_scan_lacks_is_no_failure() -> None:
    def demand(scan: Scan, layout: Any) -> None:
        raise MissingData("scan.h5 tells no pixel size")

    with pytest.raises(MissingData, match="no pixel size"):
        plan(protocol_with(replace(twice, demand=demand)), make_scan(30, rows=6, columns=16), PLENTY)


def test_a_failure_before_the_first_slab_leaves_its_traceback(tmp_path: Path) -> None:
    record = tmp_path / "record"
    resources = replace(PLENTY, disk_bytes=10**12)
    scan = make_scan(30, rows=6, columns=16)
    with pytest.raises(StepFailed, match=r"its traceback is in .*record\.error\.log"):
        run(scan, protocol_with(FAILING["after"]), record, resources)
    log = tmp_path / "record.error.log"
    assert "ZeroDivisionError: of theirs" in log.read_text()
    assert not record.exists()
    run(scan, protocol_with(twice), record, resources)
    assert not log.exists(), "it tells of a run that was mended since"


@pytest.mark.parametrize("repeat", [again_of, protocol_like])
def test_a_record_of_a_package_that_is_absent_names_it(repeat: Callable[[Path], Any], tmp_path: Path) -> None:
    told = {
        "source": {"path": "scan.h5", "given": {}, "fingerprint": {}}, "rows": [0, 1], "slab_rows": 1,
        "frozen": {"steps": ["theirs"]}, "protocol": {"steps": ["theirs"]},
        "packages": {"theirs": {"package": "better-steps", "version": "1.2"}},
    }  # fmt: skip
    (tmp_path / "provenance.json").write_text(json.dumps(told))
    with pytest.raises(
        MissingData, match=r"theirs of the package better-steps 1\.2.*pip install better-steps==1\.2"
    ):
        repeat(tmp_path)
