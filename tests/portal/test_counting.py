"""Views and downloads are counted by COUNTER's rules: robots, ranges, double clicks and keepers change nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import crawleruseragents
import pytest

from app_client import TestClient
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.reader_tables import record_use
from tomarium.catalogue.record_use import Use, use_of
from tomarium.model import Person
from tomarium.portal import counting
from tomarium.portal.agents import agent_of
from tomarium.portal.app import create_app
from tomarium.portal.use_chart import draw_use

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
BROWSERS = (
    FIREFOX,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 "
    "Edg/142.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 "
    "Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/124.0",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
)  # fmt: skip
PROGRAMS = (
    "curl/8.5.0",
    "Wget/1.21.4",
    "aria2/1.37.0",
    "python-requests/2.32.3",
    "tomarium/0.1",
    "rclone/v1.68",
    "R (4.4.1)",
)


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("counting")
    with open_catalogue(home / "c.sqlite") as catalogue:
        for id in ("tooth", "draft"):
            make_volume(home / id / "volume.ome.zarr", size=8)
            file_record(home / id, title=id.title(), id=id)
            ingest(catalogue, home / id, reader=Reader("ada", "member"))
        edit(catalogue, LOCAL_OWNER, "tooth", Changes(licence="CC0-1.0", creators=(Person("Ada"),)))
        publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0"))
        yield catalogue


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(counting, "time", clock)
    return clock


@pytest.fixture
def catalogue(filed: Catalogue) -> Catalogue:
    with filed.writing() as connection:
        connection.execute(record_use.delete())
    return filed


def client_of(catalogue: Catalogue, reader: Reader = ANYBODY, agent: str = FIREFOX) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app, headers={"user-agent": agent})


def use(client: TestClient, id: str = "tooth") -> Use:
    client.app.state.use.flush()
    catalogue: Catalogue = client.app.state.catalogue
    with catalogue.reading() as connection:
        return use_of(connection, id)[0]


def test_foreign_lists_of_robots_are_known_as_such() -> None:
    agents = [
        one for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA for one in entry.get("instances", ())
    ]
    taken_for_people = [one for one in agents if agent_of(one) == "regular"]
    assert len(agents) > 1000
    assert len(taken_for_people) / len(agents) < 0.03, taken_for_people
    assert {agent_of(one) for one in BROWSERS} == {"regular"}
    assert {agent_of(one) for one in PROGRAMS} == {"machine"}
    assert {agent_of(one) for one in ("", " ", "Googlebot/2.1 (+http://www.google.com/bot.html)")} == {
        "robot"
    }


def test_a_crawl_by_robots_counts_nothing(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue)
    for agent in (
        "GPTBot/1.2",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "",
    ):
        for door in (
            "/records/tooth",
            "/records/tooth.json",
            "/records/tooth/files/volume.ome.zarr/zarr.json",
        ):
            assert client.get(door, headers={"User-Agent": agent}).status_code == 200
            clock.now += 100
    assert use(client) == Use()


def test_a_download_in_ten_ranges_is_one(catalogue: Catalogue, clock: Clock) -> None:
    client, door = client_of(catalogue, agent="curl/8.5.0"), "/records/tooth/download.zip"
    size = int(client.head(door).headers["content-length"])
    for part in range(10):  # slowly, so that it is no double click
        first, last = size * part // 10, size * (part + 1) // 10 - 1
        assert client.get(door, headers={"Range": f"bytes={first}-{last}"}).status_code == 206
        clock.now += 600
    assert use(client) == Use(downloads=1, takers=1, by_machines=1)
    assert client.get(door).status_code == 200  # taken once more
    assert use(client) == Use(downloads=2, takers=1, by_machines=2)


def test_many_files_of_one_record_in_a_row_are_one_download(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue, agent="python-requests/2.32")
    for _ in range(40):
        assert client.get("/records/tooth/files/volume.ome.zarr/zarr.json").status_code == 200
        clock.now += 20
    assert use(client) == Use(downloads=1, takers=1, by_machines=1)


def test_a_page_counts_in_every_language(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue)
    for browser, path in zip(BROWSERS, ("/fr/records/tooth", "/de/records/tooth"), strict=False):
        client.get(path, headers={"User-Agent": browser})
    assert use(client) == Use(views=2, visitors=2)
    client.get("/records/tooth", headers={"User-Agent": BROWSERS[0]})
    assert use(client) == Use(views=2, visitors=2)  # the same record in another language, within 30 seconds


def test_double_clicks_count_once_and_visitors_once_a_day(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue)
    for wait in (10, 29, 31, 3600):
        client.get("/records/tooth")
        clock.now += wait
    assert use(client) == Use(views=2, visitors=1)
    client.get("/records/tooth", headers={"User-Agent": BROWSERS[1]})
    assert use(client) == Use(views=3, visitors=2)
    before = client.app.state.use.visitor("1.2.3.4", FIREFOX, clock.now)
    assert before == client.app.state.use.visitor("1.2.3.4", FIREFOX, clock.now)
    clock.now += 86400  # the first of December
    client.get("/records/tooth")
    assert use(client) == Use(views=4, visitors=3)
    assert before != client.app.state.use.visitor("1.2.3.4", FIREFOX, clock.now)
    months = client.get("/statistics.json").json()["months"]
    assert [(one["month"], one["use"]["views"]) for one in months] == [("2026-12", 1), ("2026-11", 3)]


@pytest.mark.parametrize(
    "reader",
    [LOCAL_OWNER, Reader("cora", "curator"), Reader("ada", "member"), Reader("tim", "member", teams=("x",))],
)
def test_those_who_keep_a_record_are_not_counted(catalogue: Catalogue, clock: Clock, reader: Reader) -> None:
    client = client_of(catalogue, reader)
    client.get("/records/tooth")
    client.get("/records/tooth/download.zip")
    counted = reader.name == "tim"
    assert use(client) == (Use(1, 1, 1, 1, 0) if counted else Use())


def test_what_is_no_view_and_no_download_is_not_counted(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue)
    shown = {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/records/tooth/files/volume.ome.zarr/zarr.json", headers=shown).status_code == 200
    assert client.get("/records/tooth/files/none").status_code == 404
    assert client.get("/records/none").status_code == 404
    assert client.get("/records/draft").status_code == 404
    tag = client.head("/records/tooth/files/manifest-sha256.txt").headers["etag"]
    known = client.get("/records/tooth/files/manifest-sha256.txt", headers={"If-None-Match": tag})
    assert known.status_code == 304
    for door in ("/records/tooth", "/records/tooth/download.zip"):
        assert client.head(door).status_code == 200
    assert use(client) == Use()
    assert use(client, "draft") == Use()


def test_counting_at_once_loses_nothing_and_writes_in_batches(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue)
    counter: counting.UseCounter = client.app.state.use

    def visit(number: int) -> None:
        visitor = counter.visitor(f"10.0.0.{number}", FIREFOX, clock.now)
        counter.count(counting._Noted("tooth", "view", "regular", visitor, "", False), clock.now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(200)))
    with catalogue.reading() as connection:
        assert use_of(connection, "tooth")[0] == Use()  # nothing waits for the database
    assert use(client) == Use(views=200, visitors=200)


def test_reports_tell_the_same_and_only_of_what_is_seen(catalogue: Catalogue, clock: Clock) -> None:
    client = client_of(catalogue)
    client.get("/records/tooth")
    client.get("/records/tooth/download.zip")
    client.get("/records/tooth/download.zip", headers={"User-Agent": "curl/8"})
    assert use(client) == Use(views=1, downloads=2, visitors=1, takers=2, by_machines=1)
    with catalogue.writing() as connection:
        hidden = {"record": "draft", "month": "2026-11", "kind": "view", "method": "regular"}
        connection.execute(record_use.insert().values(**hidden, total=9, unique_total=9))
    rows = list(csv.DictReader(io.StringIO(client.get("/statistics.csv?begin_date=2026-11").text)))
    assert [(row["record"], row["kind"], row["method"], row["total"]) for row in rows] == [
        ("tooth", "download", "machine", "1"), ("tooth", "download", "regular", "1"), ("tooth", "view", "regular", "1"),
    ]  # fmt: skip
    report = client.get("/reports/dsr?begin_date=2026-11-01&end_date=2026-11").json()
    assert report["report_header"]["reporting_period"] == {
        "begin_date": "2026-11-01",
        "end_date": "2026-11-30",
    }
    [dataset] = report["report_datasets"]
    [month] = dataset["performance"]
    assert {(one["metric_type"], one["access_method"]): one["count"] for one in month["instance"]} == {
        ("total-dataset-investigations", "regular"): 2, ("unique-dataset-investigations", "regular"): 1,
        ("total-dataset-requests", "regular"): 1, ("unique-dataset-requests", "regular"): 1,
        ("total-dataset-investigations", "machine"): 1, ("unique-dataset-investigations", "machine"): 1,
        ("total-dataset-requests", "machine"): 1, ("unique-dataset-requests", "machine"): 1,
    }  # fmt: skip
    assert client.get("/reports/dsr?begin_date=2027-01").json()["report_datasets"] == []
    assert client.get("/reports/dsr?begin_date=2026-13").status_code == 400
    page, ours = client.get("/statistics").text, client_of(catalogue, LOCAL_OWNER)
    assert ("Draft" in page, "Tooth" in page) == (False, True)
    assert ours.get("/statistics.json").json()["total"]["views"] == 10
    assert "1 view, 2 downloads" in " ".join(client.get("/records/tooth").text.split())
    assert "2026-11" in ours.get("/records/tooth/manage").text


@pytest.mark.parametrize("most", [0, 1, 7, 10, 99, 100, 12345])
def test_the_chart_draws_every_number_to_scale(most: int) -> None:
    months = {
        f"2026-{month:02}": Use(views=most * month // 12, downloads=most // month) for month in range(1, 13)
    }
    drawn = str(draw_use(months))
    assert ("<svg" in drawn) is (most > 0)
    assert drawn.count("<rect") == (24 if most else 0)
    assert 2 <= drawn.count("chart-line") <= 7 or not most
