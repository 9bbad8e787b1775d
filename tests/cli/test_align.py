"""`tomarium align`: what it writes, how it ends, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from tomarium import formats
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.cli import execute
from tomarium.cli.align import _chance_rows
from tomarium.specimen.alignment import Alignment
from tomarium.specimen.alignment_file import as_link_json
from tomarium.specimen.image import image_of_array
from tomarium.specimen.landmarks import Landmark, write_landmarks
from tomarium.synth.rock import image, rock

PIXEL_M = 10e-6


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two maps of one plane, the second without four columns and six rows at its beginning, and one of another rock."""
    home = tmp_path_factory.mktemp("maps")
    draw = np.random.default_rng(0)
    for seed, name in ((1, ""), (2, "other-")):
        drawn = rock(48 * PIXEL_M, seed, coarseness=1.6)
        pose = np.eye(4)
        pose[2, 3] = 24 * PIXEL_M
        for signal in ("bse", "si"):
            seen = draw.poisson(40 * image(drawn, (1, 48, 48), (PIXEL_M,) * 3, pose, signal=signal))[0]
            part = seen[6:, 4:] if signal == "si" else seen
            tifffile.imwrite(home / f"{name}{signal}.tif", part.astype(np.uint16))
    return home


GIVEN = ("--pixel", "10 um", "--pixel-fixed", "10 um")


def test_a_map_is_found_written_and_drawn(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link, check = tmp_path / "link.json", tmp_path / "check.png"
    words = ["align", str(maps / "bse.tif"), str(maps / "si.tif"), *GIVEN, "--near"]
    assert execute([*words, "-o", str(link), "--picture", str(check)]) == 0
    told = json.loads(link.read_text())
    assert told["accepted"]
    assert np.array(told["matrix"])[:2, 3] == pytest.approx([4 * PIXEL_M, 6 * PIXEL_M], abs=0.2 * PIXEL_M)
    assert "found" in capsys.readouterr().out
    with Picture.open(check) as drawn:
        assert drawn.size[0] > drawn.size[1] > 250
    assert execute([*words, "-o", str(link)]) == 2  # it is there already


def test_the_folder_of_a_record_tells_its_own_pixel_size(maps: Path, tmp_path: Path) -> None:
    folders = []
    for name in ("bse", "si"):
        opened = formats.open(maps / f"{name}.tif", pixel_m=PIXEL_M)
        wish = Wish(tmp_path / name, title=name)
        folders.append(str(make_from_files(maps / f"{name}.tif", opened, wish)[1]))
    link = tmp_path / "link.json"
    assert execute(["align", *folders, "--near", "--no-mirror", "-o", str(link)]) == 0
    told = json.loads(link.read_text())
    assert np.array(told["matrix"])[:2, 3] == pytest.approx([4 * PIXEL_M, 6 * PIXEL_M], abs=0.2 * PIXEL_M)


def test_a_mirror_image_is_said_first(maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flipped, link = tmp_path / "flipped.tif", tmp_path / "link.json"
    tifffile.imwrite(flipped, tifffile.imread(maps / "si.tif")[:, ::-1])
    assert execute(["align", str(maps / "bse.tif"), str(flipped), *GIVEN, "--near", "-o", str(link)]) == 0
    assert capsys.readouterr().out.startswith("found mirrored\n")
    told = json.loads(link.read_text())
    assert told["mirrored"]
    assert as_link_json(told, "link.json", 1e-6, 0.01)["method"].startswith("found mirrored, tomarium align")


def test_a_wrong_pixel_size_is_found_with_its_error(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "link.json"
    files = [str(maps / "bse.tif"), str(maps / "si.tif")]
    given = ["--pixel", "10.5 um", "--pixel-fixed", "10 um", "--near", "--no-mirror", "--scale"]
    assert execute(["align", *files, *given, "-o", str(link)]) == 0
    assert "scale " in capsys.readouterr().out
    told = json.loads(link.read_text())
    sigma = told["figures"]["scale_sigma"]
    assert 0.0005 < sigma < 0.02
    assert abs(told["scale"] - 10 / 10.5) < 4 * sigma


def test_a_map_of_another_rock_ends_with_1_and_its_candidates(
    maps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["align", str(maps / "bse.tif"), str(maps / "other-si.tif"), *GIVEN, "--near"]) == 1
    printed = capsys.readouterr()
    assert "not found" in printed.out
    assert "candidate: " in printed.out
    assert "the best pose" in printed.err or "another place" in printed.err


@pytest.mark.parametrize(
    ("accepted", "chance", "confidence", "answer"),
    [
        (True, 0.01, "high", "found mirrored"),
        (False, 0.01, "low", "found mirrored with low confidence and not accepted"),
        (False, 0.19, "low", "found mirrored with low confidence and not accepted"),
        (False, 0.3, "none", "not found"),
    ],
)
def test_what_may_be_right_is_told_from_what_is_not_found(
    accepted: bool, chance: float, confidence: str, answer: str
) -> None:
    found = Alignment(
        np.eye(4), np.eye(6), np.zeros(3), accepted, 0.5, 0.4, 1e-6, True, 1.0, "", figures={"chance": chance}
    )
    assert (found.confidence, found.answer, found.as_data()["confidence"]) == (confidence, answer, confidence)


@pytest.mark.parametrize(
    ("level", "chance", "said"),
    [
        (0.4, 0.012, "1.2 %"),
        (0.4, 1.0, "100 %"),
        (float("nan"), 1.0, "too few other places were found to compare it with, so its chance is not known"),
    ],
)
def test_a_chance_is_told_where_it_is_known(level: float, chance: float, said: str) -> None:
    told = _chance_rows(
        Alignment(
            np.eye(4),
            np.eye(6),
            np.zeros(3),
            False,
            0.5,
            level,
            1e-6,
            False,
            1.0,
            "",
            figures={"chance": chance},
        )
    )
    assert said in [cell for row in told for cell in row]
    assert not any("nan" in cell or "e+" in cell for row in told for cell in row)


def test_landmarks_are_fitted(maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [(0, 0, 0), (200, 0, 0), (0, 200, 0), (150, 120, 0)]
    points = [
        Landmark(str(i), (x * 1e-6, y * 1e-6, 0), ((x + 40) * 1e-6, (y + 60) * 1e-6, 0))
        for i, (x, y, _) in enumerate(places)
    ]
    write_landmarks(tmp_path / "points.csv", points)
    words = ["align", str(maps / "bse.tif"), str(maps / "si.tif"), *GIVEN]
    words += ["--landmarks", str(tmp_path / "points.csv")]
    assert execute([*words, "--landmark-unit", "um", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert np.array(told["matrix"])[:2, 3] == pytest.approx([40e-6, 60e-6], abs=1e-12)
    assert told["score"] is None
    assert execute(words) == 2  # without a unit


def test_an_image_without_a_pixel_size_is_refused(maps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["align", str(maps / "bse.tif"), str(maps / "si.tif")]) == 2
    assert "--pixel-fixed" in capsys.readouterr().err


def test_what_holds_no_matrix_is_no_start(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "start.json").write_text("{}")
    words = ["align", str(maps / "bse.tif"), str(maps / "si.tif"), *GIVEN]
    assert execute([*words, "--start", str(tmp_path / "start.json")]) == 2
    assert "holds no matrix" in capsys.readouterr().err


def test_an_image_of_an_array_says_its_middle() -> None:
    assert image_of_array(np.zeros((3, 5)), 2.0).centre_m == (4.0, 2.0, 0.0)
