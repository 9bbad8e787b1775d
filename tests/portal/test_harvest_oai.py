"""Harvesting by OAI-PMH: one instance another, and repositories that are slow, down or wrong."""

import re
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from click.testing import CliRunner

from app_client import TestClient
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    search,
)
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.harvest_sources import Source, all_sources, note
from tomarium.catalogue.harvested import HarvestCounts, Item, harvested_item
from tomarium.catalogue.jobs import is_any_due
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.work import do_jobs
from tomarium.cli import execute
from tomarium.cli.harvest import command
from tomarium.errors import FormatError, InputError, Interrupted
from tomarium.model import Part, Person, Value
from tomarium.portal.app import create_app
from tomarium.portal.client import Limits
from tomarium.portal.harvest_jobs import ask_for_due, harvest, harvest_kinds
from tomarium.portal.harvests import oai
from tomarium.portal.harvests.oai import harvest_file, known_source
from tomarium.portal.harvests.oai_items import read_item
from tomarium.portal.harvests.oai_reply import read_reply

ADA = Reader("ada", "member")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "here.sqlite") as opened:
        yield opened


def items(catalogue: Catalogue) -> dict[str, Item]:
    """What is kept, by the last part of its identifier at the source."""
    with catalogue.reading() as connection:
        found = search(catalogue, ANYBODY, limit=100, elsewhere=True).hits
        kept = [harvested_item(connection, hit.id) for hit in found if hit.source]
    return {one.item.identifier.rpartition(":")[2]: one.item for one in kept if one is not None}


def state(catalogue: Catalogue) -> Source:
    with catalogue.reading() as connection:
        (known,) = all_sources(connection)
    return known


# --- Two instances of tomarium. --------------------------------------------------------------------------------------


