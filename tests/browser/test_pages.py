"""The pages in a real browser: nothing goes wrong, they fit a phone, and who cannot see or point can use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chromium import wait_for, wait_for_layout, wait_until, width
from specimen_links import link
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.audit import note
from tomarium.catalogue.disk_use import change_quota
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity, publish_entity
from tomarium.catalogue.import_publications import import_works
from tomarium.catalogue.jobs import add_job, end_job
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.log_book import change_entry, entries_of, write_entry
from tomarium.catalogue.mail_queue import queue_mail
from tomarium.catalogue.parcels import make_parcel, tell_of_parcel
from tomarium.catalogue.record_use import Counted, add_use
from tomarium.catalogue.settings import change_setting
from tomarium.standards.works import Work


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], serving: Callable[..., Any]
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("pages")
    make_volume(home / "tooth" / "volume.ome.zarr")
    file_record(home / "tooth", title="Tooth", id="tooth", created=datetime(2026, 11, 20, tzinfo=UTC))
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        with catalogue.writing() as connection:
            number = add_job(connection, LOCAL_OWNER, "make records", {"batch": "a" * 32})
            note(connection, LOCAL_OWNER, "edit", "tooth", told=["title"])
            change_quota(connection, LOCAL_OWNER, "team", "bones", 10**12)
        end_job(catalogue, number, "failed", "scan.h5: truncated file; send it again")
        describe(catalogue)
        with serving(catalogue) as address:
            yield address


USE = (("view", 120), ("download", 7))


def describe(catalogue: Catalogue) -> None:
    """Say that the record is of a section of a block of an organ, and what belongs to it."""
    owner = LOCAL_OWNER
    organ = {
        "taxon": "Homo sapiens",
        "taxon_authority": "Linnaeus, 1758",
        "age": "63 years",
        "organ": "Heart",
    }
    organ |= {"taxon_synonyms": "Homo diluvii; Homo wadjakensis", "institution": "Anatomy of the Alps"}
    organ |= {
        "institution_ror": "https://ror.org/02rx3b187",
        "description": "Whole heart, fixed in formalin.",
    }
    make_entity(catalogue, owner, "specimen", "Heart of donor 27", organ, "heart-27")
    make_entity(catalogue, owner, "specimen", "Block of the left ventricle", {}, "heart-27-block")
    make_entity(catalogue, owner, "specimen", "Section for microscopy", {}, "heart-27-section")
    link_specimen(catalogue, owner, "heart-27-block", "heart-27", "section")
    link_specimen(catalogue, owner, "heart-27-section", "heart-27-block", "polished")
    team = {"number": "MD-1290", "team": "Lovelace, Ada 0000-0002-1825-0097; Röntgen, Wilhelm"}
    make_entity(catalogue, owner, "proposal", "Hearts in health", team, "md-1290")
    make_entity(catalogue, owner, "instrument", "BM18", {"facility": "ESRF"}, "bm18")
    edit(
        catalogue,
        owner,
        "tooth",
        Changes(specimen="heart-27-section", proposal="md-1290", instrument="bm18"),
    )
    file_link(catalogue, owner, link("records/tooth", "specimens/heart-27-section"))
    members = {"members": "tooth; heart-27; md-1290", "curators": "Lovelace, Ada", "description": "The best."}
    make_entity(catalogue, owner, "collection", "Hearts", members, "hearts")
    publish_entity(catalogue, owner, "hearts")
    import_works(catalogue, owner, [Work("How hearts beat", "paper", doi="10.1000/beat")], data=["tooth"])
    add_use(catalogue, {Counted("tooth", "2026-11", kind, "regular"): (number, 3) for kind, number in USE})
    with catalogue.writing() as connection:
        queue_mail(connection, "letter", "ada@example.org", {"subject": "Hello", "text": "Ada"})
        change_setting(connection, "curators_choice", "hearts")
    for subject in ("proposals/md-1290", "records/tooth"):
        said = "Beam lost at **14:20**, scan repeated, see [the page](https://example.org/beam)"
        write_entry(catalogue, owner, subject, said)
        with catalogue.reading() as connection:
            number = entries_of(connection, owner, subject)[0].number
        change_entry(catalogue, owner, subject, number, f"{said}:\n\n- flats anew\n- `motor` at 12.3 mm")
        table = "| motor | mm |\n|---|---|\n| sx | 12.30 |\n| sz | 0.55 |"
        write_entry(catalogue, owner, subject, table, machine=True)
    told = {"title": "Sections to the beamline", "address": "71 avenue des Martyrs", "carrier": "by hand"}
    make_parcel(catalogue, owner, told, ["heart-27-block"], id="box")
    tell_of_parcel(catalogue, owner, "box", "received", place="lab 3 / shelf B", condition="dry")


PATHS = (
    *("/", "/records", "/records?q=tooth&pixel=<1mm", "/records/tooth", "/records/tooth/manage", "/about"),
    *("/specimens", "/specimens/heart-27", "/specimens/heart-27-block?said=Saved.", "/proposals/md-1290"),
    *("/specimens/heart-27/images", "/specimens/heart-27/links"),
    *("/collections/hearts", "/instruments"),
    *("/logbook?fold=no", "/logbook/1", "/parcels", "/parcels/box", "/places"),
    "/labels?specimens=heart-27",
    *(
        "/sign-in",
        "/admin",
        "/admin/users",
        "/admin/settings",
        "/admin/work",
        "/admin/sources",
        "/admin/disk",
        "/admin/log?check=chain",
    ),
    *("/statistics", "/publications/report", "/publications/import", "/newsletter", "/account/searches"),
)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_serious_fault(
    path: str, address: str, page: Any, phone: Any, axe: Callable[..., list[str]]
) -> None:
    page.goto(address + path)
    assert axe(page) == []
    page.emulate_media(color_scheme="dark")
    assert axe(page, "color-contrast") == []
    phone.goto(address + path)
    assert width(phone) <= 390


def test_a_click_in_a_picture_becomes_a_point(address: str, page: Any) -> None:
    page.goto(f"{address}/specimens/heart-27/images")
    before = page.locator("#at").input_value()
    wait_for_layout(page)
    picture = page.locator("input[type=image]").first
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    page.wait_for_url("**click.x=**")
    at = [float(one) for one in page.locator("#at").input_value().removesuffix(" µm").split(",")]
    was = [float(one) for one in before.removesuffix(" µm").split(",")]
    assert at[0] == pytest.approx(96 / 4 * 0.65, abs=0.65)  # a quarter of 96 voxels
    assert at[1:] == pytest.approx(was[1:], abs=0.65)
    assert page.locator(".crop-picture svg g").count() == 1


COVERED = """() => [...document.querySelectorAll(".facets :is(input:not([type=hidden]), button)")].filter((field) => {
  field.scrollIntoView({block: "nearest"});
  const box = field.getBoundingClientRect();
  const spots = [0.05, 0.5, 0.95].map((share) => document.elementFromPoint(
    box.left + box.width / 2, box.top + share * box.height));
  return spots.some((spot) => spot !== field && !field.contains(spot));
}).map((field) => field.name)"""
"""The fields of the filters that something else lies upon once they are scrolled into view."""


def test_no_field_of_the_filters_is_covered(address: str, page: Any, phone: Any) -> None:
    for height in (900, 420):
        page.set_viewport_size({"width": 1280, "height": height})
        page.goto(address + "/records?q=tooth")
        wait_for_layout(page)
        assert page.evaluate(COVERED) == []
        phone.set_viewport_size({"width": 390, "height": height})
        phone.goto("about:blank")
        phone.goto(address + "/records?q=tooth#filters")
        wait_for_layout(phone)
        assert phone.evaluate(COVERED) == []


def test_a_card_shows_its_thumbnail_as_webp(address: str, page: Any) -> None:
    given = []
    page.on("response", lambda answer: given.append((answer.url, answer.headers.get("content-type"))))
    page.goto(address + "/records")
    thumbnail = (f"{address}/records/tooth/files/previews/thumbnail.png", "image/webp")
    wait_for(page, lambda: thumbnail in given, "the thumbnail comes as WebP")
    wait_until(page, 'document.querySelector(".card-picture img").naturalWidth > 0')
