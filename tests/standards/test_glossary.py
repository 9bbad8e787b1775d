"""The glossary: the form of its file, and which words of a text lead to it."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup

from tomarium.cli import execute
from tomarium.errors import ParameterError
from tomarium.standards.glossary import MOST_WORDS, find, linked, word_of, words

pytestmark = pytest.mark.fast


def test_the_file_has_the_form_that_it_tells() -> None:
    known = words()
    assert len(known) >= 50
    for one in known.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.id), one.id
        assert len(one.plain.split()) <= MOST_WORDS, one.id
        assert len(one.student.split()) <= 80, one.id
        for text in (one.plain, one.student):
            assert text == " ".join(text.split())
            assert text.endswith((".", ".)")), one.id
        assert one.plain != one.student
        assert len(one.source) > 10, one.id
        assert one.related or one.id, one.id
        assert set(one.related) <= known.keys() - {one.id}, one.id
        assert len(set(one.related)) == len(one.related)
    assert [one.term.casefold() for one in known.values()] == sorted(
        one.term.casefold() for one in known.values()
    )


def test_no_spelling_stands_for_two_words() -> None:
    spellings = [one.casefold() for word in words().values() for one in word.spellings]
    assert len(set(spellings)) == len(spellings)


def test_words_of_our_pages_are_there() -> None:
    wanted = (
        "voxel, projection, flat field, dark field, sinogram, rotation axis, ring artefact, phase retrieval, slice, "
        "resolution, voxel size, DOI, embargo, volume, histogram, threshold, mesh, licence, citation, record"
    )
    for one in wanted.split(", "):
        assert word_of(one).term == one
    assert word_of("Flat  Fields").id == "flat-field"
    assert word_of("rotation-axis").term == "rotation axis"
    with pytest.raises(ParameterError, match=r"no word 'voksel'; near are voxel"):
        word_of("voksel")


def test_words_are_found_once_whole_and_in_their_case() -> None:
    seen: set[str] = set()
    text = (
        "A Voxel has one grey\nvalue; two voxels have two. Subvoxel, voxel-wise. A doi, a DOI, CT in contact."
    )
    pieces = list(find(text, seen))
    assert "".join(piece for piece, _ in pieces) == text
    assert [(piece, id) for piece, id in pieces if id] == [
        ("Voxel", "voxel"), ("grey\nvalue", "grey-value"), ("DOI", "doi"), ("CT", "tomography"),
    ]  # fmt: skip
    assert [id for _, id in find("a voxel, a slice", seen) if id] == ["slice"]
    assert seen == {"voxel", "grey-value", "doi", "tomography", "slice"}


def test_links_are_escaped_and_only_where_there_is_a_page() -> None:
    html = linked('<i>voxel</i> & "x"', set(), lambda id: f"/glossary?a=1&b=2#{id}")
    assert isinstance(html, Markup)
    assert html.startswith('&lt;i&gt;<a class="word" href="/glossary?a=1&amp;b=2#voxel" title="')
    assert html.endswith("voxel</a>&lt;/i&gt; &amp; &#34;x&#34;")
    assert linked("a voxel", set(), lambda _: "") == "a voxel"


def test_the_command_tells_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["glossary", "flat", "fields", "--level", "pupil"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("flat field\n")
    assert "More in" not in told
    assert "detector" not in told.partition("See also")[0]
    assert execute(["glossary", "voxel"]) == 0
    assert "More in Withers" in capsys.readouterr().out
    assert execute(["glossary"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(words())
    assert execute(["glossary", "voksel"]) == 2
    assert "near are voxel" in capsys.readouterr().err
