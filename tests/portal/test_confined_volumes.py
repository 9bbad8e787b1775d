"""A volume that another process reads is the same volume, and a damaged one the same error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import HTTPException

from tomarium.catalogue.child_process import from_bytes, to_bytes
from tomarium.catalogue.child_reader import ReaderDied, ReadersBusy
from tomarium.catalogue.confined_volumes import answer_in_child
from tomarium.errors import FormatError
from tomarium.portal.confined_volumes import open_confined
from tomarium.viewers.volume import open_here


class Readers:
    """What a process does, without one; it is busy, or dies, as often as a test says."""

    def __init__(self, *problems: Exception) -> None:
        self.problems = list(problems)

    def ask(self, question: Any, *, readable: list[Path], unconfined: bool) -> Any:
        assert (readable, unconfined) == ([question.path], True)
        if self.problems:
            raise self.problems.pop(0)
        return from_bytes(to_bytes(answer_in_child(question)))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    return make_volume(tmp_path_factory.mktemp("confined") / "volume.ome.zarr", size=16)


@pytest.mark.parametrize(
    "key", [np.s_[...], np.s_[3], np.s_[2:5, 1, ::3], np.s_[1, 2, 3], np.s_[4:4], np.s_[-2:, :, 5:6]], ids=str
)
def test_any_part_is_the_same(path: Path, key: Any) -> None:
    told, truth = open_confined(Readers(), path), open_here(path)  # type: ignore[arg-type]
    for mine, other in zip(told.levels, truth.levels, strict=True):
        np.testing.assert_array_equal(mine[key], other[key], strict=True)
        assert (mine.shape, mine.dtype) == (other.shape, other.dtype)


def test_what_it_tells_of_itself_is_the_same(path: Path) -> None:
    told, truth = open_confined(Readers(), path), open_here(path)  # type: ignore[arg-type]
    for name in ("axes", "unit", "name", "path", "metadata", "level_axes", "shape", "voxel_m"):
        assert getattr(told, name) == getattr(truth, name), name
    assert [one.path for one in told.levels] == [one.path for one in truth.levels]  # type: ignore[attr-defined]


def test_what_is_wrong_is_told_as_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*problems: Exception) -> Any:
        return open_confined(Readers(*problems), path)  # type: ignore[arg-type]

    with pytest.raises(FormatError, match="is no Zarr group"):
        open_confined(Readers(), path / "0" / "nowhere")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="crashed on it"):
        opened(ReaderDied("the library crashed on it"))
    with pytest.raises(HTTPException) as busy:
        opened(ReadersBusy("too many"))
    assert busy.value.status_code == 503
    readers = Readers()
    level = open_confined(readers, path).levels[0]  # type: ignore[arg-type]
    readers.problems = [ReadersBusy("too many")] * 2  # an answer that has begun waits instead
    assert level[0].shape == (16, 16)
    monkeypatch.setattr(Readers, "ask", lambda *_told, **_more: {"axes": 3})
    with pytest.raises(FormatError, match="answered nonsense"):
        opened()
