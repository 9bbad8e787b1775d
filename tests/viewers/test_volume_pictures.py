"""Pictures of a volume: rings become lines where they are, the turntable turns and is small."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from tomarium.cli.picture import command
from tomarium.errors import InputError
from tomarium.viewers import volume_pictures as pictures
from tomarium.viewers.volume import open_volume


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    return make_volume(tmp_path_factory.mktemp("pictures") / "volume.ome.zarr", size=32)


def test_a_ring_is_an_upright_line_at_its_radius() -> None:
    y, x = np.mgrid[:81, :71].astype(float)
    image = np.exp(-(((np.hypot(y - 43, x - 33) - 17.0) / 2) ** 2))
    flat = pictures.polar(image, (43.0, 33.0))
    assert flat.shape[1] == 34  # radius 0 to 33, the nearest edge
    assert set(flat.argmax(axis=1)) == {17}
    assert flat[:, 17].min() > 0.9


def test_a_half_plane_is_half_of_the_angles() -> None:
    flat = pictures.polar((np.mgrid[:41, :41][0] > 20).astype(float))
    assert flat[:, 10].mean() == pytest.approx(0.5, abs=0.02)
    assert flat[len(flat) // 4, 10] == 1.0  # down the rows at a quarter of the turn
    assert flat[3 * len(flat) // 4, 10] == 0.0


def test_an_axis_at_the_edge_is_refused() -> None:
    with pytest.raises(InputError, match="row 0, column 3 has no circle"):
        pictures.polar(np.zeros((8, 8)), (0.0, 3.0))


def test_the_turntable_turns_once_and_is_small(place: Path) -> None:
    content = pictures.turntable(open_volume(place), frames=4, pixels=64)
    moving = Pillow.open(BytesIO(content))
    frames = []
    for number in range(moving.n_frames):
        moving.seek(number)
        frames.append(np.asarray(moving.convert("L"), float))
    assert len(frames) == 4
    assert len(content) < pictures.TURN_BYTES
    shown = np.array([frame > 30 for frame in frames])
    assert shown.mean(axis=(1, 2)).min() > 0.1  # the object is there from each side
    assert not shown[:, :4].any()  # and is not cut off
    assert np.abs(frames[0] - frames[2]).mean() > 3


def test_the_sheet_shows_every_slice_of_a_few(place: Path) -> None:
    sheet = Pillow.open(BytesIO(pictures.sheet(open_volume(place), 4)))
    assert sheet.size == (32 * 2 + 4, 32 * 2 + 4)
    assert np.asarray(sheet).std() > 20


def test_the_histogram_is_high_where_the_greys_are(place: Path) -> None:
    drawn = np.asarray(Pillow.open(BytesIO(pictures.histogram(open_volume(place)))))
    assert drawn.shape == (480, 960)
    bars = (drawn[16:416, 20:940] == 90).sum(axis=0)
    assert bars.max() == pytest.approx(400, abs=2)
    assert (bars > 0).mean() > 0.5


def test_the_command_writes_a_picture_and_says_what_it_cannot(place: Path, tmp_path: Path) -> None:
    asked = [str(place), "-o", str(tmp_path / "a.png"), "--kind"]
    run = CliRunner()
    for kind in ("rings", "thumbnail"):
        done = run.invoke(command, [*asked, kind, "--force"], standalone_mode=False)
        assert done.exit_code == 0, done.output
        with Pillow.open(tmp_path / "a.png") as drawn:
            assert drawn.mode == "L"
    for given, told in (
        ([*asked, "turntable"], "turntable is written as .webp"),
        ([*asked, "sheet"], "is there already"),
        ([*asked, "axis", "--force"], "reconstructed from a SCAN"),
    ):
        assert told in str(run.invoke(command, given, standalone_mode=False).exception)
