"""Filing makes a finished reconstruction a record, and says what is wrong with anything else."""

import errno
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tomarium.catalogue import file_record, filing, read_record, verify
from tomarium.catalogue.filing import plain
from tomarium.catalogue.record_folder import ID
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.model import Value
from tomarium.viewers.volume import open_volume

NOON = datetime.fromisoformat("2026-11-20T12:00:00+01:00")
MakeFolder = Callable[..., Path]


def test_record_is_what_was_filed(tmp_path: Path, make_record_folder: MakeFolder) -> None:
    folder = make_record_folder(tmp_path / "a")
    record = file_record(
        folder,
        title="Zahn  Nº 3\n",
        created=NOON,
        creators=["Ada"],
        keywords=["enamel"],
        licence="CC-BY-4.0",
        parameters={"pixel_m": Value(np.float32(0.5), "read", "x"), "energy_kev": Value(np.nan, "read", "y")},
        volume={"unit": "1/cm"},
    )
    assert read_record(folder) == record
    assert verify(folder) == ()
    assert record.title == "Zahn Nº 3"
    assert record.id.startswith("zahn-no-3-")
    assert record.parameters["pixel_m"] == Value(0.5, "read", "x")
    assert record.parameters["energy_kev"].value is None
    assert record.provenance["source"] == {"path": "tooth.h5"}
    assert record.volume["shape"] == [72, 96, 96]
    assert record.volume["voxel_m"] == [0.65e-6] * 3
    assert record.description == "Reconstructed volume of 96 × 96 × 72 voxels of 0.65 µm."
    roles = {entry.path: entry.role for entry in record.files}
    assert roles == {
        "volume.ome.zarr/": "volume",
        "manifest-sha256.txt": "manifest",
        "previews/slice-x.png": "preview",
        "previews/slice-y.png": "preview",
        "previews/slice-z.png": "preview",
        "previews/thumbnail.png": "preview",
        "protocol.yaml": "protocol",
        "provenance.json": "provenance",
    }
    sizes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    crate = (folder / "ro-crate-metadata.json").stat().st_size
    assert sum(entry.bytes for entry in record.files) == sizes - crate
    assert not list(folder.glob(".*"))


def test_statistics_are_those_of_the_volume(tmp_path: Path, make_record_folder: MakeFolder) -> None:
    folder = make_record_folder(tmp_path / "a")
    summary = file_record(folder, title="A").volume
    volume = np.asarray(open_volume(folder / "volume.ome.zarr").levels[0][...])
    assert (summary["minimum"], summary["maximum"]) == (volume.min(), volume.max())
    assert summary["mean"] == pytest.approx(volume.mean(dtype=np.float64), rel=1e-12)
    assert sum(summary["histogram"]["counts"]) == volume.size
    low, high = summary["window"]
    assert volume.min() < low < 0.1
    assert 1.6 < high < volume.max()


def test_previews_show_the_middle(tmp_path: Path, make_record_folder: MakeFolder) -> None:
    folder = make_record_folder(tmp_path / "a")
    file_record(folder, title="A")
    sizes = {}
    for path in (folder / "previews").iterdir():
        with Pillow.open(path) as picture:
            sizes[path.stem] = picture.size
    assert sizes == {"thumbnail": (96, 96), "slice-z": (96, 96), "slice-y": (96, 72), "slice-x": (96, 72)}


def test_what_the_run_told_is_not_counted_again(
    tmp_path: Path, make_record_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "summarise", lambda volume: pytest.fail("the volume was read again"))
    told = {"histogram": {"edges": np.array([0.0, 1.0]), "counts": np.array([5])}, "window": (0.0, 1.0)}
    record = file_record(make_record_folder(tmp_path / "a"), title="A", volume=told)
    assert record.volume["histogram"] == {"edges": [0.0, 1.0], "counts": [5]}
    assert record.volume["window"] == [0.0, 1.0]


