"""What a beamtime and its profile state reaches the records that are made in it; what anybody else says stands."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.beamtime.beamline_parameters import profile_toml
from tomarium.beamtime.beamtime_folder import read_beamtime
from tomarium.beamtime.profile_file import read_profile
from tomarium.catalogue.catalogue import open_catalogue
from tomarium.catalogue.life import usual_embargo
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.opening.profile_values import same_name
from tomarium.model import Funding, Person, Record, Value

PROFILE = """
name = "MINE"
facility = "Synchrotron of Mine"

[publication]
acknowledgement = ["MINE is paid by all."]

[stations.micro]
acknowledgement = ["The station micro is paid by some."]

[records]
licence = "cc by 4.0"
keywords = ["synchrotron"]
embargo = "3 years"
"""
BEAMTIME = """
name = "Teeth"
proposal = "20260001"
session = "20260001-2"
station = "micro"
profile = "mine.toml"

[records]
creators = ["Lovelace, Ada 0000-0002-1825-0097 @ ESRF (https://ror.org/02550n020)", "Röntgen, Wilhelm"]
funding = ["European Research Council (https://ror.org/0472cxd90): 101000000"]
keywords = ["teeth"]
"""
RUN = ["--executor", "serial", "--rows", "4:6"]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a beamtime, which is the present one; the file of one scan tells another proposal."""
    (tmp_path / "beamtime.toml").write_text(BEAMTIME)
    (tmp_path / "mine.toml").write_text(PROFILE)
    for name in ("silent.h5", "other.h5"):
        data_exchange.FORMAT.write(tmp_path / name, make_scan(angles=90))  # type: ignore[misc]
    with h5py.File(tmp_path / "other.h5", "a") as file:
        file["/measurement/sample/experiment/proposal"] = np.bytes_("20250777")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    return tmp_path


def in_catalogue(id: str) -> Record:
    with open_catalogue(None, make=False) as opened, opened.reading() as connection:
        from tomarium.catalogue.queries import folder_of

        folder = folder_of(connection, id)
    assert folder is not None
    return read_record(folder)


def test_a_record_made_in_a_beamtime_says_what_that_states(work: Path) -> None:
    assert execute(["run", "silent.h5", "-o", "one", *RUN]) in (0, 1)
    record = read_record(work / "one")
    assert record.creators == (
        Person("Lovelace, Ada", "0000-0002-1825-0097", "ESRF", "02550n020"),
        Person("Röntgen, Wilhelm"),
    )
    assert record.licence == "CC-BY-4.0"
    assert record.funding == (Funding("European Research Council", "101000000", "0472cxd90"),)
    assert record.acknowledgement == "MINE is paid by all. The station micro is paid by some."
    assert record.keywords[-2:] == ("synchrotron", "teeth")
    told = {name: (value.value, value.origin, value.source) for name, value in record.parameters.items()}
    beamtime, profile = "beamtime.toml of Teeth", "mine.toml of MINE"
    assert told["proposal"] == ("20260001", "profile", beamtime)
    assert told["session"] == ("20260001-2", "profile", beamtime)
    assert told["instrument"] == ("MINE", "profile", profile)
    assert told["facility"] == ("Synchrotron of Mine", "profile", profile)
    assert told["embargo"] == ("3 years", "profile", profile)
    assert "facts_for_record" not in told
    # The provenance names both files by their checksums, and which of them stated what.
    account = record.provenance["beamtime"]
    assert {file["file"]: file["sha256"] for file in account["files"]} == {
        name: hashlib.sha256((work / name).read_bytes()).hexdigest()
        for name in ("mine.toml", "beamtime.toml")
    }
    assert account["stated"]["licence"] == profile
    assert account["stated"]["creators"] == beamtime
    assert account["stated"]["keywords"] == f"{profile}, {beamtime}"
    assert "differs" not in account
    # A repetition says the same, whatever is stated by then.
    (work / "beamtime.toml").write_text(BEAMTIME.replace("Röntgen, Wilhelm", "Curie, Marie"))
    assert execute(["run", "--again", "one", "-o", "two"]) in (0, 1)
    again = read_record(work / "two")
    assert (again.creators, again.licence) == (record.creators, record.licence)
    assert again.parameters["session"] == record.parameters["session"]
    assert again.provenance["beamtime"] == account


