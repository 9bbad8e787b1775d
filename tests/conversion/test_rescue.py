"""A picture that lost its scale gets it back, or is refused."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image as Pillow
from PIL import ImageDraw

from tomarium import formats
from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.entities import records_of
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.cli.rescue import command
from tomarium.conversion.rescue import rescue
from tomarium.errors import InputError, ParameterError
from tomarium.formats.pictures.microscope_tags import microscope_tags
from tomarium.kernels.drawn_bars import find_bars
from tomarium.model import Part

GROUND = np.clip(90 + 30 * np.random.default_rng(1).standard_normal((480, 640)), 0, 255).astype(np.uint8)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def figure(length: int, kind: str = "white") -> Pillow.Image:
    made = Pillow.fromarray(GROUND).convert("RGB")
    draw = ImageDraw.Draw(made)
    ink, ground = (BLACK, WHITE) if kind == "black" else (WHITE, BLACK)
    draw.rectangle([0, 410, 639, 479] if kind == "ticks" else [185, 405, 220 + length, 452], fill=ground)
    draw.text((210, 416), "50 um", fill=ink)
    draw.rectangle([200, 434, 199 + length, 437], fill=ink)
    if kind == "ticks":
        for left in (200, 198 + length):
            draw.rectangle([left, 428, left + 1, 443], fill=ink)
    return made


def as_jpeg(picture: Pillow.Image) -> Pillow.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return Pillow.open(file)


@pytest.mark.parametrize("kind", ["white", "black", "ticks"])
@pytest.mark.parametrize("length", [60, 137, 310])
def test_a_bar_is_measured_to_half_a_pixel(kind: str, length: int) -> None:
    for picture in (figure(length, kind), as_jpeg(figure(length, kind))):
        bar = find_bars(np.asarray(picture))[0]
        assert bar.length_px == pytest.approx(length, abs=0.5)
        assert (bar.ticks_px > 0) == (kind == "ticks")


def test_a_picture_without_a_bar_has_none() -> None:
    assert find_bars(GROUND) == ()
    assert find_bars(np.zeros((100, 100), np.uint8)) == ()


def test_the_size_of_a_pixel_follows_with_its_uncertainty(tmp_path: Path) -> None:
    figure(137).save(tmp_path / "figure.png")
    opened = formats.open(tmp_path / "figure.png")
    found = rescue(opened, tmp_path / "figure.png", bar_m=50e-6)
    assert found.pixel_m == pytest.approx(50e-6 / 137, rel=0.004)
    assert 0.001 < found.sigma_m / found.pixel_m < 0.01
    assert [axis.unit for axis in found.image.axes[:2]] == ["m", "m"]
    measured = rescue(opened, tmp_path / "figure.png", bar_m=50e-6, bar_px=100.0, rows=slice(0, 400))
    assert measured.pixel_m == pytest.approx(0.5e-6)
    assert measured.image.shape[0] == 400
    assert rescue(opened, tmp_path / "figure.png", width_m=64e-6).pixel_m == pytest.approx(1e-7)


def test_two_bars_of_other_lengths_are_in_doubt(tmp_path: Path) -> None:
    picture = figure(137)
    draw = ImageDraw.Draw(picture)
    draw.rectangle([385, 405, 600, 452], fill=BLACK)
    draw.rectangle([400, 434, 579, 437], fill=WHITE)
    picture.save(tmp_path / "figure.png")
    with pytest.raises(InputError, match="several strips"):
        rescue(formats.open(tmp_path / "figure.png"), tmp_path / "figure.png", bar_m=50e-6)


def test_what_tells_nothing_is_refused(tmp_path: Path) -> None:
    Pillow.fromarray(GROUND).save(tmp_path / "plain.png")
    opened = formats.open(tmp_path / "plain.png")
    with pytest.raises(InputError, match="no scale bar was found"):
        rescue(opened, tmp_path / "plain.png", bar_m=50e-6)
    with pytest.raises(InputError, match="nothing in the file tells"):
        rescue(opened, tmp_path / "plain.png")
    with pytest.raises(ParameterError, match="tell one scale"):
        rescue(opened, tmp_path / "plain.png", bar_m=50e-6, pixel_m=1e-6)
    with pytest.raises(ParameterError, match="cannot be"):
        rescue(opened, tmp_path / "plain.png", pixel_m=50.0)


FEI = "[Scan]\r\nPixelWidth=5e-009\r\nPixelHeight=6e-009\r\n[Image]\r\nResolutionX=640\r\nResolutionY=420\r\n"
ZEISS = "\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 7.5 nm\r\n"
TESCAN = "AccFrames=1\r\nImageStripSize=60\r\nPixelSizeX=1.25e-8\r\nPixelSizeY=1.25e-8\r\n"


@pytest.mark.parametrize(
    ("tag", "text", "maker", "pixel_m", "rows"),
    [
        (34682, FEI, "FEI", 5e-9, 420),
        (34118, ZEISS, "Zeiss", 7.5e-9, None),
        (50431, TESCAN, "TESCAN", 1.25e-8, 420),
    ],
)
def test_tags_of_microscopes_tell_the_pixel(
    tag: int, text: str, maker: str, pixel_m: float, rows: int | None, tmp_path: Path
) -> None:
    place = tmp_path / "sem.tif"
    kind, value = (7, text.encode()) if maker == "TESCAN" else (2, text)
    tifffile.imwrite(place, GROUND, extratags=[(tag, kind, len(value), value, True)])
    found = microscope_tags(place)
    assert found is not None
    assert (found.maker, found.rows) == (maker, rows)
    assert found.pixel_m == pytest.approx(pixel_m)
    made = rescue(formats.open(place, as_format="picture"), place)
    assert made.image.shape == (rows or 480, 640)
    assert made.image.axes[0].scale == pytest.approx(6e-9 if maker == "FEI" else pixel_m)


def test_tags_that_are_no_numbers_tell_nothing(tmp_path: Path) -> None:
    text = FEI.replace("5e-009", "-1")
    tifffile.imwrite(tmp_path / "sem.tif", GROUND, extratags=[(34682, 2, len(text), text, True)])
    assert microscope_tags(tmp_path / "sem.tif") is None
    (tmp_path / "text.txt").write_text("no picture")
    assert microscope_tags(tmp_path / "text.txt") is None


HITACHI = "\r\n[SemImageFile]\r\nInstructName=S-4800\r\nDataSize=640x480\r\nPixelSize=24.80469\r\n"
JEOL = "$CM_FORMAT SEM\r\n$CM_FULL_SIZE 640 420\r\n$$SM_MICRON_BAR 160\r\n$$SM_MICRON_MARKER 5um\r\n"


@pytest.mark.parametrize(
    ("content", "maker", "pixel_m", "sigma_m", "rows"),
    [
        (HITACHI.encode(), "Hitachi", 24.80469e-9, 0.0, 480),
        (HITACHI.encode("utf-16"), "Hitachi", 24.80469e-9, 0.0, 480),
        (JEOL.encode(), "JEOL", 5e-6 / 160, 5e-6 / 160**2 / 12**0.5, 420),
        (JEOL.replace("5um", "500nm").encode(), "JEOL", 5e-7 / 160, 5e-7 / 160**2 / 12**0.5, 420),
    ],
)
def test_a_text_beside_a_picture_tells_the_pixel(
    content: bytes, maker: str, pixel_m: float, sigma_m: float, rows: int, tmp_path: Path
) -> None:
    place = tmp_path / "sem.png"
    Pillow.fromarray(GROUND).save(place)
    place.with_suffix(".txt").write_bytes(content)
    made = rescue(formats.open(place), place)
    assert made.image.shape == (rows, 640)
    assert made.pixel_m == pytest.approx(pixel_m, rel=1e-9)
    assert made.sigma_m == pytest.approx(sigma_m, rel=1e-9)
    assert made.by.endswith(f"in sem.txt of the {maker} microscope")


@pytest.mark.parametrize("content", [HITACHI, JEOL])
def test_a_text_of_other_pixels_is_refused(content: str, tmp_path: Path) -> None:
    place = tmp_path / "sem.png"
    Pillow.fromarray(GROUND[::2, ::2]).save(place)
    place.with_suffix(".txt").write_text(content)
    with pytest.raises(InputError, match="320 × 240 pixels"):
        rescue(formats.open(place), place)
    place.with_suffix(".txt").write_text("a letter about this picture")
    with pytest.raises(InputError, match="nothing in the file tells"):
        rescue(formats.open(place), place)


def test_a_record_keeps_the_file_the_bar_and_where_it_comes_from(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "raw.bin").write_bytes(b"1234")
    origin = file_record(raw, title="Raw slices", parts=(Part("image", "raw.bin", "raw"),))
    figure(137, "ticks").save(tmp_path / "figure.png")
    words = [str(tmp_path / "figure.png"), str(tmp_path / "figure-4"), "--bar", "50 um", "--from", str(raw)]
    answer = CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)
    assert "a pixel is 0.365 µm" in answer.output or "a pixel is 365 nm" in answer.output
    record = read_record(tmp_path / "figure-4")
    assert [(one.relation, one.identifier) for one in record.related] == [("IsDerivedFrom", origin.id)]
    assert {"figure.png", "calibrated.ome.tif", "scale-bar.png"} <= {one.path for one in record.files}
    again = formats.open(tmp_path / "figure-4" / "calibrated.ome.tif")
    assert again.axes[1].scale == pytest.approx(50e-6 / 137, rel=0.004)
    shown = np.asarray(Pillow.open(tmp_path / "figure-4" / "scale-bar.png"))
    assert (shown[430:442, 190:350] == (220, 30, 30)).all(axis=2).any()
    told = CliRunner().invoke(
        command, [words[0], "--width", "1 mm", "--json"], catch_exceptions=False, standalone_mode=False
    )
    assert json.loads(told.stdout)["pixel_m"] == pytest.approx(1e-3 / 640)


def test_a_record_is_filed_in_its_specimen(tmp_path: Path) -> None:
    place = tmp_path / "c.sqlite"
    with open_catalogue(place) as opened:
        make_entity(opened, LOCAL_OWNER, "specimen", "Lamella", {}, "lamella")
        make_entity(opened, LOCAL_OWNER, "proposal", "Beamtime", {}, "beamtime")
    figure(137).save(tmp_path / "figure.png")
    words = [
        str(tmp_path / "figure.png"),
        str(tmp_path / "figure-4"),
        "--bar",
        "50 um",
        "--catalogue",
        str(place),
    ]
    run = CliRunner().invoke
    for wrong, said in (("none", "there is no specimen"), ("beamtime", "is a proposal")):
        with pytest.raises(InputError, match=said):
            run(command, [*words, "--specimen", wrong], catch_exceptions=False, standalone_mode=False)
        assert not (tmp_path / "figure-4").exists()
    with pytest.raises(InputError, match="without an ending"):
        run(command, [words[0], "--specimen", "lamella"], catch_exceptions=False, standalone_mode=False)
    answer = run(command, [*words, "--specimen", "lamella"], catch_exceptions=False, standalone_mode=False)
    record = read_record(tmp_path / "figure-4")
    assert f"filed as {record.id} of the specimen lamella" in " ".join(answer.output.split())
    assert record.specimen == "lamella"
    with open_catalogue(place) as opened, opened.reading() as connection:
        assert [id for id, _ in records_of(connection, LOCAL_OWNER, "lamella")] == [record.id]
