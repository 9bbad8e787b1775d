"""Links are added on a page by points, by a link.json and by a worker, withdrawn with a reason, and kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from fastapi.testclient import TestClient

from portal.worker_reads_nothing import worker_reads_nothing
from specimen_rock import ADA, CORE, FIB, IN_CORE, MAP, file_rock
from tomarium import formats
from tomarium.catalogue import Catalogue, Reader, ingest, open_catalogue
from tomarium.catalogue.align_job import ask_to_align
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.link_edit import demand_both_ends
from tomarium.catalogue.link_request import HowKnown
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.store import write_crate
from tomarium.catalogue.work import do_jobs
from tomarium.errors import InputError
from tomarium.portal.app import create_app
from tomarium.specimen.alignment_file import as_link_json
from tomarium.specimen.landmarks import Landmark, align_landmarks
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.synth.rock import image, pose_about, rock

PAGE = "/specimens/rum-7/links"
JSON = {"Accept": "application/json"}
POINTS = np.array([[10, 10, 0], [70, 12, 0], [12, 70, 0], [66, 64, 0], [40, 35, 0]]) * 1e-6


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("rock")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        file_rock(opened, home)
        yield opened


@pytest.fixture(scope="module")
def owner(opened: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(opened, local=True)) as client:
        yield client


def pairs(matrix: np.ndarray, wrong: float = 0.0) -> str:
    """Pairs of points of the map and of the core, as the page writes them."""
    lines = []
    for point in POINTS:
        there = (matrix @ [*point, 1])[:3] * 1e6
        lines.append(f"{point[0] * 1e6}, {point[1] * 1e6} um = {there[0] + wrong}, {there[1]}, {there[2]} um")
    return "\n".join(lines)


def test_points_become_a_link_with_versions(owner: TestClient) -> None:
    tilted = IN_CORE @ pose_about((4e-5, 4e-5, 0), (20, 10, 0))
    form = {"from": MAP, "to": CORE, "pairs": pairs(tilted), "mirror": "1"}
    refused = owner.post(PAGE, data=form)
    assert refused.status_code == 422
    assert "are linked already by map-in-core" in refused.text
    made = owner.post(PAGE, data={**form, "file_as": "map-in-core"}, headers=JSON)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["version"], told["kind"], len(told["landmarks"])) == (2, "landmark", 5)
    np.testing.assert_allclose(told["matrix"], tilted, atol=1e-6)
    text = owner.get(PAGE).text
    assert "map-in-core, version 2" in text
    assert "map-in-core, version 1" in text
    assert [
        one["version"] for one in owner.get(f"{PAGE}.json").json()["links"] if one["id"] == "map-in-core"
    ] == [2, 1]


def test_a_mirror_image_is_said_first(owner: TestClient) -> None:
    flipped = IN_CORE @ pose_about((0, 0, 0), (20, 10, 0)) @ np.diag([-1, 1, 1, 1])
    in_two_slices = [
        f"{x}, {y} um = {', '.join(f'{v * 1e6:.6f}' for v in (flipped @ [x * 1e-6, y * 1e-6, 0, 1])[:3])} um"
        for x, y in ((10, 10), (70, 12), (12, 70), (66, 64))
    ]
    # Points of one plane fit a rotation as well as a mirror image: the page says found mirrored of two planes only.
    flat = ["0, 0 um = 0, 0 um", "9, 0 um = -9, 0 um", "0, 5 um = 0, 5 um", "7, 8 um = -7, 8 um"]
    told = owner.get(PAGE, params={"from": FIB, "to": MAP, "pairs": "\n".join(flat), "mirror": "1"}).text
    assert "found mirrored: one image is a mirror image of the other" in told
    told = owner.get(
        PAGE, params={"from": MAP, "to": CORE, "pairs": "\n".join(in_two_slices), "mirror": "1"}
    ).text
    assert "found mirrored" not in told
    form = {"from": FIB, "to": MAP, "pairs": "\n".join(flat), "mirror": "1", "file_as": "beside"}
    asked = owner.post(PAGE, data=form)
    assert asked.status_code == 422
    assert "a distance such as 20 um" in asked.text
    known = {"sigma": "1 um", "sigma_turn": "1 deg"}
    made = owner.post(PAGE, data={**form, **known})
    assert made.status_code == 200
    assert "is filed, found mirrored" in made.text
    assert "found mirrored; fitted to landmarks" in made.text


def test_two_clicks_become_a_pair(owner: TestClient) -> None:
    """The map is 80 pixels of 1 µm and the core 32 voxels of 10 µm; both pictures are 320 pixels wide."""
    query = {
        "from": MAP, "to": CORE, "of": f"{MAP} {CORE}", "box_from": "0,0,80,80", "shown_from": "320,320",
        "drawn_from": ",", "in_from.x": "81", "in_from.y": "41",
    }  # fmt: skip
    first = owner.get(PAGE, params=query).text
    held = re.search(r'name="held_from" value="([^"]+)"', first)
    assert held is not None
    query |= {"held_from": held[1], "in_from.x": "0", "in_from.y": "0", "box_to": "0,0,32,32"}
    query |= {"shown_to": "320,320", "drawn_to": "z,16", "in_to.x": "95", "in_to.y": "55"}
    second = owner.get(PAGE, params=query).text
    line = re.search(r"<textarea id=\"pairs\"[^>]*>([^<]*)<", second)
    assert line is not None
    left, right = line[1].split(" = ")
    assert [float(one) for one in left.removesuffix(" µm").split(",")] == pytest.approx([19.875, 9.875])
    assert [float(one) for one in right.removesuffix(" mm").split(",")] == pytest.approx(
        [0.0905, 0.0505, 0.16]
    )
    other = owner.get(PAGE, params={**query, "from": FIB}).text  # a click in a picture of another image
    assert re.search(r"<textarea id=\"pairs\"[^>]*></textarea>", other)


def test_a_link_file_is_taken_of_its_own_images_only(owner: TestClient) -> None:
    landmarks = [
        Landmark(str(i), tuple(p), tuple((IN_CORE @ [*p, 1])[:3] + 1e-7 * i)) for i, p in enumerate(POINTS)
    ]
    told = align_landmarks(landmarks).as_data()
    form = {
        "from": MAP,
        "to": CORE,
        "link": json.dumps(told),
        "file_as": "beside",
        "sigma": "2 um",
        "sigma_turn": "1 deg",
    }
    made = owner.post(PAGE, data=form, headers=JSON)
    assert made.status_code == 201, made.text
    assert made.json()["from"] == MAP
    elsewhere = {**as_link_json(told, "test", 1e-6, 0.02), "from": "records/fib", "to": CORE}
    for text, why in (
        (json.dumps(elsewhere), "choose its two"),
        ("{", "is no JSON"),
        (json.dumps({**told, "accepted": False}), "was not accepted"),
    ):
        answer = owner.post(PAGE, data={**form, "link": text})
        assert answer.status_code == 422, answer.text
        assert why in answer.text


def test_a_link_is_withdrawn_with_a_reason_once(owner: TestClient) -> None:
    door = f"{PAGE}/fib-in-map/withdraw"
    assert owner.post(door, data={"reason": " "}).status_code == 422
    assert "is withdrawn." in owner.post(door, data={"reason": "Cut elsewhere"}).text
    text = owner.get(PAGE).text
    assert "Withdrawn: Cut elsewhere" in text
    assert "Withdraw fib-in-map<" not in text
    assert owner.post(door, data={"reason": "Again"}).status_code == 422
    assert owner.post(f"{PAGE}/none/withdraw", data={"reason": "Again"}).status_code == 422


def test_only_who_may_change_both_images_links_them(opened: Catalogue) -> None:
    with TestClient(create_app(opened)) as anybody:
        for door in ("", "/align", "/map-in-core/withdraw"):
            assert anybody.post(PAGE + door, data={"from": MAP, "to": CORE}).status_code == 401
        assert anybody.get(PAGE).status_code == 404
    with opened.reading() as connection:
        demand_both_ends(connection, Reader("cur", "curator"), MAP, CORE)
    with pytest.raises(InputError, match="no image"):
        ask_to_align(opened, Reader("bob", "member"), MAP, CORE)


def file_flat(opened: Catalogue, home: Path, id: str, values: np.ndarray) -> None:
    tifffile.imwrite(home / f"{id}.tif", values)
    _, folder = make_from_files(
        home / f"{id}.tif", formats.open(home / f"{id}.tif", pixel_m=2e-6), Wish(home / id, title=id)
    )
    write_crate(folder / FILENAME, export(replace(read_record(folder), id=id)).encode())
    ingest(opened, folder, reader=ADA)
    edit(opened, ADA, id, Changes(specimen="rum-7"))


@pytest.mark.slow
def test_a_worker_aligns_two_images_or_lists_candidates(
    opened: Catalogue, owner: TestClient, tmp_path: Path
) -> None:
    drawn, middle = rock(1.28e-4, 6, coarseness=1.6), (6.4e-5,) * 3
    pose = pose_about(middle, (0, 0, 25), (4e-6, -3e-6, 0))
    start = np.eye(4)
    start[2, 3] = 6.4e-5
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = 1.26e-4
    first = image(drawn, (1, 64, 64), (2e-6,) * 3, start)[0]
    second = image(drawn, (1, 64, 64), (2e-6,) * 3, pose @ start @ flip, signal="si")[0]
    file_flat(opened, tmp_path, "bse", first)
    file_flat(opened, tmp_path, "si", second)
    form = {"from": "records/si", "to": "records/bse"}
    assert owner.post(f"{PAGE}/align", data=form).status_code == 422  # the plane is not known
    known = {"sigma": "2 um", "sigma_turn": "1 deg"}
    asked = owner.post(f"{PAGE}/align", data={**form, **known}, headers=JSON)
    assert asked.status_code == 202
    ask_to_align(opened, ADA, MAP, "records/bse", known=HowKnown(1e-6, 0.02), beside=True)
    assert "waits for a worker" in owner.get(PAGE).text
    with worker_reads_nothing():
        do_jobs(opened, print, only=["align images"])
    told = owner.get(f"{PAGE}.json").json()
    by_ends = {one["ends"]: one for one in told["asked"]}
    assert by_ends["si in bse"]["state"] == "done", by_ends
    assert by_ends["si in bse"]["told"].startswith("found mirrored, error ")
    link = next(one for one in told["links"] if one["from"] == "records/si")
    truth = np.linalg.inv(start) @ pose @ start @ flip
    corners = np.array([[0, 0, 0, 1], [1.26e-4, 0, 0, 1], [0, 1.26e-4, 0, 1]])
    away = (corners @ (np.array(link["matrix"]) - truth).T)[:, :2]
    assert np.abs(away).max() < 1e-6  # half a pixel
    lost = by_ends["map in bse"]
    assert lost["state"] == "failed"
    assert "not found" in lost["told"]
    assert "Candidates: " in lost["told"]
    assert "nats" in lost["told"]
