"""The chain of steps and the groups of parameters: what the provenance says, and no step that it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.model import FileEntry, Part, Record
from tomarium.model.parameter import PARAMETERS
from tomarium.viewers import groups
from tomarium.viewers.chain import SHOWN, Chain, chain_of
from tomarium.viewers.provenance import render
from tomarium.viewers.viewer import View

VIEW = View(Path(), {}, lambda _: "", lambda path: f"/files/{path}", lambda *_: "")
PLAN = {
    "plan": {
        "stages": [
            {"steps": [{"step": "find_axis", "parameters": {}}]},
            {
                "steps": [
                    {
                        "step": "paganin",
                        "parameters": {
                            "delta_beta": {"value": 60.0, "origin": "user"},
                            "pad": {"value": "edge", "origin": "default"},
                        },
                    },
                    {"step": "fbp", "parameters": {}},
                ]
            },
        ]
    },
    "probes": {"find_axis": {"column": 259.70516, "confidence": "high"}},
    "source": {
        "path": "rod.h5",
        "frames": {"projection": 400},
        "shape": [400, 256, 320],
        "fingerprint": {"bytes": 60_300_000},
    },
    "versions": {"tomarium": "0.1.0"},
    "finished": "2026-11-20T10:00:00+00:00",
}


def chain(provenance: dict[str, Any]) -> Chain | None:
    return chain_of(
        Record(
            "a",
            "A",
            datetime(2026, 1, 1, tzinfo=UTC),
            parts=(Part("volume", "volume.ome.zarr", summary={"shape": [4, 5, 6], "voxel_m": 2e-6}),),
            provenance=provenance,
            files=(FileEntry("volume.ome.zarr/", 44_100_000, "0" * 64, role="volume"),),
        ),
        VIEW,
    )


def test_the_plan_is_told_in_its_order() -> None:
    known = chain(PLAN)
    assert known is not None
    assert [(step.number, step.title, step.detail) for step in known.steps] == [
        (1, "Find axis", "259.705 px, confidence high"),
        (2, "Paganin phase retrieval", "Ratio δ/β: 60"),
        (3, "Filtered back projection", ""),
    ]
    assert known.start.title == "400 projections"
    assert known.start.lines == ("320 × 256 px, 60.3 MB", "rod.h5")
    assert known.end.title == "6 × 5 × 4"
    assert known.end.lines == ("2 µm, 44.1 MB", "tomarium 0.1.0, 20 November 2026")
    assert known.end.address == "/files/volume.ome.zarr/"


def test_a_protocol_alone_is_told_too() -> None:
    known = chain({"protocol": {"steps": ["flat_field", {"fbp": {"filter": "ramp"}}, {}, 7]}})
    assert known is not None
    assert [step.title for step in known.steps] == ["Flat field", "Filtered back projection"]
    assert known.start.title == "Not named"


def test_no_step_told_is_no_chain() -> None:
    for none in ({}, {"plan": {"stages": []}}, {"protocol": {"steps": []}}, {"plan": 7, "protocol": "x"}):
        assert chain(none) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "plan",
                        "stages",
                        "steps",
                        "step",
                        "parameters",
                        "source",
                        "frames",
                        "shape",
                        "probes",
                        "path",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_provenance_is_told_or_left_out(part: Any) -> None:
    chain({**PLAN, "plan": part})
    chain({**PLAN, "source": part, "probes": part, "versions": part, "finished": part})


@pytest.mark.parametrize("number", [SHOWN, SHOWN + 2])
def test_many_steps_are_folded_and_all_are_there(number: int, tmp_path: Path) -> None:
    provenance = {"protocol": {"steps": [{f"step_{i}": {}} for i in range(number)]}}
    record = Record("a", "A", datetime(2026, 1, 1, tzinfo=UTC), provenance=provenance)
    html = str(render(record, View(tmp_path, {}, lambda _: "", lambda _: "", lambda *_: "")).html)
    assert html.count("<li><b>") == number
    assert ("<summary>2 more</summary>" in html) == (number > SHOWN)


def test_every_parameter_is_in_one_group() -> None:
    keys = [*PARAMETERS, "sample_holder", "detector_gain", "operator_note"]
    parted = groups.in_groups(keys)
    assert sorted(key for inside in parted.values() for key in inside) == sorted(keys)
    assert list(parted) == list(groups.GROUPS)
    assert parted["More"] == ["operator_note"]
    assert "sample_holder" in parted["Sample"]
    assert "detector_gain" in parted["Scan"]
    assert groups.in_groups([]) == {}


def test_the_table_of_groups_names_groups_that_are_shown() -> None:
    assert {*groups._BY_KEY.values(), *groups._BY_BEGINNING.values()} <= set(groups.GROUPS)
