"""People as they are typed, and the check digit of ORCID."""

import pytest

from tomarium.errors import ParameterError
from tomarium.model import Person
from tomarium.model.person import is_orcid, is_ror, read_person, write_person


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("Ada Lovelace", Person("Ada Lovelace")),
        (" Lovelace,  Ada 0000-0002-1825-0097", Person("Lovelace, Ada", "0000-0002-1825-0097")),
        (
            "Lovelace, Ada <https://orcid.org/0000-0002-1694-233x> @ ESRF (https://ror.org/02550n020)",
            Person("Lovelace, Ada", "0000-0002-1694-233X", "ESRF", "02550n020"),
        ),
        ("Röntgen, W. C. @ Universität Würzburg", Person("Röntgen, W. C.", "", "Universität Würzburg")),
    ],
)
def test_reads_what_people_type(text: str, person: Person) -> None:
    assert read_person(text) == person
    assert read_person(write_person(person)) == person


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  ", "names nobody"),
        ("@ ESRF", "names nobody"),
        ("Ada 0000-0002-1825-0098", "last digit"),
        ("Ada @ ESRF (https://ror.org/02550n021)", "last two digits"),
    ],
)
def test_refuses_nobody_and_wrong_digits(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        read_person(text)


def test_check_digits() -> None:
    # The two examples of https://support.orcid.org/hc/en-us/articles/360006897674
    assert is_orcid("0000-0002-1825-0097")
    assert is_orcid("0000-0002-1694-233X")
    assert not is_orcid("0000-0002-1694-2330")
    assert not is_orcid("0000000218250097")


def test_check_digits_of_organisations() -> None:
    # ESRF, Caltech, California Digital Library and Crossref, as https://ror.org lists them.
    assert all(map(is_ror, ("02550n020", "05dxps055", "03yrm5c26", "02twcfp32")))
    assert not any(map(is_ror, ("02550n021", "02505n020", "02550N020", "12550n020", "02550l020", "")))


def test_names_are_parted_at_the_comma_or_the_last_space() -> None:
    assert (Person("Lovelace, Ada").family_name, Person("Lovelace, Ada").given_name) == ("Lovelace", "Ada")
    assert (Person("Ada Lovelace").family_name, Person("Ada Lovelace").given_name) == ("Lovelace", "Ada")
    assert (Person("ESRF").family_name, Person("ESRF").given_name) == ("ESRF", "")
