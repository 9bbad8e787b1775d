"""Ewoks runs the workflow of a protocol, and its voxels are those of `tomarium run`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.cli import execute
from tomarium.ewoks import to_graph
from tomarium.pipeline.protocol.protocol import from_data, preset
from tomarium.viewers.volume import open_volume


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ewoks") / "tooth.h5"
    assert (
        execute(["simulate", str(path), "--size", "32", "--rows", "8", "--views", "40", "--delta-beta", "50"])
        == 0
    )
    return path


@pytest.fixture(scope="module")
def workflow(scan: Path) -> Path:
    path = scan.with_name("phase.json")
    assert execute(["protocol", "export", "phase", "--ewoks", str(path)]) == 0
    return path


def voxels(record: Path) -> NDArray[Any]:
    return np.asarray(open_volume(record / "volume.ome.zarr").data[...])


def test_the_same_voxels_as_run(scan: Path, workflow: Path, tmp_path: Path) -> None:
    from ewokscore import execute_graph

    inputs = [
        {"id": "scan", "name": "scan", "value": str(scan)},
        {"id": "scan", "name": "pixel_m", "value": "1.3 um"},
        {"id": "scan", "name": "output", "value": str(tmp_path / "by_ewoks")},
        {"id": "paganin", "name": "delta_beta", "value": 300},
        {"id": "reconstruct", "name": "rows", "value": "2:6"},
    ]
    told = execute_graph(str(workflow), inputs=inputs)
    assert (told["record"], told["volume"]) == (
        str(tmp_path / "by_ewoks"),
        str(tmp_path / "by_ewoks" / "volume.ome.zarr"),
    )
    words = ["--preset", "phase", "--set", "paganin.delta_beta=300", "--pixel", "1.3 um", "--rows", "2:6"]
    assert execute(["run", str(scan), *words, "-o", str(tmp_path / "by_run")]) in (0, 1)
    ours, theirs = voxels(tmp_path / "by_run"), voxels(tmp_path / "by_ewoks")
    assert ours.shape == (4, 32, 32)
    assert ours.std() > 0
    np.testing.assert_array_equal(theirs, ours)
    frozen = [
        json.loads((tmp_path / name / "provenance.json").read_text())["frozen"]
        for name in ("by_run", "by_ewoks")
    ]
    assert frozen[0] == frozen[1]


def test_the_command_of_ewoks(scan: Path, workflow: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ewoks")
    words = [
        "execute",
        str(workflow),
        "-ps",
        f"scan={scan}",
        "-ps",
        f"output={tmp_path / 'record'}",
        "-pn",
        "fbp:window=hann",
    ]
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=900)
    assert "FINISHED" in done.stdout, done.stderr
    told = json.loads((tmp_path / "record" / "provenance.json").read_text())
    assert {"fbp": {"window": "hann"}}.items() <= {
        name: {"window": values.get("window")}
        for step in told["frozen"]["steps"]
        for name, values in step.items()
    }.items()


def test_the_graph_is_one_of_ewoks() -> None:
    from ewokscore import load_graph

    steps = [{"flat_field": {}}, {"remove_stripes": {}}, {"remove_stripes": {}}, "fbp"]
    graph = to_graph(from_data({"tomarium": 1, "steps": steps}, "a test"), "twice")
    ids = [node["id"] for node in graph["nodes"]]
    assert ids == ["scan", "flat_field", "remove_stripes", "remove_stripes-2", "fbp", "reconstruct"]
    loaded = load_graph(graph)
    assert not loaded.is_cyclic
    assert [node for node, links in loaded.graph.in_degree() if not links] == ["scan"]
    assert [node for node, links in loaded.graph.out_degree() if not links] == ["reconstruct"]


def test_what_is_wrong_is_said(scan: Path, tmp_path: Path) -> None:
    from ewokscore import execute_graph

    graph = to_graph(preset("phase"), "phase")
    for inputs, said in (
        ([{"id": "scan", "name": "scan", "value": str(tmp_path / "none.h5")}], "none.h5"),
        (
            [
                {"id": "scan", "name": "scan", "value": str(scan)},
                {"id": "fbp", "name": "window", "value": "square"},
            ],
            "square",
        ),
        (
            [
                {"id": "scan", "name": "scan", "value": str(scan)},
                {"id": "reconstruct", "name": "rows", "value": "3"},
            ],
            "100:200",
        ),
    ):
        with pytest.raises(RuntimeError) as problem:
            execute_graph(graph, inputs=inputs)
        assert said in str(problem.value.__cause__)
    assert execute(["protocol", "export", "phase", "--ewoks", str(scan)]) == 2
