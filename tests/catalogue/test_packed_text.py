"""Texts that are kept packed are read again, whenever they were packed."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.catalogue.packed_text import DICTIONARY, pack, unpack
from tomarium.catalogue.word_marks import _DICTIONARY, description_of, pack_marks, words_of
from tomarium.catalogue.words import fold

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


@given(st.text(), st.text())
def test_every_text_comes_back_from_what_its_folded_words_lack(description: str, words: str) -> None:
    folded = [" ".join(fold(text)) for text in (description, words)]
    packed = pack_marks(description, words, *folded)
    assert description_of(packed, f" {folded[0]} ") == description
    assert words_of(packed, f" {folded[1]} ") == words


@pytest.mark.parametrize(
    "text", ["", "µ", "½ mm", "Énamel_No. 3", "LuAG\n\nIJ ß ẞ", "a\1b", "e\u0301", "ͅ", "  \n A  b", "ǆ Ǆ ǅ"]
)
def test_texts_that_folding_changes_much_come_back(text: str) -> None:
    folded = " ".join(fold(text))
    packed = pack_marks(text, text, folded, folded)
    assert (description_of(packed, folded), words_of(packed, folded)) == (text, text)


def test_what_folded_words_lack_takes_half_of_the_packed_text() -> None:
    packed = pack_marks("", WORDS, "", " ".join(fold(WORDS)))
    assert len(packed) < len(pack(WORDS)) / 2
    with pytest.raises(zlib.error, match="too early"):
        words_of(packed[:-6], " ".join(fold(WORDS)))


def test_the_dictionary_of_marks_is_that_of_the_rows_that_are_there() -> None:
    assert (
        hashlib.sha256(_DICTIONARY).hexdigest()
        == "130a5a79fb2f6b908111b3e7084f27fc792c528b85726a6253f003e0679eae9d"
    )
