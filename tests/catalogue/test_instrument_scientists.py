"""What a scientist of an instrument does with its drafts, and what is left to curators."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue, search
from tomarium.catalogue.accounts import account_named, change_role, make_account
from tomarium.catalogue.assigned_instruments import change_instruments
from tomarium.catalogue.comments import comment
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.invitations import make_invitation
from tomarium.catalogue.life import Request, publish, send_back, submit
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.settings import change_setting
from tomarium.errors import InputError
from tomarium.model import Person, Value

ADA = Reader("ada", "member")
READY = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))


@pytest.fixture
def catalogue(tmp_path: Path, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        for id, key, value in (("tooth", "beamline", "BM05"), ("bone", "instrument", "ID19")):
            make_volume(tmp_path / "records" / id / "volume.ome.zarr", size=8)
            file_record(
                tmp_path / "records" / id, title=id, id=id, parameters={key: Value(value, "read", "")}
            )
            ingest(opened, tmp_path / "records" / id, reader=ADA)
        with opened.writing() as connection:
            make_account(connection, LOCAL_OWNER, "root", "administrator")
            make_account(connection, LOCAL_OWNER, "sam", "instrument scientist")
            change_instruments(connection, LOCAL_OWNER, "sam", assign=("BM05",))
        yield opened


def scientist(catalogue: Catalogue) -> Reader:
    with catalogue.reading() as connection:
        return account_named(connection, "sam").reader


def test_a_scientist_works_on_drafts_of_the_instrument_alone(catalogue: Catalogue) -> None:
    sam = scientist(catalogue)
    assert [hit.id for hit in search(catalogue, sam).hits] == ["tooth"]
    edit(catalogue, sam, "tooth", READY)
    comment(catalogue, sam, "tooth", "the energy is that of the monochromator")
    with pytest.raises(InputError, match="no record 'bone'"):
        edit(catalogue, sam, "bone", READY)
    submit(catalogue, sam, "tooth")
    edit(catalogue, sam, "tooth", Changes(specimen="MB.1"))  # in review too
    for act in (
        lambda: publish(catalogue, sam, "tooth"),
        lambda: send_back(catalogue, sam, "tooth", "again"),
    ):
        with pytest.raises(NotAllowed, match=r"sam \(instrument scientist\) may not"):
            act()
    with catalogue.writing() as connection, pytest.raises(NotAllowed, match="may not invite"):
        make_invitation(connection, sam, "tooth", 3)


def test_a_setting_lets_scientists_publish_what_is_of_their_instrument(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "scientists_publish", "yes")
    sam = scientist(catalogue)
    for id in ("tooth", "bone"):
        edit(catalogue, LOCAL_OWNER, id, READY)
    with pytest.raises(NotAllowed):
        publish(catalogue, sam, "bone")
    assert publish(catalogue, sam, "tooth", Request(embargo="3 years")).publication is not None
    # Published, it is to them as to anybody: seen, and neither changed nor open before its embargo ends.
    assert [hit.id for hit in search(catalogue, sam).hits] == ["tooth"]
    with pytest.raises(NotAllowed, match="not sam's to change"):
        edit(catalogue, sam, "tooth", Changes(specimen="MB.2"))


def test_what_is_assigned_counts_in_the_role_and_until_it_is_released(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        with pytest.raises(InputError, match="'ID19' is not assigned to sam"):
            change_instruments(connection, LOCAL_OWNER, "sam", release=("ID19",))
        for absurd in ("", " ", "x" * 201, "BM\x0005"):
            with pytest.raises(InputError, match="cannot be the name of an instrument"):
                change_instruments(connection, LOCAL_OWNER, "sam", assign=(absurd,))
        with pytest.raises(NotAllowed):
            change_instruments(connection, Reader("sam", "instrument scientist"), "sam", assign=("ID19",))
        change_role(connection, LOCAL_OWNER, "sam", "member")
    assert search(catalogue, scientist(catalogue)).hits == ()
    with catalogue.writing() as connection:
        change_role(connection, LOCAL_OWNER, "sam", "instrument scientist")
        assert change_instruments(connection, LOCAL_OWNER, "sam", release=("BM05",)) == ()
    assert search(catalogue, scientist(catalogue)).hits == ()
