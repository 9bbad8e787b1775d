"""`tomarium align-slices` from files to a record whose page shows what was done."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from tomarium.catalogue.record_folder import read_record
from tomarium.cli.align_slices import command
from tomarium.errors import InputError
from tomarium.formats import open as open_file
from tomarium.model import Record
from tomarium.synth.slices import simulated_slices
from tomarium.viewers.slice_drift import SLICE_DRIFT
from tomarium.viewers.viewer import View


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fib")
    drifted = simulated_slices(12, (128, 144), 3)
    for number, plane in enumerate(np.clip(60 + 60 * drifted.images, 0, 255).astype(np.uint8)):
        tifffile.imwrite(made / f"slice_{number:03d}.tif", plane)
    return made


def run(*words: object) -> str:
    answer = CliRunner().invoke(
        command, [str(word) for word in words], catch_exceptions=False, standalone_mode=False
    )
    assert answer.return_value == 0, answer.output
    return answer.stdout


def test_slices_become_a_record_whose_page_tells_what_was_done(folder: Path, tmp_path: Path) -> None:
    told = run(
        folder, tmp_path / "aligned", "--pixel", "5nm", "--slice", "10nm", "--slow", "8", "--title", "Rock"
    )
    assert "5 nm × 5 nm × 10 nm" in told
    assert "slower movement stays" in told
    record = read_record(tmp_path / "aligned")
    assert record.title == "Rock"
    assert record.volume["voxel_m"] == pytest.approx([10e-9, 5e-9, 5e-9])
    assert {"slices.csv", "drift.svg", "reslice.png"} <= {entry.path for entry in record.files}
    view = View(
        tmp_path / "aligned", {}, lambda changes: "", lambda path: f"/files/{path}", lambda name, told: ""
    )
    assert SLICE_DRIFT.shows(record)
    piece = SLICE_DRIFT.render(record, view)
    assert piece.data["slices"] == 12
    assert "/files/slices.csv" in piece.html
    assert "Slower movement was left as it is" in piece.html


def test_what_was_found_is_told_without_a_volume(folder: Path, tmp_path: Path) -> None:
    table, picture = tmp_path / "slices.csv", tmp_path / "drift.svg"
    words = ("--pixel", "5nm", "--slice", "10nm", "--find", "--json", "--table", table, "--picture", picture)
    told = json.loads(run(folder, tmp_path / "no.tif", *words))
    assert told["target"] is None
    assert not (tmp_path / "no.tif").exists()
    lines = table.read_text().splitlines()
    assert lines[0].startswith("slice,plane,row_px")
    assert len(lines) == 13
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    "account", [None, {}, {"slices": [1, 2]}, {"slices": [{}, {"row_px": "x"}], "bad": [{}]}]
)
def test_an_account_of_others_is_shown_or_passed_over(account: object, folder: Path, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    record = Record(id="a", title="a", created=datetime.now(UTC), provenance={"aligned_slices": account})
    view = View(tmp_path, {}, lambda changes: "", lambda path: path, lambda name, told: "")
    if SLICE_DRIFT.shows(record):
        assert "slices were laid" in SLICE_DRIFT.render(record, view).html


def test_wrong_words_are_refused(folder: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    for words, said in (
        (["--slow", "soon"], "number of slices"),
        (["--reference", "1,2"], "ROW,COLUMN"),
        (["--skipped", "a"], "whole numbers"),
        (["--pixel", "5nm"], "distance of slices"),
    ):
        answer = runner.invoke(command, [str(folder), str(tmp_path / "x.tif"), *words])
        assert said in str(answer.exception)


def test_the_way_from_slices_to_labels_stays_known(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    from tomarium import formats
    from tomarium.cli.segment import command as segment

    run(folder, tmp_path / "aligned", "--pixel", "5nm", "--slice", "10nm", "--slow", "8")
    words = [str(tmp_path / "aligned"), str(tmp_path / "labels")]
    CliRunner().invoke(segment, words, catch_exceptions=False, standalone_mode=False)
    aligned, labels = read_record(tmp_path / "aligned"), read_record(tmp_path / "labels")
    assert aligned.provenance["source"]["name"] == folder.name
    assert [(one.relation, one.identifier) for one in labels.related] == [("IsDerivedFrom", aligned.id)]
    assert labels.provenance["segmentation"]["method"] == "otsu"
    assert formats.open(tmp_path / "labels").shape == formats.open(tmp_path / "aligned").shape
    again = CliRunner().invoke(segment, words)
    assert "exists already" in str(again.exception)


DYING = """
import importlib, os, signal, sys
from tomarium.cli import execute
module, name, left = importlib.import_module(sys.argv[1]), sys.argv[2], int(sys.argv[3])
owner, _, method = name.rpartition(".")
owner = getattr(module, owner) if owner else module
real = getattr(owner, method)
def dying(*given, **more):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **more)
setattr(owner, method, dying)
sys.exit(execute(sys.argv[4:]))
"""
PLANES = ("tomarium.pipeline.align_slices.aligned_planes", "AlignedPlanes._make_plane")
FILING = ("tomarium.catalogue.aligned_record", "file_record")


def test_what_was_killed_is_no_record_and_the_same_again_finishes_it(folder: Path, tmp_path: Path) -> None:
    words = [str(folder), "OUT", "--pixel", "5nm", "--slice", "10nm", "--slow", "8"]
    whole, target = tmp_path / "whole", tmp_path / "killed"
    run(*words[:1], whole, *words[2:])
    for (module, name), calls in ((PLANES, 5), (FILING, 0)):
        again = ["align-slices", words[0], str(target), *words[2:]]
        told = subprocess.run(
            [sys.executable, "-c", DYING, module, name, str(calls), *again],
            env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert told.returncode == -signal.SIGKILL, told.stderr
        with pytest.raises(InputError):
            read_record(target)
    run(words[0], target, *words[2:])
    made = [np.asarray(open_file(one / "volume.ome.zarr")[...]) for one in (whole, target)]
    np.testing.assert_array_equal(*made)
    names = [sorted(one.name for one in place.iterdir()) for place in (whole, target)]
    assert names[0] == names[1]  # nothing of the earlier runs is left
    file = tmp_path / "aligned.tif"
    told = subprocess.run(
        [sys.executable, "-c", DYING, *PLANES, "5", "align-slices", words[0], str(file), *words[2:]],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert told.returncode == -signal.SIGKILL, told.stderr
    assert not file.exists()