def test_filing_again_updates_and_keeps_the_identifier(
    tmp_path: Path, make_record_folder: MakeFolder
) -> None:
    folder = make_record_folder(tmp_path / "a")
    first = file_record(folder, title="A")
    (folder / "run.log").write_text("done")
    second = file_record(folder, title="Another title")
    assert second.id == first.id
    assert second.title == "Another title"
    assert {entry.path for entry in second.files} - {entry.path for entry in first.files} == {"run.log"}
    assert verify(folder) == ()


def test_same_volume_and_title_give_the_same_identifier(
    tmp_path: Path, make_record_folder: MakeFolder
) -> None:
    first = file_record(make_record_folder(tmp_path / "a"), title="Tooth")
    second = file_record(make_record_folder(tmp_path / "b"), title="Tooth")
    other = file_record(make_record_folder(tmp_path / "c", seed=2), title="Tooth")
    assert first.id == second.id != other.id


@pytest.mark.parametrize("title", ["骨", "---", "ÄÖ " * 60, "-" * 300 + "a"])
def test_any_title_gives_an_identifier(tmp_path: Path, make_record_folder: MakeFolder, title: str) -> None:
    record = file_record(make_record_folder(tmp_path / "a", size=32), title=title)
    assert ID.fullmatch(record.id)


def test_uncalibrated_volume_is_said_to_be_so(tmp_path: Path, make_record_folder: MakeFolder) -> None:
    record = file_record(make_record_folder(tmp_path / "a", size=32, voxel_um=None), title="A")
    assert record.volume["voxel_m"] is None
    assert "voxel size is not known" in record.description


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is absent")
def test_sha256sum_checks_a_record(tmp_path: Path, make_record_folder: MakeFolder) -> None:
    folder = make_record_folder(tmp_path / "a")
    file_record(folder, title="A")
    check = ["sha256sum", "-c", "--strict", "--quiet", "manifest-sha256.txt"]
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 0


def test_refusals(tmp_path: Path, make_record_folder: MakeFolder) -> None:
    with pytest.raises(FormatError, match="finished reconstruction"):
        file_record(tmp_path, title="A")
    folder = make_record_folder(tmp_path / "a", size=32)
    with pytest.raises(InputError, match="title"):
        file_record(folder, title="  ")
    with pytest.raises(InputError, match="zone"):
        file_record(folder, title="A", created=datetime(2026, 1, 1))
    with pytest.raises(InputError, match="identifier"):
        file_record(folder, title="A", id="No Good/..")
    assert not (folder / "ro-crate-metadata.json").exists()
    (folder / "provenance.json").write_text("{")
    with pytest.raises(FormatError, match=r"provenance\.json"):
        file_record(folder, title="A")


def test_full_disk_is_said_and_leaves_the_old_record(
    tmp_path: Path, make_record_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_record_folder(tmp_path / "a", size=32)
    record = file_record(folder, title="A")

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(filing, "write_whole", full)
    with pytest.raises(StorageFull, match="free some space"):
        file_record(folder, title="B")
    assert read_record(folder) == record


@pytest.mark.parametrize(
    ("key", "told"), [("voxel_m", [1e-30] * 3), ("voxel_m", 1e20), ("unit", 7), ("minimum", "low")]
)
def test_what_could_not_be_read_back_is_not_filed(
    tmp_path: Path, make_record_folder: MakeFolder, key: str, told: Any
) -> None:
    folder = make_record_folder(tmp_path / "r", size=16)
    with pytest.raises(InputError, match=f"the volume cannot be so: .*{key}: "):
        file_record(folder, title="A", volume={key: told})
    assert not (folder / "ro-crate-metadata.json").exists()


def test_plain_is_json() -> None:
    content = {
        "a": np.arange(3), 1: (np.float64(1.5), np.int8(2), np.bool_(True)), "p": Path("x"), "t": NOON,
        "n": [float("nan"), np.inf], "s": "µ", "none": None, "f": frozenset([1]),
    }  # fmt: skip
    assert json.loads(json.dumps(plain(content), allow_nan=False)) == {
        "a": [0, 1, 2], "1": [1.5, 2, True], "p": "x", "t": "2026-11-20T12:00:00+01:00", "n": [None, None],
        "s": "µ", "none": None, "f": [1],
    }  # fmt: skip