def test_without_a_profile_or_beamtime_nothing_is_stated(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert execute(["run", "silent.h5", "--profile", "none", "-o", "plain", *RUN]) in (0, 1)
    record = read_record(work / "plain")
    assert (record.creators, record.licence, record.funding) == ((), "", ())
    assert "beamtime" not in record.provenance
    assert not {"proposal", "session", "embargo"} & record.parameters.keys()


def test_what_the_scan_says_wins_and_is_told(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", "other.h5", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    [warning] = [text for text in found["warnings"] if "proposal" in text]
    assert warning.startswith("proposal is '20250777' by ")
    assert "but '20260001' by beamtime.toml of Teeth: the file's was taken" in warning
    assert execute(["run", "other.h5", "-o", "other", *RUN]) == 1
    record = read_record(work / "other")
    assert (record.parameters["proposal"].value, record.parameters["proposal"].origin) == ("20250777", "read")
    assert "proposal" not in record.provenance["beamtime"]["stated"]
    [differs] = record.provenance["beamtime"]["differs"]
    assert differs == warning
    capsys.readouterr()
    assert execute(["info", "other.h5"]) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "record: licence CC-BY-4.0 profile: mine.toml of MINE" in lines
    assert execute(["ingest", "other"]) == 1
    assert "proposal is '20250777' by " in capsys.readouterr().err


def test_an_instrument_that_is_only_the_name_of_the_profile_contradicts_no_file(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(work / "silent.h5", "a") as file:
        file["/measurement/instrument/name"] = np.bytes_("ID19")

    def warned() -> list[str]:
        execute(["info", "silent.h5", "--json"])
        return [text for text in json.loads(capsys.readouterr().out)["warnings"] if "instrument" in text]

    assert not warned()
    (work / "beamtime.toml").write_text('instrument = "BM05"\n' + BEAMTIME)
    assert warned()[0].startswith("instrument is 'ID19' by ")


def test_raw_scans_and_volumes_that_are_filed_in_it_say_so_too(work: Path) -> None:
    from tifffile import imwrite

    (work / "slices").mkdir()
    for number in range(4):
        imwrite(work / "slices" / f"s_{number:03}.tif", np.zeros((16, 16), np.float32) + number)
    assert execute(["ingest", "silent.h5", "slices", "--pixel", "1um", "--records", "filed"]) in (0, 1)
    for record in map(read_record, (work / "filed").iterdir()):
        assert record.licence == "CC-BY-4.0"
        assert record.parameters["session"] == Value("20260001-2", "profile", "beamtime.toml of Teeth")
        assert {"teeth", "synchrotron"} <= {*record.keywords}
        assert [file["file"] for file in record.provenance["beamtime"]["files"]] == [
            "mine.toml",
            "beamtime.toml",
        ]


def test_a_series_goes_on_where_facts_were_added(work: Path) -> None:
    series = ["series", "silent.h5", "other.h5", "-o", "loading", "--on", "serial", "--rows", "4:6"]
    assert execute(series) in (0, 1)
    (work / "beamtime.toml").write_text(BEAMTIME.replace('["teeth"]', '["teeth", "voles"]'))
    assert execute(series) in (0, 1)
    first = read_record(
        next(path.parent for path in sorted((work / "loading").glob("*/ro-crate-metadata.json")))
    )
    assert (first.licence, first.parameters["session"].value) == ("CC-BY-4.0", "20260001-2")


def test_facts_told_later_reach_drafts_but_not_what_a_person_edited(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = BEAMTIME.replace("[records]", "[records]\nacknowledgement = 'Thank the staff.'")
    (work / "beamtime.toml").write_text('name = "Teeth"\nproposal = "20260001"\n')
    assert execute(["run", "silent.h5", "-o", "night", *RUN]) in (0, 1)
    assert execute(["ingest", "night"]) == 1  # the catalogue has no such proposal, which is told
    told = capsys.readouterr()
    assert "tomarium entity new proposal '20260001' --fact number='20260001'" in told.err
    id = read_record(work / "night").id
    # Somebody names a creator, and empties the funding on purpose.
    assert execute(["edit", id, "--creator", "Curie, Marie", "--funder", "CNRS"]) == 0
    from tomarium.catalogue.edit import Changes, edit
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(None, make=False) as opened:
        edit(opened, LOCAL_OWNER, id, Changes(funding=()))
    assert execute(["entity", "new", "proposal", "Voles", "--id", "voles", "--fact", "number=20260001"]) == 0
    (work / "beamtime.toml").write_text(late)
    assert (
        execute(["ingest", "night"]) == 0
    )  # which beamtime it is of is not told by where the command is started
    assert in_catalogue(id).licence == ""
    proposal = in_catalogue(id).entity("proposal")
    assert proposal is not None
    assert proposal.id == "voles"
    capsys.readouterr()
    assert execute(["ingest", "night", "--beamtime", str(work)]) == 0
    assert "stated by the beamtime: " in capsys.readouterr().out
    record = in_catalogue(id)
    assert record.creators == (Person("Curie, Marie"),)
    assert record.funding == ()
    assert (record.licence, record.acknowledgement) == ("CC-BY-4.0", "Thank the staff.")
    assert record.parameters["session"].value == "20260001-2"
    # What was stated once and taken out again stays out, and doing it again changes nothing.
    assert execute(["edit", id, "--acknowledgement", ""]) == 0
    before = in_catalogue(id)
    assert execute(["ingest", "night", "--beamtime", str(work)]) == 0
    assert in_catalogue(id) == before


def test_the_embargo_of_the_beamtime_is_that_of_its_records() -> None:
    today = datetime.now(UTC)

    def embargo(**texts: str) -> str:
        values = {name: Value(text, "profile", "beamtime.toml") for name, text in texts.items()}
        return usual_embargo(Record("a", "A", today, parameters=values), {"embargo": "1 year"})

    tomorrow, yesterday = ((today + timedelta(days)).date().isoformat() for days in (1, -1))
    assert embargo() == "1 year"
    assert embargo(embargo="3 years") == "3 years"
    assert embargo(embargo=tomorrow) == tomorrow
    assert embargo(embargo=yesterday) == "0"
    assert embargo(embargo="3 years", opens_on=tomorrow) == tomorrow


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("licence = 'GPL-9'", "records.licence"),
        ("embargo = 'soon'", "is no span of time"),
        ("embargo = '2027-02-30'", "records.embargo"),
        ("creators = ['Lovelace, Ada 0000-0002-1825-0098']", "is no ORCID iD"),
        ("creators = 'Lovelace, Ada'", "a list of texts was expected"),
        ("funder = ['ERC']", "did you mean 'funding'"),
    ],
)
def test_a_wrong_fact_is_told_before_the_night(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "beamtime.toml").write_text(f'name = "Teeth"\n[records]\n{line}\n')
    with pytest.raises(InputError, match=said):
        read_beamtime(tmp_path)


def test_a_profile_with_facts_is_written_as_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE)
    first = read_profile(str(tmp_path / "mine.toml"))
    assert first.records.licence == "CC-BY-4.0"
    (tmp_path / "mine.toml").write_text(profile_toml(first))
    assert read_profile(str(tmp_path / "mine.toml")) == first


def test_names_that_mean_the_same() -> None:
    assert same_name("ESRF-ID19", "id19")
    assert same_name("20260001", " 20260001 ")
    assert not same_name("ID1", "ID19")
    assert not same_name("20260001", "20260002")
