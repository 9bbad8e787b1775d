"""The manifest is what sha256sum understands, and covers all files."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tomarium.catalogue.checksums import Sum, list_files, read_manifest, sum_files, sum_folder, write_manifest
from tomarium.errors import FormatError


def fill(folder: Path) -> None:
    for name, content in {"a.txt": b"a", "b/ü c.bin": bytes(3_000_000), "b/d/e": b""}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_sums_are_right_and_sorted(tmp_path: Path) -> None:
    fill(tmp_path)
    sums = sum_files(tmp_path, list(list_files(tmp_path)))
    assert list(sums) == ["a.txt", "b/d/e", "b/ü c.bin"]
    assert sums["a.txt"] == Sum(1, hashlib.sha256(b"a").hexdigest())
    assert sums["b/ü c.bin"] == Sum(3_000_000, hashlib.sha256(bytes(3_000_000)).hexdigest())


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is absent")
def test_sha256sum_agrees(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "m").write_text(write_manifest(sum_files(tmp_path, list(list_files(tmp_path)))))
    check = subprocess.run(["sha256sum", "-c", "--strict", "m"], cwd=tmp_path, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    (tmp_path / "a.txt").write_bytes(b"b")
    assert subprocess.run(["sha256sum", "-c", "m"], cwd=tmp_path, capture_output=True).returncode == 1


def test_folder_has_the_checksum_of_its_lines(tmp_path: Path) -> None:
    fill(tmp_path)
    sums = sum_files(tmp_path, list(list_files(tmp_path)))
    lines = "".join(f"{sums[path].sha256}  {path}\n" for path in ("b/d/e", "b/ü c.bin"))
    assert sum_folder("b/", sums) == Sum(3_000_000, hashlib.sha256(lines.encode()).hexdigest())


def test_manifest_is_read_back(tmp_path: Path) -> None:
    fill(tmp_path)
    sums = sum_files(tmp_path, list(list_files(tmp_path)))
    (tmp_path / "m").write_text(write_manifest(sums))
    assert read_manifest(tmp_path / "m") == {path: known.sha256 for path, known in sums.items()}


@pytest.mark.parametrize("text", ["abc  file\n", "0" * 64 + " file\n", "0" * 64 + "  \n", "\xff"])
def test_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "m").write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match="m"):
        read_manifest(tmp_path / "m")


@pytest.mark.parametrize("name", ["line\nend", "back\\slash"])
def test_name_that_a_manifest_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(FormatError, match="rename"):
        list(list_files(tmp_path))


def test_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(FormatError, match="link"):
        list(list_files(tmp_path))
