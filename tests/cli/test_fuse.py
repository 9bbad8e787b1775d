"""`tomarium fuse`: from files and their link to a record with its report and its page, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from specimen_fusion import Case, case
from specimen_links import link
from specimen_rock import ADA, CORE, IN_CORE, MAP, file_rock
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.fusion_sources import _of_catalogue, find_sources
from tomarium.catalogue.link_edit import file_link, withdraw_link
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.specimen_space import space_of
from tomarium.cli import execute
from tomarium.conversion.convert import convert
from tomarium.errors import InputError
from tomarium.model import Link
from tomarium.model.link import rows
from tomarium.specimen.link_file import write_link
from tomarium.specimen.resolve import NotConnected
from tomarium.viewers.fusion import FUSION, fused

EDGE = 40
VOXEL_M = 25e-6
NAMED = ("--name", "1=olivine", "--name", "2=iron", "--name", "3=sulphide", "--name", "4=pore")


@pytest.fixture(scope="module")
def drawn() -> Case:
    return case(EDGE, 3)


@pytest.fixture(scope="module")
def home(drawn: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume, a map of its phases, and a link between them, as files."""
    home = tmp_path_factory.mktemp("fuse")
    convert(drawn.volume, home / "ct.ome.zarr", to="ome-zarr")
    tifffile.imwrite(home / "eds.tif", drawn.map.image.array[0].astype(np.uint8))
    pose = drawn.map.pose
    x, y, z = pose.centre_m.tolist()
    link = Link("", "", rows(pose.matrix), rows(pose.covariance), centre_m=(x, y, z), kind="measured")
    write_link(home / "link.json", link)
    return home


@pytest.fixture(scope="module")
def made(home: Path) -> Path:
    words = ["fuse", str(home / "ct.ome.zarr"), "--map", str(home / "eds.tif"), "--pixel", "25 um"]
    assert execute([*words, "--link", str(home / "link.json"), "-o", str(home / "phases"), *NAMED]) == 0
    return home / "phases"


def test_a_record_with_a_report_and_pictures(drawn: Case, made: Path) -> None:
    record, report = read_record(made), json.loads((made / "fusion.json").read_text())
    assert record.title == "Phases of ct"
    assert record.provenance["fused"]["form"] == report["form"] == "tomarium fusion 1"
    assert [part.path for part in record.parts if part.kind == "volume"] == [
        "volume.ome.zarr",
        "confidence.ome.zarr",
    ]
    assert [one["name"] for one in report["phases"]] == ["olivine", "iron", "sulphide", "pore"]
    assert report["held_out"]["accuracy"] > 0.85
    assert report["maps"][0]["link"] == "link.json"
    assert len(list((made / "pictures").glob("*.png"))) == 9
    assert not (made / ".fusing").exists()
    page = (made / "report.html").read_text()
    assert "What is not sure" in page
    assert 'src="pictures/z-phases.png"' in page


def test_its_page_says_what_is_sure(made: Path) -> None:
    from contextlib import closing

    from starlette.testclient import TestClient

    from tomarium.portal.app import create_app

    with open_catalogue(made.parent / "catalogue.sqlite") as opened:
        filed = ingest(opened, made)
        with closing(TestClient(create_app(opened, local=True))) as client:
            page = client.get(f"/records/{filed.id}", headers={"accept": "text/html"})
            assert page.status_code == 200
            assert "Phases from maps" in page.text
            assert "What is not sure" in page.text
            assert client.get(f"/records/{filed.id}/files/pictures/z-phases.png").status_code == 200


def test_a_report_that_strangers_wrote_is_not_shown(made: Path) -> None:
    record = read_record(made)
    assert FUSION.shows(record)
    told = dict(record.provenance["fused"])
    for key, wrong in (
        ("phases", [{"number": "one"}]),
        ("held_out", {"confusion": [[1.0]], "curve": []}),
        ("form", "x"),
    ):
        odd = replace(record, provenance={**record.provenance, "fused": {**told, key: wrong}})
        assert fused(odd) is None
        assert not FUSION.shows(odd)
    assert not FUSION.shows(replace(record, provenance={"fused": "all"}))


def test_a_link_that_leads_the_other_way_is_turned_round(drawn: Case, home: Path) -> None:
    pose = drawn.map.pose
    told = {
        "fixed": "eds.tif", "moving": "elsewhere/ct.ome.zarr", "accepted": True, "method": "mutual information",
        "matrix": np.linalg.inv(pose.matrix).tolist(), "covariance": pose.covariance.tolist(), "mirrored": False,
        "centre_m": [0, 0, 0], "freedoms": ["rotation x", "rotation y", "rotation z", "shift x", "shift y", "shift z"],
    }  # fmt: skip
    (home / "back.json").write_text(json.dumps(told))
    _, [source] = find_sources(
        str(home / "ct.ome.zarr"), [str(home / "eds.tif")], [home / "back.json"], pixels=["25 um"]
    )
    assert source.map.pose.matrix == pytest.approx(pose.matrix)


