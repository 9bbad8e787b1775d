"""Landmarks: the map that fits them, what is said of its error, and BigWarp's file."""

from pathlib import Path

import numpy as np
import pytest

from tomarium.errors import FormatError, InputError
from tomarium.kernels.alignment.refine import mapped, small_motion
from tomarium.specimen.landmarks import Landmark, align_landmarks, read_landmarks, write_landmarks
from tomarium.synth.rock import pose_about

POSE = pose_about((1e-3, 2e-3, 0), (20, -35, 70), (1e-4, -2e-4, 5e-5))


def landmarks(count: int, sigma_m: float, seed: int, matrix: np.ndarray = POSE) -> list[Landmark]:
    draw = np.random.default_rng(seed)
    moving = draw.uniform(0, 1e-3, (count, 3))
    fixed = mapped(matrix, moving) + draw.normal(0, sigma_m, (count, 3))
    return [
        Landmark(f"Pt-{i}", tuple(m), tuple(f)) for i, (m, f) in enumerate(zip(moving, fixed, strict=True))
    ]


def test_exact_landmarks_give_the_exact_map() -> None:
    found = align_landmarks(landmarks(5, 0, 1))
    assert np.allclose(found.matrix, POSE, atol=1e-12)
    assert found.accepted
    assert not found.mirrored


def test_a_mirror_image_and_a_factor_are_found() -> None:
    matrix = POSE @ np.diag([-1.03, 1.03, 1.03, 1])
    found = align_landmarks(landmarks(8, 1e-7, 2, matrix), scale=True)
    assert found.mirrored
    assert found.scale == pytest.approx(1.03, abs=4 * found.figures["scale_sigma"])
    assert np.allclose(found.matrix, matrix, atol=2e-3)


def test_the_covariance_covers_the_truth() -> None:
    squares = []
    for seed in range(100):
        found = align_landmarks(landmarks(12, 2e-6, seed), mirror=False)
        motion = found.matrix @ np.linalg.inv(POSE)
        turn = 0.5 * np.array(
            [motion[2, 1] - motion[1, 2], motion[0, 2] - motion[2, 0], motion[1, 0] - motion[0, 1]]
        )
        # The truth is a small motion about the centre after the matrix that was found.
        shift = found.centre_m - mapped(np.linalg.inv(motion), found.centre_m[None])[0]
        off = np.concatenate([turn, shift])
        squares.append(off @ np.linalg.solve(found.covariance, off))
    # Six freedoms, a variance from 30: 6 · F(6, 30), whose mean is 6 · 30 / 28.
    assert np.mean(squares) == pytest.approx(6.43, abs=4 * np.std(squares) / np.sqrt(100))


def test_small_motion_is_what_the_covariance_is_of() -> None:
    centre = np.array([1.0, 2.0, 3.0])
    made = small_motion(np.array([0, 0, 1e-3, 0.1, 0, 0]), (0, 1, 2, 3, 4, 5), centre)
    assert np.allclose(mapped(made, centre[None])[0], centre + np.array([0.1, 0, 0]))


def test_files_of_bigwarp_are_read_and_written(tmp_path: Path) -> None:
    file = tmp_path / "landmarks.csv"
    points = landmarks(4, 0, 3)
    write_landmarks(file, points)
    back = read_landmarks(file, "um")
    assert [one.name for one in back] == [one.name for one in points]
    assert np.allclose([one.fixed_m for one in back], [one.fixed_m for one in points])
    with file.open("a") as added:
        added.write(
            '"Pt-4","false","1","2","3","4","5","6"\n"Pt-5","true","1","2","3","Infinity","Infinity","Infinity"\n'
        )
        added.write('"Pt-6","true","1","2","4","5"\n')
    assert [one.name for one in read_landmarks(file, "um")][4:] == ["Pt-6"]
    file.write_text('"Pt-0","true","a","2","3","4","5","6"\n')
    with pytest.raises(FormatError, match="line 1"):
        read_landmarks(file, "um")


def test_too_few_and_a_line_are_refused() -> None:
    with pytest.raises(InputError, match="3 were given"):
        align_landmarks(landmarks(3, 0, 4))
    line = [Landmark(str(i), (i * 1e-3, 0, 0), (0, i * 1e-3, 0)) for i in range(5)]
    with pytest.raises(InputError, match="one line"):
        align_landmarks(line)
