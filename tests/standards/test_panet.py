"""The excerpt of PaNET: its terms are found by name, and a broad term finds all narrower ones."""

import pytest

from tomarium.errors import ParameterError
from tomarium.standards.panet import broader, id_of, label_of, narrower, terms


def test_every_broader_term_is_in_the_table_and_none_goes_round() -> None:
    known = terms()
    assert {one for term in known.values() for one in term.broader} <= known.keys()
    assert all(term.broader for term in known.values() if term.defined)
    same = {id: (broader(id) & narrower(id)) - {id} for id in known}
    assert {id: others for id, others in same.items() if others} == {
        "PaNET00401": {"PaNET01106"},  # PaNET defines imaging as what obtains a spatial map
        "PaNET01106": {"PaNET00401"},
        "PaNET01261": {"PaNET01334"},  # both are imaging with x-rays by refraction
        "PaNET01334": {"PaNET01261"},
    }


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("x-ray tomography", "PaNET01207"), ("X-Ray  Tomography", "PaNET01207"), ("CT scan", "PaNET01207"),
        ("x-ray tomography-based techniques", "PaNET01207"), ("PaNET01207", "PaNET01207"), ("stxm", "PaNET01219"),
        ("http://purl.org/pan-science/PaNET/PaNET01207", "PaNET01207"),
    ],
)  # fmt: skip
def test_a_term_is_found_by_each_of_its_names(name: str, id: str) -> None:
    assert id_of(name) == id


def test_every_label_leads_back_to_its_term() -> None:
    assert all(id_of(label_of(id)) == id for id in terms())


def test_an_unknown_name_is_refused_with_near_ones() -> None:
    with pytest.raises(ParameterError, match=r"near are 'x-ray tomography' \(PaNET01207\)"):
        id_of("xray tomography")
    assert label_of("PaNET09999") == "PaNET09999"
    assert narrower("PaNET09999") == {"PaNET09999"}


def test_what_is_narrower_follows_from_definitions_too() -> None:
    found = narrower("PaNET01207")
    # PaNET puts x-ray microtomography below microtomography and x-ray probe, never below x-ray tomography.
    assert {"PaNET01207", "PaNET01208", "PaNET01262", "PaNET01313", "PaNET01332", "PaNET01333"} <= found
    assert "PaNET01129" not in found  # tomography is broader
    assert "PaNET01248" not in found  # neutrons are no x-rays
    tomography = narrower("PaNET01129")
    assert found < tomography
    assert {"PaNET01151", "PaNET01154", "PaNET01206", "PaNET01213"} <= tomography
    assert tomography < narrower("PaNET01106")  # imaging
    assert "PaNET01248" in narrower("PaNET01106")
