"""The page of a specimen's images: a click becomes a point that is marked everywhere; nothing closed is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app_client import TestClient
from specimen_rock import ADA, CORE, FIB, IN_CORE, MAP, file_rock
from tomarium.catalogue import LOCAL_OWNER, Catalogue, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person
from tomarium.portal.app import create_app

PAGE = "/specimens/rum-7/images"


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


def found(client: TestClient, shown: str, /, **query: Any) -> dict[str, Any]:
    answer = client.get(f"{PAGE}.json", params=query)
    assert answer.status_code == 200, answer.text
    return next(one["found"] for one in answer.json()["crops"] if one["frame"] == shown)


def test_a_point_is_told_in_every_image(owner: TestClient) -> None:
    told = found(owner, CORE, frame=MAP, at="31, 40.5 um")
    np.testing.assert_allclose(told["position_m"], (IN_CORE @ [31e-6, 40.5e-6, 0, 1])[:3], atol=1e-12)
    assert found(owner, FIB, frame=MAP, at="31, 40.5 um")["pixel"] == pytest.approx([50, 25])
    assert found(owner, MAP, frame=MAP, at="31, 40 px")["position_m"][:2] == pytest.approx([31e-6, 40e-6])


def test_a_click_becomes_a_point(owner: TestClient) -> None:
    """The picture of the core is 320 pixels wide and shows 32 voxels: the click is in the middle of voxel (9, 5)."""
    query = {"frame": CORE, "box": "0,0,32,32", "shown": "320,320", "slice": "16", "plane": "z"}
    clicked = found(owner, CORE, **query, **{"click.x": "95", "click.y": "55"})
    assert clicked["pixel"] == pytest.approx([9.05, 5.05, 16], abs=0.01)
    across = found(owner, CORE, **{**query, "plane": "x", "slice": "3"}, **{"click.x": "95", "click.y": "55"})
    assert across["pixel"] == pytest.approx([3, 9.05, 5.05], abs=0.01)
    by_key = found(owner, CORE, **query, at="0.1, 0.1, 0.1 mm", **{"click.x": "0", "click.y": "0"})
    assert by_key["position_m"] == pytest.approx([1e-4] * 3)  # a form that is sent by a key clicks nowhere


def test_pictures_hold_the_point_and_are_small(owner: TestClient) -> None:
    text = owner.get(PAGE, params={"frame": MAP, "at": "31, 40.5 um"}).text
    pictures = re.findall(r'name="click" src="([^"]+)"', text)
    assert len(pictures) == 3
    for address in pictures:
        answer = owner.get(address.replace("&amp;", "&"))
        assert answer.headers["content-type"] == "image/png"
        assert len(answer.content) < 20_000
    marks = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", text)
    assert marks[0] == ("126.0", "164.0")  # (31 + 0.5) and (40.5 + 0.5) pixels of 4
    assert "This rests on a link that nobody has measured." in text


def test_the_map_leads_from_one_image_into_the_next(owner: TestClient) -> None:
    text = owner.get(PAGE).text
    assert "view=records%2Fmap" in text
    near = owner.get(PAGE, params={"view": FIB}).text
    assert "All of this lies in" in near
    assert owner.get(PAGE, params={"view": "records/none"}).status_code == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"frame": "records/none"}, 404),
        ({"frame": MAP, "at": "1, 2"}, 400),
        ({"frame": MAP, "box": "0,0,1", "shown": "3,3", "click.x": "2"}, 400),
        ({"frame": MAP, "box": "0,0,0,0", "shown": "3,3", "click.x": "2"}, 400),
        ({"along": "w"}, 400),
    ],
)
def test_what_cannot_be_is_refused(owner: TestClient, query: dict[str, str], status: int) -> None:
    assert owner.get(PAGE, params=query).status_code == status


def test_what_is_closed_is_told_and_not_shown(opened: Catalogue) -> None:
    with TestClient(create_app(opened)) as anybody:
        assert anybody.get(PAGE).status_code == 404
        for id in ("core", "map"):
            edit(opened, ADA, id, Changes(creators=(Person("Lovelace, Ada"),), licence="CC-BY-4.0"))
            embargo = "2099-01-01" if id == "core" else "now"
            publish(opened, LOCAL_OWNER, id, Request(files=False, embargo=embargo))
        text = anybody.get("/specimens/rum-7-core/images", params={"frame": MAP, "at": "31, 40.5 um"}).text
        told = anybody.get("/specimens/rum-7-core/images.json").json()
    assert "Its files are not open to you" in text
    assert len(re.findall(r'name="click"', text)) == 1
    assert sorted(one["frame"] for one in told["space"]["images"]) == [CORE, MAP]
    assert [one["id"] for one in told["space"]["links"]] == ["map-in-core"]
    assert "fib" not in text.lower().replace("lifted out by fib", "")
