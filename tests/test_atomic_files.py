"""A small file is the old one or the whole new one, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tomarium import atomic_files
from tomarium.atomic_files import drafts_of, write_json, write_whole


def test_the_old_file_stays_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_json_keeps_its_words(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"µ": [1, 0.1, None]})
    assert "µ" in (tmp_path / "a.json").read_text("utf-8")
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"µ": [1, 0.1, None]}


def test_what_a_killed_writer_leaves_is_a_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    program = (
        "import os, sys; from pathlib import Path; from tomarium import atomic_files as w\n"
        "w.os.fsync = lambda descriptor: os._exit(9)\n"
        "w.write_whole(Path(sys.argv[1]), b'half')"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert not path.exists()
    assert len(drafts_of(path)) == 1
    write_whole(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert len(drafts_of(path)) == 1
