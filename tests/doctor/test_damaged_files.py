"""Damaged files: the doctor answers with a report, whatever bytes it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from doctor.subjects import written
from tomarium.doctor import examine_path
from tomarium.doctor.checks import nexus as nexus_module


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good file of each writer."""
    folder = tmp_path_factory.mktemp("whole")
    return {to: written(folder / f"{to}.h5", to).read_bytes() for to in ("nxtomo", "data-exchange")}


@pytest.fixture(autouse=True)
def without_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The foreign validator has a process of its own; here it would only take time."""
    monkeypatch.setattr(nexus_module, "_ask", lambda path, entry: "")


@pytest.mark.parametrize("to", ["nxtomo", "data-exchange"])
def test_flipped_bytes_give_a_report(to: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    path, verdicts = tmp_path / "scan.h5", set()
    for _ in range(60):
        content = bytearray(whole[to])
        # Most of a file is pixels; what matters lies at its beginning and its end.
        for place in draw.choice([*range(6000), *range(len(content) - 6000, len(content))], 8):
            content[place] = int(draw.integers(256))
        path.write_bytes(bytes(content))
        verdicts.add(examine_path(path).verdict)
    assert "errors" in verdicts


@pytest.mark.parametrize("to", ["nxtomo", "data-exchange"])
def test_a_truncated_file_is_an_error(to: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    for part in (0.001, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[to][: int(part * len(whole[to]))])
        report = examine_path(path)
        assert report.verdict == "errors"
        assert "unreadable" in {finding.code for finding in report.findings}
