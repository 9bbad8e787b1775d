"""Reading and checking a record: damage is found and told."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tomarium.catalogue import Mismatch, file_record, read_record, verify
from tomarium.errors import FormatError


@pytest.fixture
def folder(tmp_path: Path, make_record_folder: Callable[..., Path]) -> Path:
    folder = make_record_folder(tmp_path / "a", size=32)
    file_record(folder, title="A")
    return folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_one_flipped_bit_is_found(folder: Path) -> None:
    chunk = max((folder / "volume.ome.zarr").rglob("c/**/*"), key=lambda path: path.stat().st_size)
    flip(chunk)
    assert verify(folder) == (Mismatch(chunk.relative_to(folder).as_posix(), "changed"),)


def test_missing_and_unlisted_files_are_found(folder: Path) -> None:
    (folder / "protocol.yaml").unlink()
    (folder / "notes.txt").write_text("new")
    assert verify(folder) == (Mismatch("notes.txt", "unlisted"), Mismatch("protocol.yaml", "missing"))


def test_manifest_changed_together_with_a_file_is_found(folder: Path) -> None:
    from tomarium.catalogue.checksums import list_files, sum_files, write_manifest

    flip(folder / "volume.ome.zarr" / "zarr.json")
    crate, manifest = "ro-crate-metadata.json", "manifest-sha256.txt"
    paths = [path for path in list_files(folder) if path not in (crate, manifest)]
    (folder / manifest).write_text(write_manifest(sum_files(folder, paths)))
    assert verify(folder) == (Mismatch(manifest, "changed"), Mismatch("volume.ome.zarr/", "changed"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "does not exist"),
        (lambda folder: folder.write_text(""), "is a file"),
        (lambda folder: folder.mkdir(), "no record"),
        (lambda folder: (folder / "volume.ome.zarr").mkdir(parents=True), "did not finish"),
        (lambda folder: (folder / "unfinished").mkdir(parents=True), "tomarium doctor .* tells the command"),
        (lambda folder: (folder / "ro-crate-metadata.json").mkdir(parents=True), "cannot be read"),
    ],
)
def test_what_is_no_record_is_said(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(FormatError, match=said):
        read_record(tmp_path / "x")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -3])
def test_truncated_crate_is_refused(folder: Path, kept: float) -> None:
    crate = folder / "ro-crate-metadata.json"
    size = crate.stat().st_size
    os.truncate(crate, int(kept * size) if isinstance(kept, float) else kept % size)
    with pytest.raises(FormatError, match=r"cut short|damaged"):
        read_record(folder)


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("shape", 5), ("shape", [1, 2]), ("shape", [0, 1, 1]), ("shape", [1, 1, "<b>"]), ("voxel_m", "1"),
        ("voxel_m", [1e-6]), ("voxel_m", -1), ("voxel_m", 1e-300), ("unit", ["1/cm"]), ("window", [2, 1]),
        ("window", [1, 1]), ("minimum", "low"), ("histogram", 7),
        ("histogram", {"edges": [0, 1], "counts": ["x"]}), ("histogram", {"edges": 7, "counts": []}),
    ],
)  # fmt: skip
def test_unsound_volume_is_refused(folder: Path, key: str, content: Any) -> None:
    crate = folder / "ro-crate-metadata.json"
    document = json.loads(crate.read_text())
    summary = next(entity for entity in document["@graph"] if entity["@id"] == "#volume-summary")
    summary["text"] = json.dumps({**json.loads(summary["text"]), key: content})
    crate.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=key):
        read_record(folder)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", "a//b", "a\\b", "a\nb", "", "/"])
def test_file_outside_is_refused(folder: Path, path: str) -> None:
    crate = folder / "ro-crate-metadata.json"
    document = json.loads(crate.read_text().replace("protocol.yaml", "PROTOCOL"))
    text = json.dumps(document).replace("PROTOCOL", json.dumps(quote(path, safe="/"))[1:-1])
    crate.write_text(text)
    with pytest.raises(FormatError, match="cannot be a file of this folder"):
        read_record(folder)


def test_unsound_identifier_is_refused(folder: Path) -> None:
    crate = folder / "ro-crate-metadata.json"
    record = read_record(folder)
    crate.write_text(crate.read_text().replace(record.id, "../../etc"))
    with pytest.raises(FormatError, match="identifier"):
        read_record(folder)
