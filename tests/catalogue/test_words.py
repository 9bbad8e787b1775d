"""Words are folded alike in what is stored and in what is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.catalogue.words import Term, fold, mark, read_terms, snippet


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Énamel_No. 3", ("enamel", "no", "3")),
        ("Fußgänger STRASSE", ("fussganger", "strasse")),
        ("Łódź søster cœur", ("lodz", "soster", "coeur")),
        ("0.65 µm", ("0", "65", "μm")),
        ("CT-12/b", ("ct", "12", "b")),
        ("ﬁbre Ⅳ", ("fibre", "iv")),
        ("骨 кость", ("骨", "кость")),
        ("--- !?", ()),
    ],
)
def test_fold(text: str, words: tuple[str, ...]) -> None:
    assert fold(text) == words


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("tooth ena", (Term(("tooth",)), Term(("ena",), prefix=True))),
        ("tooth ", (Term(("tooth",)),)),
        ('"20 keV"', (Term(("20", "kev")),)),
        ('"20 keV', (Term(("20", "kev")),)),
        ("CT-12", (Term(("ct", "12"), prefix=True),)),
        ('a "b c" d', (Term(("a",)), Term(("b", "c")), Term(("d",), prefix=True))),
        ("tooth tooth ", (Term(("tooth",)),)),
        ('"" * ( ) -', ()),
    ],
)
def test_read_terms(question: str, terms: tuple[Term, ...]) -> None:
    assert read_terms(question) == terms


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    words = fold(text)
    assert fold(" ".join(words)) == words


@given(st.text(), st.text())
def test_marks_lie_in_the_text_in_order(text: str, question: str) -> None:
    places = [place for span in mark(text, read_terms(question)) for place in span]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)


@given(st.text(max_size=600), st.text(max_size=20), st.integers(20, 200))
def test_snippet_is_short_and_on_one_line(text: str, question: str, width: int) -> None:
    piece = snippet(text, read_terms(question), width)
    assert len(piece) <= width + 4
    assert "\n" not in piece


def test_snippet_shows_the_word() -> None:
    text = "Reconstructed. " * 40 + "Here lies the ÉNAMEL of a molar. " + "More words. " * 40
    assert "ÉNAMEL" in snippet(text, read_terms("enam"))
    assert [text[start:end] for start, end in mark(text, read_terms("enam"))] == ["ÉNAMEL"]