@dataclass
class There:
    """Another instance, which a server serves, and how a record is made there."""

    catalogue: Catalogue
    address: str
    records: Path

    def make(self, id: str, embargo: str = "0") -> None:
        folder = self.records / id
        folder.mkdir(parents=True)
        (folder / "scan.dat").write_bytes(id.encode())
        where = {"instrument": Value("ID19 <x>", "read", ""), "facility": Value("ESRF", "read", "")}
        made = datetime(2019, 5, 4, tzinfo=UTC)
        file_record(folder, title=f"Bear & {id}", id=id, created=made, parameters=where,
                    description="A femur at 20 keV.", parts=(Part("projections", "scan.dat"),))  # fmt: skip
        ingest(self.catalogue, folder, reader=ADA)
        told = Changes(
            licence="CC-BY-4.0",
            creators=(Person("Lovelace, Ada"),),
            keywords=("bone",),
            techniques=("PaNET01207",),
        )
        edit(self.catalogue, ADA, id, told)
        if embargo != "draft":
            publish(self.catalogue, LOCAL_OWNER, id, Request(embargo=embargo))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    home = tmp_path_factory.mktemp("there")
    with (
        open_catalogue(home / "catalogue.sqlite") as opened,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        config = uvicorn.Config(create_app(opened), log_level="critical", access_log=False)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield There(opened, f"http://127.0.0.1:{listener.getsockname()[1]}/oai", home / "records")
        running.should_exit = True
        thread.join()


def test_what_happens_there_is_known_here_after_one_harvest(
    there: There, here: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=30)
    for id, embargo in (("open", "0"), ("closed", f"{day}"), ("wrong", "0"), ("draft", "draft")):
        there.make(id, embargo)
    source = known_source(here, there.address)
    assert source.title == "tomarium"
    first = harvest(here, source)
    assert (first.kept.added, first.whole, first.notes) == (3, True, ())
    kept = items(here)
    assert set(kept) == {"open", "closed", "wrong"}
    one = kept["open"]
    assert (one.title, one.description, one.created) == ("Bear & open", "A femur at 20 keV.", "2019-05-04")
    assert (one.creators, one.keywords, one.techniques) == (("Lovelace, Ada",), ("bone",), ("PaNET01207",))
    assert (one.licence, one.instrument, one.facility) == ("CC-BY-4.0", "ID19 <x>", "ESRF")
    assert (one.access, one.opens) == ("open", "")
    assert one.bytes > 4  # with what belongs to a record
    assert one.address == there.address.replace("/oai", "/records/open")
    assert (kept["closed"].access, kept["closed"].opens) == ("embargoed", f"{day}")

    assert harvest(here, state(here)).kept == HarvestCounts(same=3)  # those of the last minute are told again
    there.make("new")
    edit(there.catalogue, ADA, "open", Changes(title="Bear, shaved"))
    withdraw(there.catalogue, LOCAL_OWNER, "wrong", "the wrong bear")
    second = harvest(here, state(here)).kept
    assert (second.added, second.changed, second.deleted) == (1, 1, 1)
    kept = items(here)
    assert set(kept) == {"open", "closed", "new"}
    assert kept["open"].title == "Bear, shaved"
    assert not search(here, ANYBODY, "wrong", elsewhere=True).hits

    # Thirty-one days later, and nobody did anything.
    later, real = time.time() + 31 * 86_400, time.time
    start = real()
    monkeypatch.setattr("tomarium.catalogue.reader.time.time", lambda: later + real() - start)
    third = harvest(here, state(here)).kept
    assert (third.added, third.changed, third.deleted) == (0, 1, 0)
    assert (items(here)["closed"].access, items(here)["closed"].opens) == ("open", "")


def test_what_is_harvested_is_shown_with_its_source_and_given_to_nobody_else(
    there: There, here: Catalogue
) -> None:
    there.make("shown", "1 years")
    harvest(here, known_source(here, there.address, title="Bears & co"))
    with TestClient(create_app(here)) as client:
        (hit,) = client.get("/records.json?q=shown").json()["hits"]
        assert (hit["source"], hit["opens"][:2]) == ("Bears & co", "20")
        page = client.get(hit["page"])
        assert "Under embargo until" in page.text
        assert "Bears &amp; co" in page.text
        assert "noRecordsMatch" in client.get("/oai?verb=ListRecords&metadataPrefix=oai_dc").text


def test_a_worker_harvests_what_is_due(there: There, here: Catalogue) -> None:
    there.make("due")
    source = known_source(here, there.address, every_s=3600.0)
    ask_for_due(here)
    ask_for_due(here)  # it is asked for already
    told: list[str] = []
    assert do_jobs(here, told.append, harvest_kinds())
    assert len(told) == 1
    assert "new" in told[0]
    assert "due" in items(here)
    ask_for_due(here)
    assert not is_any_due(here, ())
    with here.writing() as connection:
        note(connection, source.number, started_utc=time.time() - 4000)
    ask_for_due(here)
    assert is_any_due(here, ())


def test_the_administration_lists_sources_and_asks_for_harvests(there: There, here: Catalogue) -> None:
    source = known_source(here, there.address, title="Bears <b>", every_s=86_400.0)
    with here.writing() as connection:
        note(connection, source.number, error="the portal does not answer", token="x")
    with TestClient(create_app(here, local=True)) as client:
        (row,) = client.get("/admin/sources.json").json()["sources"]
        assert (row["title"], row["every"], row["goes_on"], row["read"]) == (
            "Bears <b>",
            "every day",
            True,
            "",
        )
        page = client.get("/admin/sources").text
        assert "Bears &lt;b&gt;" in page
        assert "the portal does not answer" in page
        sent = client.post("/admin/sources", data={"source": str(source.number)})
        assert "the next worker harvests it" in sent.text
        assert client.post("/admin/sources", data={"source": "77"}).status_code == 422
    told: list[str] = []
    assert do_jobs(here, told.append, harvest_kinds())
    assert state(here).error == ""


# --- Repositories that are slow, down or wrong. ----------------------------------------------------------------------

IDENTIFY = (
    "<Identify><repositoryName>Odd</repositoryName><granularity>YYYY-MM-DDThh:mm:ssZ</granularity>"
    "<deletedRecord>{deletions}</deletedRecord></Identify>"
)
FORMATS = (
    "<ListMetadataFormats><metadataFormat><metadataPrefix>oai_dc</metadataPrefix></metadataFormat>"
    "</ListMetadataFormats>"
)


def envelope(content: str, moment: str = "2026-11-20T12:00:00Z") -> bytes:
    return (
        f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>{moment}</responseDate>'
        f"<request>http://odd/oai</request>{content}</OAI-PMH>"
    ).encode()


def part(numbers: range, token: str = "") -> bytes:
    told = "".join(
        f"<record><header><identifier>oai:odd:{n}</identifier><datestamp>2026-11-20</datestamp></header><metadata>"
        f'<dc xmlns="http://www.openarchives.org/OAI/2.0/oai_dc/"><title xmlns="http://purl.org/dc/elements/1.1/">'
        f"Tooth {n}</title></dc></metadata></record>"
        for n in numbers
    )
    return envelope(f"<ListRecords>{told}<resumptionToken>{token}</resumptionToken></ListRecords>")


@dataclass
class Odd:
    """A repository that answers a list as it is told to, and what it was asked."""

    address: str
    answers: list[tuple[int, dict[str, str], bytes] | str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    deletions: str = "persistent"


@pytest.fixture
def odd() -> Iterator[Odd]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            if told.get("verb") == "Identify":
                self.answer(200, {}, envelope(IDENTIFY.format(deletions=repository.deletions)))
            elif told.get("verb") == "ListMetadataFormats":
                self.answer(200, {}, envelope(FORMATS))
            else:
                repository.asked.append(told)
                answer = repository.answers.pop(0)
                if answer == "hang up":
                    self.close_connection = True
                elif isinstance(answer, str):
                    time.sleep(float(answer))
                    self.close_connection = True
                else:
                    self.answer(*answer)

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, text in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    repository = Odd(f"http://127.0.0.1:{server.server_port}/oai")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield repository
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait for nothing, and tell how long it would have been."""
    told: list[float] = []
    monkeypatch.setattr("tomarium.portal.client._sleep", told.append)
    return told


def good(content: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, content


def test_a_harvest_goes_on_where_it_was_interrupted(odd: Odd, here: Catalogue, waits: list[float]) -> None:
    odd.answers = [good(part(range(3), "two")), good(part(range(3, 6), "three")), *["hang up"] * oai.TRIES]
    source = known_source(here, odd.address)
    with pytest.raises(Interrupted, match="does not answer"):
        harvest(here, source)
    assert (len(odd.asked), len(waits)) == (2 + oai.SILENCES, oai.SILENCES - 1)
    assert len(items(here)) == 6
    assert "does not answer" in state(here).error
    assert (
        search(here, ANYBODY, "tooth", elsewhere=True).total == 6
    )  # a repository that is down stops no search
    odd.answers, odd.asked = [good(part(range(6, 8)))], []
    found = harvest(here, state(here))
    assert odd.asked == [{"verb": "ListRecords", "resumptionToken": "three"}]
    assert (found.kept.added, len(items(here)), found.whole) == (2, 8, True)
    assert (state(here).error, state(here).response_date) == ("", "2026-11-20T12:00:00Z")
    odd.answers, odd.asked = [good(envelope('<error code="noRecordsMatch"/>', "2026-11-21T00:00:00Z"))], []
    harvest(here, state(here))
    assert odd.asked[0]["from"] == "2026-11-20T11:59:00Z"
    assert len(items(here)) == 8


def test_a_repository_that_forgets_its_list_is_read_again(odd: Odd, here: Catalogue) -> None:
    bad = good(envelope('<error code="badResumptionToken">expired</error>'))
    odd.answers = [good(part(range(3), "two")), bad, good(part(range(4)))]
    found = harvest(here, known_source(here, odd.address))
    assert (len(items(here)), found.kept.same) == (4, 3)
    assert "forgot" in found.notes[0]
    odd.answers = [good(part(range(3), "two")), bad, good(part(range(3), "two")), bad]
    with pytest.raises(InputError, match="forgets where its list goes on"):
        harvest(here, state(here))
    assert len(items(here)) == 4


def test_it_is_waited_as_long_as_the_repository_asks(odd: Odd, here: Catalogue, waits: list[float]) -> None:
    busy = (503, {"Retry-After": "77"}, b"")
    late = (503, {"Retry-After": "99999999"}, b"")
    odd.answers = [busy, late, good(part(range(1)))]
    assert harvest(here, known_source(here, odd.address)).kept.added == 1
    assert waits == [77.0, oai.LONGEST_WAIT_S]


def test_what_it_does_not_list_any_more_goes_after_a_whole_list(odd: Odd, here: Catalogue) -> None:
    odd.deletions = "no"
    odd.answers = [good(part(range(5)))]
    found = harvest(here, known_source(here, odd.address))
    assert "--again" in found.notes[0]
    odd.answers = [good(part(range(2)))]
    assert harvest(here, state(here)).kept.deleted == 0  # a part of the list says nothing of the rest
    odd.answers = [good(part(range(2)))]
    assert harvest(here, state(here), again=True).kept.deleted == 3
    assert set(items(here)) == {"0", "1"}


WRONG: dict[str, tuple[bytes, str]] = {
    "no XML": (b"<html><body>Hello<br>", "is no XML"),
    "something else": (b"<html/>", "no answer of OAI-PMH"),
    "a document type": (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><OAI-PMH>&b;</OAI-PMH>',
        "document type",
    ),
    "an error": (envelope('<error code="badArgument">no</error>'), "refused the list: badArgument"),
    "a token for ever": (part(range(1), "again"), "gave one resumptionToken twice"),
    "an encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', "is no XML"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_read_is_said_and_noted(odd: Odd, here: Catalogue, wrong: str) -> None:
    content, said = WRONG[wrong]
    odd.answers = [good(content)] * 3
    with pytest.raises(InputError, match=said):
        harvest(here, known_source(here, odd.address))
    assert said in state(here).error


def test_too_much_and_too_slow_are_given_up(
    odd: Odd, here: Catalogue, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oai, "LIMITS", Limits(silent_s=120.0, whole_s=120.0, bytes=10_000))
    monkeypatch.setattr(oai, "TRIES", 2)
    source = known_source(here, odd.address)
    odd.answers = [good(part(range(1000)))] * 2
    with pytest.raises(Interrupted, match="longer than 10000 bytes"):
        harvest(here, source)
    monkeypatch.setattr(oai, "LIMITS", Limits(silent_s=0.2, whole_s=5.0, bytes=10_000))
    odd.answers = ["1", "1"]
    with pytest.raises(Interrupted, match="timed out"):
        harvest(here, source)


def test_control_characters_and_strange_records_spoil_nothing_else(odd: Odd, here: Catalogue) -> None:
    strange = (
        b"<record><header><identifier>oai:odd:mods</identifier></header>"
        b"<metadata><mods xmlns='urn:m'/></metadata></record>"
        b"<record><header/></record>"
    )
    content = (
        part(range(2))
        .replace(b"Tooth 1", b"Tooth\x0b 1")
        .replace(b"<resumptionToken>", strange + b"<resumptionToken>")
    )
    odd.answers = [good(content)]
    found = harvest(here, known_source(here, odd.address))
    assert len(found.kept.problems) == 2
    assert items(here)["1"].title == "Tooth 1"


# --- Files, and the command. -----------------------------------------------------------------------------------------


def test_real_answers_are_read(shared: Callable[[str], Path], here: Catalogue) -> None:
    source, found = harvest_file(here, shared("catalogue/oai/ListRecords.xml"), title="A list")
    assert (source.title, found.kept.added) == ("A list", 1)
    assert "ListRecords2.xml" in found.notes[0]
    one = items(here)["1585322"]
    assert (one.title, one.created, one.creators) == ("Sample Title", "2010", ("John Doe",))
    assert one.address == "http://test.example.com/publication/1585322"
    record = read_reply(shared("catalogue/oai/GetRecord.xml").read_bytes(), "x").records[0]
    assert read_item(record).identifier == "oai:test.example.com:1996652"
    with pytest.raises(InputError, match="badResumptionToken"):
        harvest_file(here, shared("catalogue/oai/badResumptionToken.xml"))
    assert len(items(here)) == 1


def test_the_command_harvests_lists_and_forgets(odd: Odd, tmp_path: Path) -> None:
    place = ["--catalogue", str(tmp_path / "c.sqlite")]
    run = CliRunner().invoke
    odd.answers = [good(part(range(3)))]
    done = run(command, ["oai", odd.address, "--every", "day", *place])
    assert (done.exit_code, done.output.strip().splitlines()[-1]) == (
        0,
        "Odd: 3 new, 0 changed, 0 as before, 0 gone",
    )
    listed = run(command, place)
    assert "Odd  oai  3 records, as of 20" in listed.output
    assert "No source is due" in run(command, ["--all", *place]).output
    odd.answers = [good(b"junk")]
    again = run(command, ["--all", "--again", *place])
    assert (again.exit_code, "is no XML" in again.output) == (1, True)
    assert "is no XML" in run(command, place).output
    assert "forgotten, with 3 records" in run(command, ["--forget", "Odd", *place]).output
    assert "No other catalogue is harvested" in run(command, place).output


def test_the_guide_does_what_it_says(
    there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of its commands is run, against the other instance where it names one."""
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "harvest-and-be-harvested.md"
    there.make("tooth")
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    open_catalogue(tmp_path / "catalogue.sqlite").close()
    blocks = re.findall(r"^```bash\n(.*?)^```", guide.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line for line in "".join(blocks).splitlines() if line.startswith("tomarium ")]
    assert {line.split()[1] for line in lines} == {"settings", "harvest", "worker", "follow"}
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        own = words[0] == "settings"
        asked = [
            word if own else word.replace("https://data.example.org", there.address[:-4]) for word in words
        ]
        assert execute(asked) == 0, (line, capsys.readouterr().err)
        assert capsys.readouterr().out.strip() or words[0] in ("settings", "worker"), line
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        assert (
            search(opened, ANYBODY, "tooth", elsewhere=True).total == 1
        )  # it is in both sources, and stands once
    assert (tmp_path / "tooth-metadata" / "followed.json").is_file()


def test_an_answer_that_is_none_is_refused() -> None:
    with pytest.raises(FormatError, match="begins with 'hello'"):
        read_reply(b"hello", "x")
