"""The site of files: every link leads somewhere, nothing that is not open is in it, and what is unchanged is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

import pytest
import zarr
from click.testing import CliRunner

from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.errors import InputError
from tomarium.model import Person, Value
from tomarium.portal.site import build
from tomarium.portal.site.build import Built, build_site

PRIVATE = {"emb-17": "Zebra", "dra-17": "Yak", "wit-17": "Walrus"}


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("site")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        for id, title in {"tooth": "Tooth", "femur": "Fémur", **PRIVATE}.items():
            folder = home / "records" / id
            make_volume(folder / "volume.ome.zarr", size=16)
            (folder / "protocol.yaml").write_text("steps: []\n")
            file_record(
                folder,
                title=title,
                id=id,
                created=datetime(2026, 11, 20, tzinfo=UTC),
                keywords=("enamel",),
                parameters={"pixel_m": Value(0.65e-6, "read", "t.h5"), "energy_kev": Value(20.0, "read", "")},
            )
            ingest(opened, folder)
            make_entity(opened, LOCAL_OWNER, "specimen", f"{title} cabinet", {}, f"of-{id}")
            made = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),), specimen=f"of-{id}")
            edit(opened, LOCAL_OWNER, id, made)
        for id in ("tooth", "femur", "wit-17"):
            publish(opened, LOCAL_OWNER, id, Request(embargo="0"))
        publish(opened, LOCAL_OWNER, "emb-17", Request(embargo="3 years"))
        withdraw(opened, LOCAL_OWNER, "wit-17", "the wrong bear")
        yield opened


@pytest.fixture(scope="module")
def site(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    out = tmp_path_factory.mktemp("out") / "www"
    return out, build_site(catalogue, out, files="all", level=1)


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action", "poster")]
        self.found += [value or "" for name, value in attrs if name == "data-volume"]
        self.ids |= {value or "" for name, value in attrs if name == "id"}


def dead_links(out: Path) -> list[str]:
    """Name every link of every page that leads to nothing in the site, or to the portal."""
    dead = []
    pages = {path.relative_to(out).as_posix(): Links(path.read_text()) for path in out.rglob("*.html")}
    for page, links in pages.items():
        for address in links.found:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if "static-site" in address or "localhost" in address or "127.0.0.1" in address:
                    dead.append(f"{page}: {address}")
                continue
            path = normpath(join(dirname(page), unquote(parts.path))) if parts.path else page
            if (
                address.startswith("/")
                or not (out / path).is_file()
                or (parts.fragment and path in pages and parts.fragment not in pages[path].ids)
            ):
                dead.append(f"{page}: {address}")
    return dead


def test_every_link_leads_to_a_file_of_the_site(site: tuple[Path, Built]) -> None:
    out, told = site
    assert told.problems == []
    assert dead_links(out) == []
    assert told.records == 2
    assert told.pages == len(list(out.rglob("*.html"))) >= 10


def test_what_is_linked_is_there(site: tuple[Path, Built]) -> None:
    out, _ = site
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    for id in ("tooth", "femur"):
        assert f'href="records/{id}/index.html"' in (out / "index.html").read_text()
        assert {
            f"records/{id}/index.html",
            f"records/{id}.json",
            f"records/{id}/metadata/datacite.xml",
            f"records/{id}/pictures/slices/z-6.png",
            f"records/{id}/pictures/look/volume.u8",
            f"records/{id}/pictures/look/still.png",
            f"records/{id}/files/protocol.yaml",
            f"specimens/of-{id}/index.html",
        } <= names
    page = (out / "records/tooth/index.html").read_text()
    assert 'src="pictures/slices/z-6.png"' in page
    assert "<textarea" not in page
    assert "Open in Neuroglancer" not in page
    assert "zarr.open" not in page


def test_pages_of_text_are_there_in_each_language(site: tuple[Path, Built]) -> None:
    out, _ = site
    for language in ("", "fr/", "de/"):
        for name in (
            "index",
            "pages/index",
            "pages/faq/index",
            "news/index",
            "publications/index",
            "pages/tomography/pupil",
        ):
            page = (out / f"{language}{name}.html").read_text()
            assert f'<html lang="{language.strip("/") or "en"}">' in page
            assert ('hreflang="fr"' in page) is not name.endswith(
                "pupil"
            )  # levels are no pages for search engines
        assert (out / f"{language}pages/faq.json").is_file()
    assert 'href="../../../records/index.html"' in (out / "fr/pages/catalogue/index.html").read_text()
    record = (out / "records/tooth/index.html").read_text()
    assert 'hreflang="fr"' not in record  # records are there once
    assert not (out / "fr/records").exists()


def test_each_record_is_there_for_pupils_and_students_too(site: tuple[Path, Built]) -> None:
    out, _ = site
    pupil, student, all_of_it = (
        (out / f"records/tooth/{name}.html").read_text() for name in ("pupil", "student", "index")
    )
    assert "How to look" in pupil
    assert "How to look" not in student + all_of_it
    assert 'id="parameters"' in student
    for page in (pupil, student, all_of_it):
        for name in ("pupil", "student", "index"):
            assert f'<a href="{name}.html"' in page
    assert 'href="../../glossary/pupil.html#voxel"' in pupil
    assert 'href="../../glossary/index.html#voxel"' in all_of_it
    assert "More in Withers" not in (out / "glossary/pupil.html").read_text()
    assert "level=" not in pupil
    assert 'href="worksheet/pupil.html"' in pupil
    assert "Count the slices" in (out / "records/tooth/worksheet/student.html").read_text()


def test_lists_are_there_once(site: tuple[Path, Built]) -> None:
    out, _ = site
    for name in ("index.html", "records/index.html"):
        page = (out / name).read_text()
        assert "Shown for" not in page
        assert 'href="records/tooth/index.html"' in page or 'href="tooth/index.html"' in page


def test_nothing_that_is_not_open_is_in_any_byte(site: tuple[Path, Built]) -> None:
    out, _ = site
    told = [word.encode() for pair in PRIVATE.items() for word in pair]
    for path in out.rglob("*"):
        assert not any(word.decode() in path.as_posix() for word in told)
        if path.is_file():
            content = path.read_bytes()
            assert [word for word in (*told, b"static-site.invalid") if word in content] == [], path


def test_json_and_metadata_have_relative_addresses(site: tuple[Path, Built]) -> None:
    out, _ = site
    listed = json.loads((out / "records.json").read_text())
    assert [(out / hit["page"]).is_file() for hit in listed["hits"]] == [True, True]
    assert [(out / hit["thumbnail"]).is_file() for hit in listed["hits"]] == [True, True]
    told = json.loads((out / "records/tooth.json").read_text())
    assert (out / "records" / told["viewers"]["slices"]["data"]["planes"]["z"]["picture"]).is_file()
    assert all((out / "records" / one["address"]).is_file() for one in told["exports"])
    assert not re.search(r'"/records', json.dumps(told))


def test_a_volume_is_there_from_the_level_on_and_opens(
    site: tuple[Path, Built], catalogue: Catalogue
) -> None:
    out, _ = site
    volume = zarr.open_group(out / "records/tooth/volume-level-1.ome.zarr", mode="r")
    whole = zarr.open_group(catalogue.home / "records/tooth/volume.ome.zarr", mode="r")
    scales = volume.attrs["ome"]["multiscales"][0]["datasets"]
    assert [one["path"] for one in scales] == ["1"]
    assert list(volume) == ["1"]
    assert (volume["1"][:] == whole["1"][:]).all()


def test_a_second_run_writes_nothing_and_removes_what_is_no_longer_asked(
    catalogue: Catalogue, site: tuple[Path, Built]
) -> None:
    out, first = site
    changed = {path: path.stat().st_mtime_ns for path in (out / "records").rglob("*")}
    again = build_site(catalogue, out, files="all", level=1)
    assert (again.written, again.kept, again.removed) == (0, first.written, 0)
    assert {path: path.stat().st_mtime_ns for path in (out / "records").rglob("*")} == changed
    (out / "records/femur/index.html").write_text("cut o")
    mended = build_site(catalogue, out, files="none")
    assert dead_links(out) == []
    assert mended.removed > 10
    assert not list((out / "records").rglob("*.png"))
    assert "</html>" in (out / "records/femur/index.html").read_text()


def test_a_folder_that_holds_something_else_is_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"is not empty and holds no site.*give a new or an empty folder"):
        build_site(catalogue, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match="is no address"):
        build_site(catalogue, tmp_path / "www", address="example.org")


def test_by_the_command_with_an_address_there_is_a_feed_and_a_sitemap(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tomarium.cli.site import command

    monkeypatch.setattr(build, "LIMIT", 1)  # two pages of records
    asked = ["build", str(tmp_path / "www"), "--catalogue", catalogue.name, "--with-files", "none"]
    done = CliRunner().invoke(command, [*asked, "--address", "https://example.org/tomograms"])
    assert done.exit_code == 0, done.output
    assert "2 open records" in done.output
    assert "left out: 1 under embargo and " in done.output
    assert (
        "https://example.org/tomograms/records/tooth/"
        in (tmp_path / "www/records/tooth/index.html").read_text()
    )
    sitemap = (tmp_path / "www/sitemap.xml").read_text()
    assert "<loc>https://example.org/tomograms/records/tooth/</loc>" in sitemap
    assert "emb-17" not in sitemap
    feed = (tmp_path / "www/feed.atom").read_text()
    assert 'href="https://example.org/tomograms/records/femur/"' in feed
    assert "Zebra" not in feed
    assert dead_links(tmp_path / "www") == []
    assert 'href="page-2.html"' in (tmp_path / "www/records/index.html").read_text()
    assert 'href="index.html"' in (tmp_path / "www/records/page-2.html").read_text()
