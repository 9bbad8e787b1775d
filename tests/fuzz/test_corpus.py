"""Every target reads its good inputs and the kept ones of its corpus: what fuzzing found once is not found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fuzz import mutate, reader_targets
from fuzz.targets import Target, target
from fuzz.text_targets import BEGIN

CORPUS = Path(__file__).parent / "corpus"
CHECKED = [f"frames-{name}" for name in reader_targets.CHECKED]
KEPT = sorted(one.name for one in CORPUS.iterdir() if one.is_dir())
MUTANTS = 25


@pytest.fixture(scope="module", autouse=True)
def _cleared() -> Iterator[None]:
    yield
    reader_targets.clear()


def inputs(chosen: Target, seeds: list[bytes], count: int) -> list[bytes]:
    """The good ones, the kept ones, and some that are nearly good, the same each time."""
    random = Random(chosen.name)
    kept = [one.read_bytes() for one in sorted((CORPUS / chosen.name).glob("*"))]
    nearly = [chosen.changed(seeds, random) for _ in range(count)]
    return [*seeds, *kept, *nearly]


@pytest.mark.parametrize("name", sorted({*BEGIN, *CHECKED, *KEPT}))
def test_no_input_gives_an_error_that_is_not_documented(name: str) -> None:
    chosen = target(name)
    read, seeds = chosen.begin()
    assert seeds
    for content in inputs(chosen, seeds, MUTANTS):
        read(content)


@pytest.mark.parametrize("name", CHECKED)
def test_a_wrong_frame_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, seeds = target(name).begin()
    frames = reader_targets._frames
    monkeypatch.setattr(reader_targets, "_frames", lambda path: frames(path) + 1)
    with pytest.raises(AssertionError, match="wrong frames"):
        read(seeds[0])


def test_changes_are_changes_and_no_longer_than_asked() -> None:
    random, seed = Random(1), b"a good input of some length"
    made = [mutate.mutated(seed, [seed, b"other"], random, 40) for _ in range(300)]
    assert max(map(len, made)) <= 40
    assert len(set(made)) > 250
