"""Texts that are kept packed are read again, whenever they were packed."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.catalogue.packed_text import DICTIONARY, pack, unpack

WORDS = "bone, fresh\nAda\nPixel size at the sample 0.65 µm\nPhoton energy 60 keV\nRotation axis 1023 px"


@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    assert unpack(pack(text)) == text


def test_what_was_packed_before_there_was_a_dictionary_is_read() -> None:
    assert unpack(zlib.compress(WORDS.encode(), 6)) == WORDS


def test_labels_cost_little() -> None:
    assert len(pack(WORDS)) < 0.6 * len(zlib.compress(WORDS.encode(), 9))


def test_the_dictionary_is_that_of_the_rows_that_are_there() -> None:
    """What was packed by another one could not be read: a new dictionary needs both to be kept."""
    assert (
        hashlib.sha256(DICTIONARY).hexdigest()
        == "5c99c1af1265759a2828b4cc6f6f2b6d58222b3e7483e322bb17e9553901402d"
    )


def test_a_text_that_was_cut_off_is_refused() -> None:
    with pytest.raises(zlib.error, match="too early"):
        unpack(pack(WORDS)[:-6])
