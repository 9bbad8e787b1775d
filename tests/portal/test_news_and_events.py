"""News and events: lists, feeds and calendars as foreign readers take them, time zones, what is not shown yet."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import feedparser
import pytest
from icalendar import Calendar
from lxml import html

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.page_texts import write_text
from tomarium.model import Person
from tomarium.portal.app import create_app

TEXTS = {
    "news/first-light": (
        "First light",
        "date: 2026-11-20\nrecord: tooth\ncredit: Ada, CC0\nsummary: A tooth.",
    ),
    "news/older": ("Older", "date: 2025-01-01"),
    "news/to-come": ("To come", "date: 2100-01-01"),
    "news/hidden": ("Hidden", "date: 2026-11-21\nrecord: embargoed\ncredit: Ada"),
    "events/school": ("School, the first; a \\ test", "starts: 2100-06-05\nends: 2100-06-07\nplace: Zürich"),
    "events/open-day": (
        "Open day",
        "starts: 2100-06-05 10:00\nends: 2100-06-05 16:30\nzone: Europe/Paris\n"
        "summary: Ein langer Tag, an dem man Strahlrohre sieht, Zähne druckt und mit allen redet, die es gebaut haben.",
    ),
    "events/winter": ("Winter", "starts: 2020-01-10 09:00\nzone: America/New_York"),
}


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("news")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        for id, embargo in (("tooth", "0"), ("embargoed", "2100-01-01")):
            make_volume(home / "records" / id / "volume.ome.zarr", size=8)
            file_record(home / "records" / id, title=f"The {id}", id=id)
            ingest(opened, home / "records" / id)
            edit(opened, LOCAL_OWNER, id, Changes(licence="CC0-1.0", creators=(Person("Lovelace, Ada"),)))
            publish(opened, LOCAL_OWNER, id, Request(embargo=embargo))
        for name, (title, head) in TEXTS.items():
            write_text(opened, LOCAL_OWNER, name, "en", f"---\ntitle: {title}\n{head}\n---\nMore.\n", seen=0)
        french = "---\ntitle: Première lumière\ndate: 2026-11-20\n---\nUne dent.\n"
        write_text(opened, LOCAL_OWNER, "news/first-light", "fr", french, seen=0)
        papers = {
            "growth": {
                "type": "paper",
                "year": "2025",
                "authors": "Lovelace, Ada",
                "members": "tooth",
                "paper_doi": "10.1038/a",
            },
            "bears": {"type": "Article", "year": "2014", "authors": "Röntgen, Wilhelm"},
            "no-paper": {"type": "lesson", "year": "2020"},
        }
        for id, facts in papers.items():
            make_entity(opened, LOCAL_OWNER, "document", f"About {id}", facts, id)
            publish_entity(opened, LOCAL_OWNER, id)
        yield opened


def client_of(catalogue: Catalogue, reader: Reader) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app)


@pytest.fixture(scope="module")
def anybody(catalogue: Catalogue) -> TestClient:
    return client_of(catalogue, Reader())


def test_news_come_on_their_day(anybody: TestClient, catalogue: Catalogue) -> None:
    titles = [one["title"] for one in anybody.get("/news.json").json()["news"]]
    assert titles == ["Hidden", "First light", "Older"]
    assert anybody.get("/news/to-come").status_code == 404
    curator = client_of(catalogue, Reader("cora", "curator"))
    assert "not shown yet" in curator.get("/news/to-come").text
    assert curator.get("/news.json").json()["news"][0]["title"] == "To come"
    assert [one["title"] for one in anybody.get("/fr/news.json").json()["news"]][1] == "Première lumière"
    home = html.fromstring(anybody.get("/").text)
    assert home.xpath("//section[@aria-labelledby='news']//h3/a/@href") == [
        "/news/hidden",
        "/news/first-light",
        "/news/older",
    ]


def test_a_picture_is_shown_where_its_files_are_open(anybody: TestClient) -> None:
    page = anybody.get("/news/first-light").text
    assert "/records/tooth/files/previews/thumbnail.png" in page
    assert "Picture: Ada, CC0" in page
    hidden = anybody.get("/news/hidden").text
    assert "thumbnail" not in hidden
    assert "/records/embargoed" in hidden


def test_the_feed_of_news_is_read_by_others(anybody: TestClient) -> None:
    read = feedparser.parse(anybody.get("/news.atom").content)
    assert not read.bozo
    assert [one.title for one in read.entries] == ["Hidden", "First light", "Older"]
    assert [one.id for one in read.entries][1] == "http://testserver/news/first-light"
    assert read.entries[1].published == "2026-11-20T00:00:00Z"
    french = feedparser.parse(anybody.get("/news.atom?language=fr").content)
    assert french.entries[1].title == "Première lumière"
    assert french.feed.id != read.feed.id


def test_calendars_are_read_by_others(anybody: TestClient) -> None:
    answer = anybody.get("/events.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in answer.content.split(b"\r\n"))
    found = {
        str(one["UID"]).partition("@")[0]: one for one in Calendar.from_ical(answer.content).walk("VEVENT")
    }
    assert set(found) == {"school", "open-day", "winter"}
    paris = datetime(2100, 6, 5, 8, 0, tzinfo=UTC)  # 10:00 in summer
    assert found["open-day"].decoded("DTSTART") == paris
    assert found["open-day"].decoded("DTEND") == paris + timedelta(hours=6, minutes=30)
    assert found["winter"].decoded("DTSTART") == datetime(2020, 1, 10, 14, 0, tzinfo=UTC)
    assert found["school"].decoded("DTSTART") == date(2100, 6, 5)
    assert found["school"].decoded("DTEND") == date(2100, 6, 8)  # the first day on which it is over
    assert str(found["school"]["SUMMARY"]) == "School, the first; a \\ test"
    assert str(found["school"]["LOCATION"]) == "Zürich"
    assert str(found["open-day"]["DESCRIPTION"]) == TEXTS["events/open-day"][1].rpartition("summary: ")[2]
    one = Calendar.from_ical(anybody.get("/events/school.ics").content).walk("VEVENT")
    assert [str(each["URL"]) for each in one] == ["http://testserver/events/school"]
    assert anybody.get("/events/nothing.ics").status_code == 404


def test_events_to_come_and_past_ones(anybody: TestClient) -> None:
    listed = anybody.get("/events.json").json()
    assert [one["title"] for one in listed["coming"]] == ["Open day", "School, the first; a \\ test"]
    assert [one["title"] for one in listed["past"]] == ["Winter"]
    assert listed["coming"][0]["when"] == "5 June 2100, 10:00 to 16:30 (Europe/Paris)"
    assert listed["coming"][0]["starts"] == "2100-06-05T10:00:00+02:00"
    assert anybody.get("/fr/events.json").json()["coming"][1]["when"] == "5 juin 2100 au 7 juin 2100"
    assert (
        anybody.get("/de/events/open-day.json")
        .json()["event"]["when"]
        .startswith("5. Juni 2100, 10:00 bis 16:30")
    )


def test_publications_are_sorted_and_filtered_by_their_address(anybody: TestClient) -> None:
    def titles(query: str) -> list[str]:
        return [one["title"] for one in anybody.get(f"/publications.json{query}").json()["publications"]]

    assert titles("") == ["About growth", "About bears"]
    assert titles("?sort=oldest") == titles("?sort=title") == ["About bears", "About growth"]
    assert titles("?year=2014") == titles("?q=rontgen") == ["About bears"]
    assert titles("?data=true") == titles("?q=10.1038") == ["About growth"]
    assert titles("?q=nothing") == []
    assert anybody.get("/publications?sort=colour").status_code == 400
    used = anybody.get("/publications.json").json()["publications"][0]["used"]
    assert [(one["title"], one["address"]) for one in used] == [("The tooth", "/records/tooth")]


def test_search_engines_are_told_each_language(anybody: TestClient) -> None:
    told = anybody.get("/sitemap.xml").text
    for path in ("/pages/faq", "/fr/pages/faq", "/de/pages/faq", "/news/first-light", "/fr/news/first-light"):
        assert f"<loc>http://testserver{path}</loc>" in told
    assert "/de/news/first-light" not in told
    assert "to-come" not in told