def test_what_is_missing_is_said(home: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ct, eds, link = (str(home / name) for name in ("ct.ome.zarr", "eds.tif", "link.json"))
    given = ["--pixel", "25 um", "-o"]
    for words, said in (
        (["--map", eds, *given, str(home / "a")], f"tomarium align {ct} {eds} --out link.json"),
        (["--map", eds, "--link", link, *given, str(made)], "is a record already"),
        (["--map", eds, "--map", eds, "--link", link, *given, str(home / "a")], "one --link for each --map"),
        (["--map", eds, "--link", link, *given, str(home / "a"), "--name", "iron"], "such as 2=iron"),
        (["--map", str(home / "none.tif"), "--link", link, *given, str(home / "a")], "none.tif"),
    ):
        assert execute(["fuse", ct, *words]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not (home / "a").exists()


def test_records_lie_where_the_links_of_their_catalogue_say(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        filed = file_rock(opened, tmp_path)
        pose, said = _of_catalogue(opened, "map", "core")
        assert pose.matrix == pytest.approx(IN_CORE)
        assert said == filed.links[0].id
        withdraw_link(opened, LOCAL_OWNER, filed.links[0].id, "it was turned over")
        with pytest.raises(NotConnected, match="tomarium align"):
            _of_catalogue(opened, "map", "core")
    path, [source] = find_sources("core", ["map"], [], catalogue=_linked(tmp_path))
    assert path.name == "core"
    assert source.map.image.voxel_m[1:] == pytest.approx((1e-6, 1e-6))  # as told when it was filed
    with pytest.raises(InputError, match="no-such: is no file or folder, and no record of this catalogue"):
        find_sources("core", ["no-such"], [], catalogue=tmp_path / "catalogue.sqlite")


def _linked(home: Path) -> Path:
    """Link the map again."""
    with open_catalogue(home / "catalogue.sqlite") as opened:
        file_link(opened, ADA, link(MAP, CORE, IN_CORE, id=""))
    return home / "catalogue.sqlite"


def test_it_is_filed_in_a_specimen_where_the_volume_lies(
    home: Path,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is made is that of the fixture: filing it is what is tried here."""
    place = tmp_path / "c.sqlite"
    ct = tmp_path / "ct"
    shutil.copytree(home / "ct.ome.zarr", ct / "volume.ome.zarr")
    file_record(ct, title="CT", id="ct")
    with open_catalogue(place) as opened:
        make_entity(opened, LOCAL_OWNER, "specimen", "Core", {}, "core")
        ingest(opened, ct)
        edit(opened, LOCAL_OWNER, "ct", Changes(specimen="core"))

    def make(volume: object, path: Path, sources: object, folder: Path, **_: object) -> tuple[object, object]:
        shutil.copytree(made, folder)
        return None, json.loads((made / "fusion.json").read_text())

    monkeypatch.setattr("tomarium.catalogue.fused_record.make_fused_record", make)
    words = ["--map", str(home / "eds.tif"), "--pixel", "25 um", "--link", str(home / "link.json")]
    words += ["--catalogue", str(place), "--specimen"]
    assert execute(["fuse", str(ct), *words, "none", "-o", str(tmp_path / "a")]) == 2
    assert "there is no specimen" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert execute(["fuse", str(ct), *words, "core", "-o", str(tmp_path / "a"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with open_catalogue(place) as opened, opened.reading() as connection:
        space = space_of(connection, LOCAL_OWNER, "core")
    assert {one.frame for one in space.images} >= {"records/ct", f"records/{told['record']}"}
    [filed] = space.links
    assert (filed.id, filed.kind) == (told["link"], "cut-from")
    assert (filed.from_frame, filed.to_frame) == (f"records/{told['record']}", "records/ct")
    fused_, ct_ = (space.image(end) for end in (filed.from_frame, filed.to_frame))
    assert fused_ is not None
    assert ct_ is not None
    assert (fused_.first_m, fused_.step_m, fused_.shape) == (ct_.first_m, ct_.step_m, ct_.shape)
    assert np.array_equal(filed.matrix, np.eye(4))
    shutil.rmtree(tmp_path / "a")
    assert execute(["fuse", str(home / "ct.ome.zarr"), *words, "core", "-o", str(tmp_path / "b")]) == 0
    assert "no link to ct.ome.zarr was filed" in " ".join(capsys.readouterr().out.split())
