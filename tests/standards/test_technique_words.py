"""Short names of techniques mean terms of PaNET and the words that records use."""

from __future__ import annotations

import pytest

from tomarium.errors import ParameterError
from tomarium.standards import panet
from tomarium.standards.technique_words import WORDS, values_of

KNOWN = (
    "PaNET01207", "PaNET01208", "PaNET01177", "PaNET01113", "FIB-SEM", "SEM-EDS", "EDX map", "Micro-CT", "EBSD",
    "electron tomography", "clay",
)  # fmt: skip


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("ct", {"PaNET01207", "PaNET01208", "Micro-CT"}),
        ("CT scan", {"PaNET01207", "PaNET01208"}),  # a name of PaNET
        ("x-ray microtomography", {"PaNET01208"}),
        ("EDS", {"SEM-EDS", "EDX map"}),
        ("sem", {"FIB-SEM", "SEM-EDS"}),
        ("Fib", {"FIB-SEM"}),
        ("ebsd", {"EBSD"}),
        ("cl", set()),
        ("xrf", {"PaNET01177"}),
        ("electron tomography", {"electron tomography"}),
        ("xyz", set()),
    ],
)
def test_a_word_means_what_records_call_it(word: str, meant: set[str]) -> None:
    assert set(values_of(word, KNOWN)) == meant


def test_every_term_is_one_of_panet() -> None:
    for terms, _ in WORDS.values():
        assert all(panet.id_of(term) in panet.terms() for term in terms)


def test_signs_alone_are_refused() -> None:
    with pytest.raises(ParameterError, match="such as ct, xrf, eds"):
        values_of("--", KNOWN)
