"""Links in a catalogue: who sees them, their versions, what crates tell of them, and a specimen in three images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from postgresql_server import Files
from specimen_links import link
from specimen_links import rock as rock_at
from specimen_rock import ADA, CORE, FIB, IN_CORE, MAP, Rock, file_rock
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    open_catalogue,
    rebuild,
)
from tomarium.catalogue.backup import durable_tables
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import publish_entity
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.link_edit import file_link, withdraw_link
from tomarium.catalogue.links import links_around, versions_of
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.specimen_space import find_frame, space_around, space_of
from tomarium.catalogue.specimen_tree import space_json, tree_of, warnings_of
from tomarium.catalogue.tables import frame_links
from tomarium.cli import group
from tomarium.errors import InputError
from tomarium.model import Person
from tomarium.specimen.resolve import resolve
from tomarium.specimen.where import Found, Unknown, found_in, where
from tomarium.viewers.specimen_map import map_of, map_svg
from tomarium.viewers.volume import open_volume

EVE = Reader("eve", "member")


@pytest.fixture(scope="module")
def made(place: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rock]:
    home = tmp_path_factory.mktemp("rock")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        yield file_rock(opened, home)


def seen(opened: Catalogue, reader: Reader, *frames: str) -> list[str]:
    with opened.reading() as connection:
        return [one.id for one in links_around(connection, reader, frames)]


def test_links_are_followed_from_any_frame(made: Rock) -> None:
    ids = ["map-in-core", "fib-in-map"]
    assert [one.id for one in made.links] == ids
    for frame in (CORE, MAP, FIB):
        assert seen(made.opened, ADA, frame) == ids
    assert made.links[0].author == "ada"
    assert made.links[0].software.startswith("tomarium ")
    assert made.links[0].date


def test_only_who_sees_both_ends_sees_a_link(made: Rock) -> None:
    for reader in (EVE, ANYBODY):
        assert seen(made.opened, reader, CORE, MAP, FIB) == []
        with made.opened.reading() as connection:
            assert versions_of(connection, reader, "map-in-core") == []
            with pytest.raises(InputError, match="no record and no specimen"):
                find_frame(connection, reader, "core")
    assert seen(made.opened, LOCAL_OWNER, CORE) != []


def test_the_images_of_a_specimen(made: Rock) -> None:
    with made.opened.reading() as connection:
        space = space_of(connection, ADA, "rum-7")
        same = space_around(connection, ADA, [FIB])
    images = {one.frame: one for one in space.images}
    assert {frame: one.specimen for frame, one in images.items()} == {
        CORE: "specimens/rum-7-core", MAP: "specimens/rum-7-core", FIB: "specimens/rum-7-lamella",
    }  # fmt: skip
    assert {one.frame for one in same.images} == {CORE, MAP, FIB}
    assert [(node.id, node.depth) for node in tree_of(space)] == [
        ("rum-7", 0), ("rum-7-core", 1), ("rum-7-lamella", 2),
    ]  # fmt: skip
    assert images[MAP].flat
    assert images[MAP].step_m[0] == pytest.approx(1e-6)
    assert warnings_of(space) == []
    assert len(json.dumps(space_json(space))) > 500


def test_the_place_of_a_volume_is_that_of_its_file(made: Rock) -> None:
    with made.opened.reading() as connection:
        image = space_around(connection, ADA, [CORE]).image(CORE)
    assert image is not None
    axes = open_volume(made.home / "core" / "volume.ome.zarr").axes
    assert image.first_m == pytest.approx([axis.offset for axis in axes][::-1])
    assert image.step_m == pytest.approx((1e-5,) * 3)


def test_a_point_goes_through_three_images(made: Rock) -> None:
    with made.opened.reading() as connection:
        space = space_of(connection, ADA, "rum-7")
    in_map = np.array([3.1e-5, 4.05e-5, 0.0, 1.0])
    point = (IN_CORE @ in_map)[:3]
    found = {one.image.frame: one for one in where(space.links, space.images, CORE, point)}
    on_map, in_fib = found[MAP], found[FIB]
    assert isinstance(on_map, Found)
    assert isinstance(in_fib, Found)
    np.testing.assert_allclose(on_map.pixel, (31, 40.5), atol=1e-6)
    np.testing.assert_allclose(in_fib.pixel, (50, 25), atol=1e-4)
    assert in_fib.resolved.frames == (CORE, MAP, FIB)
    assert [one.id for one in in_fib.resolved.assumed] == ["fib-in-map"]
    assert in_fib.sigma_m[0] > on_map.sigma_m[0] > 1.9e-6


def test_the_same_grain_is_seen_at_the_point_in_every_image(made: Rock) -> None:
    """The rock is known everywhere: what a pixel shows is what the rock holds at its place in the core."""
    with made.opened.reading() as connection:
        space = space_of(connection, ADA, "rum-7")
    for frame, file in ((MAP, "map.tif"), (FIB, "fib.tif")):
        source, core, shown = space.image(frame), space.image(CORE), tifffile.imread(made.home / file)
        assert source is not None
        assert core is not None
        pixels = [(row, column) for row in range(1, 80, 13) for column in range(1, 80, 13)]
        resolved = resolve(space.links, frame, CORE)
        told = [found_in(core, resolved, source.point_of(one[::-1])) for one in pixels]
        there = rock_at(np.array([one.position_m for one in told])).astype(np.uint8)
        here = np.array([shown[one] for one in pixels])
        assert np.ptp(here) > 20
        assert np.mean(there == here) > 0.97  # rounding may choose the other side of an edge


def test_a_second_link_of_the_same_two_is_asked_back(made: Rock) -> None:
    again = link(CORE, MAP, np.linalg.inv(IN_CORE))
    with pytest.raises(InputError, match="linked already by map-in-core"):
        file_link(made.opened, ADA, again)
    with pytest.raises(InputError, match="links the same two"):
        file_link(made.opened, ADA, link(CORE, FIB), replaces="map-in-core")


def test_who_may_link(made: Rock) -> None:
    with pytest.raises(InputError, match="there is no record"):
        file_link(made.opened, EVE, link(MAP, CORE))
    with pytest.raises(NotAllowed):
        file_link(made.opened, ANYBODY, link(MAP, CORE))
    with pytest.raises(InputError, match="has no image"):
        file_link(made.opened, ADA, link("records/map/image-3", CORE))


def test_the_map_is_to_scale(made: Rock) -> None:
    with made.opened.reading() as connection:
        space = space_of(connection, ADA, "rum-7")
    drawn = map_of(space.images, space.links)
    core, on_map, fib = drawn.boxes
    assert [one.number for one in drawn.boxes] == [1, 2, 3]
    assert drawn.view.frame == CORE
    unit = drawn.width / (1.12 * 64 * 5e-6)
    spans = np.ptp(np.array(core.outline), axis=0)
    np.testing.assert_allclose(spans, 64 * 5e-6 * unit, rtol=1e-6)
    np.testing.assert_allclose(np.ptp(np.array(on_map.outline), axis=0), 80e-6 * unit, rtol=1e-6)
    assert fib.tiny
    assert fib.assumed
    assert not on_map.tiny
    near = map_of(space.images, space.links, FIB)
    assert [one.place for one in near.boxes] == ["around", "around", "inside"]
    assert [words for words, _ in drawn.ticks] == ["1 mm", "100 µm", "10 µm", "1 µm", "0.1 µm", "10 nm"]
    text = map_svg(drawn)
    assert text.startswith("<svg") and "<a " not in text  # noqa: PT018
    with pytest.raises(InputError, match="no image"):
        map_of(space.images, space.links, "records/other")
    side = map_of(space.images, space.links, MAP, "y")
    assert side.height > 0
    copies = [replace(space.images[0], frame=f"records/copy-{k}") for k in (1, 2)]
    lying = [link(copy.frame, space.images[0].frame) for copy in copies]
    labels = [box.label for box in map_of((*space.images, *copies), (*space.links, *lying)).boxes]
    apart = [max(abs(x - a), abs(y - b)) for k, (x, y) in enumerate(labels) for a, b in labels[:k]]
    assert min(apart) > 30, "a number stands upon another"


def test_crates_tell_what_all_their_readers_may_see(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        file_rock(opened, tmp_path)
        to_specimen = file_link(opened, ADA, link(CORE, "specimens/rum-7-core"))

        def told(id: str) -> list[str]:
            with opened.reading() as connection:
                folder = folder_of(connection, id)
            assert folder is not None
            return [one.id for one in read_record(folder).links]

        assert told("core") == [to_specimen.id]  # the map is a draft, which readers of the core may not see
        assert told("map") == []
        for id in ("core", "map"):
            edit(opened, ADA, id, Changes(creators=(Person("Lovelace, Ada"),), licence="CC-BY-4.0"))
            publish(opened, LOCAL_OWNER, id, Request(files=False))
        assert told("map") == ["map-in-core"]
        assert told("core") == ["map-in-core", to_specimen.id]
        assert seen(opened, ANYBODY, CORE) == ["map-in-core", to_specimen.id]
        better = file_link(opened, ADA, link(CORE, MAP, np.linalg.inv(IN_CORE)), replaces="map-in-core")
        assert (better.id, better.version) == ("map-in-core", 2)
        with opened.reading() as connection:
            folder = folder_of(connection, "map")
            assert [one.version for one in versions_of(connection, ANYBODY, "map-in-core")] == [2, 1]
        assert folder is not None
        assert read_record(folder).links == (better,)
        # A lost database: the links are taken from the crates.
        with opened.writing() as connection:
            connection.execute(frame_links.delete())
        rebuild(opened, [tmp_path])
        assert sorted(seen(opened, ANYBODY, CORE)) == [to_specimen.id, "map-in-core"]
        withdraw_link(opened, ADA, "map-in-core", "wrong section")
        assert told("map") == []
        assert seen(opened, ADA, CORE) == [to_specimen.id]
        with opened.reading() as connection:
            assert [one.withdrawn for one in versions_of(connection, ADA, "map-in-core")] == ["wrong section"]
            space = space_of(connection, ADA, "rum-7")
        assert any("no link connects" in words for words in warnings_of(space))
        found = where(space.links, space.images, CORE, (0, 0, 0))
        assert sorted(type(one).__name__ for one in found) == [
            Found.__name__,
            Unknown.__name__,
            Unknown.__name__,
        ]
        publish_entity(opened, LOCAL_OWNER, "rum-7", doi=False)
        assert "frame_link" in [table.name for table in durable_tables()]


def test_from_the_command_line(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        file_rock(opened, tmp_path)

    def run(*words: str, code: int = 0) -> str:
        answer = CliRunner().invoke(group(), [*words, "--catalogue", str(tmp_path / "catalogue.sqlite")])
        assert answer.exit_code == code, answer.output
        return answer.output

    told = run("where", "100, 20, 160 um", "--from", "core")
    for words in ("records/map", "column 0.0 ± 2.0", "fib-in-map, which nobody has measured", "path"):
        assert words in told, told
    data = json.loads(run("where", "30, 40", "--as", "pixel", "--from", "map", "--in", "core", "--json"))
    (one,) = data["in"]
    np.testing.assert_allclose(one["position_m"], (IN_CORE @ [3e-5, 4e-5, 0, 1])[:3], atol=1e-12)
    assert one["links"] == ["map-in-core"]
    missing = run("where", "0, 0, 0 mm", "--in", "core", code=1)
    assert "not connected" in missing
    filed = run(
        "specimen", "link", "core", "--in", "rum-7-core", "--shift", "0, 0, 0 mm", "--sigma", "0 mm",
        "--kind", "measured", "--method", "the same axes", "--json",
    )  # fmt: skip
    assert json.loads(filed)["id"] == "core-in-rum-7-core"
