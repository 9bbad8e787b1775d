"""What people read of a value of any kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.model import parameter
from tomarium.model.wording import brief, in_words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1, "b": 2}, "a: 1; b: 2"),
        ({"a": {"b": 1, "c": [1, 2.5]}}, "a: (b: 1; c: (1, 2.5))"),
        ([{"a": 1}, {"a": None}], "(a: 1), (a: –)"),
        ([1, 0.1 + 0.2, True, None, "x"], "1, 0.3, yes, –, x"),
        (list(range(181)), "0, 1, 2 … 180 (181 values)"),
        (np.arange(3.0), "0, 1, 2"),
        (np.float32(0.1), "0.1"),
        (np.array(["a", "b"]), "a, b"),
        (b"bone", "bone"),
        ([], "–"),
        ({}, "–"),
        (None, "–"),
        (" two\nlines\t\x1b[31m", "two lines  [31m"),
        ("{'a': 1}", "{'a': 1}"),
    ],
)
def test_words(value: Any, words: str) -> None:
    assert in_words(value) == words


def test_a_value_in_itself_has_an_end() -> None:
    ring: dict[str, Any] = {"a": 1}
    ring["ring"] = ring
    assert len(in_words(ring)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_any_value_is_one_line(value: Any) -> None:
    assert "".join(in_words(value).splitlines()) == in_words(value)
    assert isinstance(parameter.show("anything", value), str)


@given(st.text(), st.integers(1, 50))
def test_a_text_is_never_longer_than_it_may_be(text: str, most: int) -> None:
    assert len(brief(text, most)) <= most
    assert brief(text, max(most, len(text))) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"kind": "CMOS", "bits": 16}, "kind: CMOS; bits: 16"),
        ([{"a": 1}, {"a": 2}], "(a: 1), (a: 2)"),
        ([[1, 2], [3, 4]], "(1, 2), (3, 4)"),
    ],
)
def test_parameters_are_worded_too(value: Any, shown: str) -> None:
    assert parameter.show("detector", value) == shown
