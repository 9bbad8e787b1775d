"""Licences are read as people write them, and an unknown one is refused."""

import pytest

from tomarium.errors import ParameterError
from tomarium.standards.licences import LICENCES, address_of, read_licence


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("cc by 4.0", "CC-BY-4.0"), ("CC-BY 4.0", "CC-BY-4.0"), ("cc-by-4.0", "CC-BY-4.0"), ("CC BY v4.0", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0", "CC-BY-4.0"), ("CC0", "CC0-1.0"), ("cc0 1.0", "CC0-1.0"),
        ("http://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("Creative Commons Attribution 4.0", "CC-BY-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"), ("CC BY-NC-ND 4.0", "CC-BY-NC-ND-4.0"),
        ("https://spdx.org/licenses/ODbL-1.0.html", "ODbL-1.0"), ("ODbL", "ODbL-1.0"), ("mit license", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"), ("BSD 3-clause", "BSD-3-Clause"), ("  ", ""),
    ],
)  # fmt: skip
def test_read_as_people_write(text: str, id: str) -> None:
    assert read_licence(text) == id


def test_every_licence_is_read_by_its_id_name_and_address() -> None:
    for id, licence in LICENCES.items():
        assert {read_licence(text) for text in (id, id.lower(), licence.name, licence.address)} == {id}
        assert licence.told.endswith(".")
        assert address_of(id).startswith("https://")


@pytest.mark.parametrize(
    ("text", "near"), [("CC-BY", "CC-BY-4.0"), ("cc by 5.0", "CC-BY-4.0"), ("CC-BY-SA 3.0", "CC-BY-SA-4.0")]
)
def test_an_unknown_one_is_refused_with_near_ones(text: str, near: str) -> None:
    with pytest.raises(ParameterError, match=near):
        read_licence(text)


@pytest.mark.parametrize("text", ["free for all", "?", "by", "none"])
def test_what_is_no_licence_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="SPDX"):
        read_licence(text)


def test_open_is_what_the_open_definition_accepts() -> None:
    closed = {"CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0"}
    assert {id for id, licence in LICENCES.items() if not licence.open} == closed


def test_addresses_of_what_records_hold() -> None:
    assert address_of("CC-BY-4.0") == "https://creativecommons.org/licenses/by/4.0/"
    assert address_of("GPL-3.0-or-later") == "https://spdx.org/licenses/GPL-3.0-or-later"
    assert address_of("https://example.org/terms") == "https://example.org/terms"
    assert address_of("ask us first") == address_of("") == address_of("javascript:alert(1)") == ""
