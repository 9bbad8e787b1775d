"""A series on the portal: filed together, shown in the same greys, and what is missing said."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app_client import TestClient
from series_maker import SECONDS, save_series
from tomarium.catalogue import Catalogue, Reader, ingest, open_catalogue
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.rebuild import rebuild
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.series_records import in_series
from tomarium.cli import execute
from tomarium.errors import FormatError
from tomarium.portal.app import create_app

GREYS = (2.0, 1.5, 1.0, 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_series(tmp_path_factory.mktemp("series") / "foam_series", GREYS, finished=(0, 1, 3))


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("catalogue")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        filed = file_path(opened, folder, Wish(home / "records"))
        assert [record.id for record in filed.records] == ["foam-0", "foam-1", "foam-3"]
        assert len(filed.problems) == 1
        assert "scan_002: this moment was not finished" in filed.problems[0]
        yield opened


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue, local=True)) as client:
        yield client


def grey(client: TestClient, address: str) -> tuple[float, float]:
    """Return the mean grey in the middle of a picture, and in its corner."""
    answer = client.get(unescape(address))
    assert answer.status_code == 200
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"), float)
    half = picture.shape[0] // 2
    return float(picture[half - 2 : half + 3, half - 2 : half + 3].mean()), float(picture[:2, :2].mean())


def test_each_record_tells_its_moment(folder: Path, client: TestClient) -> None:
    told = in_series(read_record(folder / "scan_003"))
    assert told is not None
    assert (told.number, told.count, told.time_s) == (4, 4, 3 * SECONDS)
    page = client.get("/records/foam-3").text
    assert re.search(r'<a href="/records/foam-3/series">Moment 4 of 4</a> of a series', page)


def test_all_moments_are_drawn_in_the_same_greys(client: TestClient) -> None:
    page = client.get("/records/foam-1/series").text
    patterns = re.findall(r'data-pattern="([^"]+)"', page)
    drawn = [grey(client, one.replace("z-INDEX", "y-12")) for one in patterns]
    low, high = client.get("/records/foam-1/series.json").json()["window"]
    assert (low, high) == pytest.approx((0.1, 2.0))
    for (inside, corner), value in zip(drawn, (2.0, 1.5, 0.5), strict=True):
        assert inside == pytest.approx(255 * (value - low) / (high - low), abs=1)
        assert corner == pytest.approx(0, abs=1)
    small = re.findall(r'<img src="([^"]+)"[^>]*alt="Moment \d"', page)
    assert [grey(client, one) for one in small] == drawn
    volumes = [client.get(unescape(one)).content for one in re.findall(r'data-volume="(/[^"]+)"', page)]
    middle = [np.frombuffer(one, np.uint8).reshape(24, 24, 24)[12, 12, 12] for one in volumes[-3:]]
    assert [float(one) for one in middle] == [inside for inside, _ in drawn]


def test_a_window_may_be_chosen(client: TestClient) -> None:
    told = client.get("/records/foam-0/series.json?low=0&high=4&moment=2").json()
    assert (told["window"], told["number"], told["chosen"]) == ([0, 4], 2, True)
    assert client.get("/records/foam-0/series?low=&high=&moment=1&z=3").status_code == 200
    for wrong in ("low=3&high=1", "low=much", "high=nan", "low=-inf"):
        assert client.get(f"/records/foam-0/series?{wrong}").status_code == 400, wrong


def test_missing_moments_are_said(client: TestClient) -> None:
    told = client.get("/records/foam-0/series.json").json()
    assert told["missing"].startswith("Moment 3 is not shown")
    assert [one["problem"] for one in told["moments"]] == ["", "", "not filed here, or not open to you", ""]
    assert [one["when"] for one in told["moments"]] == ["0 s", "40 s", "", "120 s"]
    page = client.get("/records/foam-0/series?moment=3").text
    assert "Moment 3: not filed here, or not open to you" in page
    for wrong in ("moment=5", "z=24"):
        assert client.get(f"/records/foam-0/series?{wrong}").status_code == 404, wrong


def test_it_works_without_a_script(client: TestClient) -> None:
    page = unescape(client.get("/records/foam-0/series?y=5").text)
    assert '<a href="/records/foam-0/series?y=5&moment=4">' in page
    assert '<a href="/records/foam-3" ' in page
    second = client.get("/records/foam-0/series?y=5&moment=4").text
    shown = re.search(r'<img src="(/records/foam-3/pictures/slices/y-5.png[^"]+)"', second)
    assert shown is not None
    assert client.get(unescape(shown[1])).status_code == 200


def test_the_page_is_small(client: TestClient) -> None:
    page = client.get("/records/foam-0/series")
    assert len(gzip.compress(page.content, 9)) <= 8_000
    pictures = re.findall(r'<img src="([^"]+)"(?![^>]*lazy)', page.text)
    assert len(pictures) == 3  # those of the row wait until they are near
    for tag in re.findall(r"<img[^>]+>", page.text):
        assert re.search(r'width="\d+" height="\d+"', tag), tag


def test_a_record_alone_has_no_series(client: TestClient, catalogue: Catalogue, folder: Path) -> None:
    alone = folder.parent / "alone"
    shutil.copytree(folder / "scan_000", alone)
    crate = alone / "ro-crate-metadata.json"
    crate.write_text(crate.read_text().replace("foam-0", "alone"))
    record = read_record(alone)
    assert record.id == "alone"
    with open_catalogue(folder.parent / "other.sqlite") as other:
        ingest(other, alone)
        with TestClient(create_app(other, local=True)) as one:
            # The copy goes on to tell its moment; the others are not here, which is said.
            told = one.get("/records/alone/series.json").json()
            assert [bool(moment["problem"]) for moment in told["moments"]] == [False, True, True, True]
    assert client.get("/records/nothing/series").status_code == 404


def test_the_records_of_somebody_else_do_not_belong_to_it(
    client: TestClient, catalogue: Catalogue, folder: Path
) -> None:
    other = folder.parent / "forged"
    shutil.copytree(folder / "scan_001", other)
    crate = json.loads((other / "ro-crate-metadata.json").read_text())
    text = json.dumps(crate).replace("foam-1", "a-forged").replace("Foam, scan 001", "Forged")
    (other / "ro-crate-metadata.json").write_text(text)
    ingest(catalogue, other, reader=Reader("eve", "member"))
    told = client.get("/records/foam-0/series.json").json()
    assert [one["id"] for one in told["moments"]] == ["foam-0", "foam-1", "", "foam-3"]


def test_the_index_is_made_anew_and_knows_the_series(folder: Path, tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        assert len(rebuild(opened, [folder]).ids) == 3
        with TestClient(create_app(opened, local=True)) as client:
            told = client.get("/records/foam-3/series.json").json()
    assert [one["id"] for one in told["moments"]] == ["foam-0", "foam-1", "", "foam-3"]


def test_filing_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_series(tmp_path / "foam_series", (1.0, 0.5), size=16)
    catalogue = str(tmp_path / "c.sqlite")
    assert execute(["ingest", str(folder / "scan_001"), "--catalogue", catalogue]) == 0  # one of it, alone
    assert in_series(read_record(folder / "scan_001")) is not None
    before = (folder / "scan_001" / "ro-crate-metadata.json").read_bytes()
    assert execute(["ingest", str(folder), "--catalogue", catalogue]) == 0
    assert "foam-0: Foam, scan 000\nfoam-1: Foam, scan 001" in capsys.readouterr().out
    assert (folder / "scan_001" / "ro-crate-metadata.json").read_bytes() == before
    told = json.loads((folder / "series.json").read_text())
    told["request"]["moments"][0][0] = "../../etc"
    (folder / "series.json").write_text(json.dumps(told))
    with open_catalogue(Path(catalogue)) as opened, pytest.raises(FormatError, match="names the moment"):
        file_path(opened, folder, Wish(tmp_path / "records"))
    (folder / "series.json").write_text("[1]")
    assert execute(["ingest", str(folder), "--catalogue", catalogue]) == 2
    assert "lists no moments of a series" in capsys.readouterr().err
