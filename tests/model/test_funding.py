"""Who paid, as people write it: the funder with its ROR id, the grant with its DOI or address."""

import pytest

from tomarium.errors import ParameterError
from tomarium.model import Funding
from tomarium.model.publication import read_funding, write_funding
from tomarium.standards.identifiers import read_award

ROR = "https://ror.org/0472cxd90"


@pytest.mark.parametrize(
    ("text", "funding"),
    [
        ("Wellcome", Funding("Wellcome")),
        ("European  Research Council : 123456", Funding("European Research Council", "123456")),
        (f"ERC ({ROR}): 123456", Funding("ERC", "123456", "0472cxd90")),
        (f"ERC {ROR}", Funding("ERC", "", "0472cxd90")),
        ("ERC (ror.org/0472cxd90):doi:10.3030/1", Funding("ERC", "doi:10.3030/1", "0472cxd90")),
        (
            "DFG: Teeth: of the past https://a.example/1",
            Funding("DFG", "Teeth: of the past https://a.example/1"),
        ),
        ("DFG: https://a.example/1", Funding("DFG", "https://a.example/1")),
    ],
)
def test_it_is_read_as_people_write_it_and_back(text: str, funding: Funding) -> None:
    assert read_funding(text) == funding
    assert read_funding(write_funding(funding)) == funding


@pytest.mark.parametrize("text", ["", ": 12", f"({ROR}): 12", "ERC (https://ror.org/0472cxd91): 12"])
def test_what_names_no_funder_or_a_wrong_ror_id_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        read_funding(text)


@pytest.mark.parametrize(
    ("award", "parts"),
    [
        ("", ("", "", "")),
        ("123456", ("123456", "", "")),
        ("Teeth of the past", ("Teeth of the past", "", "")),
        ("10.3030/1", ("", "10.3030/1", "https://doi.org/10.3030/1")),
        ("doi: 10.3030/1", ("", "10.3030/1", "https://doi.org/10.3030/1")),
        ("ERC-1 doi: 10.3030/1", ("ERC-1", "10.3030/1", "https://doi.org/10.3030/1")),
        ("1 https://doi.org/10.3030/1", ("1", "10.3030/1", "https://doi.org/10.3030/1")),
        (
            "Teeth of bears https://a.example/1",
            ("Teeth of bears", "https://a.example/1", "https://a.example/1"),
        ),
        ("javascript:alert(1)", ("javascript:alert(1)", "", "")),
        ("1 javascript:alert(1)", ("1 javascript:alert(1)", "", "")),
    ],
)
def test_an_award_leads_to_its_identifier(award: str, parts: tuple[str, str, str]) -> None:
    assert read_award(award) == parts
