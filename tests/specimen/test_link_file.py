"""Links as JSON: what is written is read, and what cannot be is refused with what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specimen_links import A, B, covariance_of, link, matrix_of
from tomarium.errors import FormatError, InputError, UnitError
from tomarium.model.link import Landmark, Link, read_frame
from tomarium.specimen.alignment_file import as_link_json, is_alignment
from tomarium.specimen.by_hand import link_by_hand
from tomarium.specimen.link_file import FORM, checked, link_json, link_of, read_link, write_link
from tomarium.specimen.pose import apply


def full() -> Link:
    random = np.random.default_rng(2)
    made = link(A, B, matrix_of(random, mirrored=True), covariance_of(random), mirrored=True, kind="landmark")
    return replace(
        made, centre_m=(1e-3, 0.0, 2e-3), residual_m=3e-6, version=3, author="Ada Lovelace", date="2026-11-20",
        landmarks=(Landmark("pore", (0.0, 0.0, 0.0), (1e-3, 0.0, 0.0)),), method="by eye", software="tomarium 0.1",
        evidence="https://example.org/book/7", withdrawn="another sample",
    )  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_link(tmp_path / "link.json", full())
    assert read_link(tmp_path / "link.json") == full()
    told = json.loads((tmp_path / "link.json").read_text())
    assert (told["form"], told["from"], told["to"], told["unit"]) == (FORM, A, B, "m")


def test_files_of_align_that_know_no_catalogue_are_read() -> None:
    told = link_json(link(A, B)) | {"from": "/data/ct.ome.zarr", "to": "", "score": 0.8}
    made = link_of(told)
    assert (made.from_frame, made.to_frame) == ("", "")


def change(**keys: object) -> dict[str, object]:
    return link_json(link(A, B)) | keys


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (change(form="tomarium link 9"), "tomarium link 1"),
        (change(unit="mm"), "in metres"),
        (change(matrix=[[1, 0, 0, 0]]), "4 x 4 numbers"),
        (change(matrix=np.diag([1.0, 1.0, 2.0, 1.0]).tolist()), "shears"),
        (change(matrix=np.diag([1e3, 1e3, 1e3, 1.0]).tolist()), "both frames are in metres"),
        (change(matrix=np.diag([1.0, 1.0, -1.0, 1.0]).tolist()), "does not say so"),
        (change(mirrored=True), "its matrix is a rotation"),
        (change(covariance=(-np.eye(6)).tolist()), "symmetric and positive"),
        (change(covariance=np.triu(np.ones((6, 6))).tolist()), "symmetric and positive"),
        (change(covariance=[[float("nan")] * 6] * 6), "not finite"),
        (change(kind="guessed"), "does not exist"),
        (change(to=A), "with itself"),
        (change(date="yesterday"), "no day"),
        (change(version=0), "no number from 1"),
        (change(residual_m=-1.0), "no length"),
        (change(mirrored="no"), "true or false"),
        (change(method=7), "no text"),
        ({"form": FORM}, "is missing"),
    ],
)
def test_what_cannot_be_is_refused(told: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        link_of(told)


def test_no_json_is_refused(tmp_path: Path) -> None:
    for content in (b"{", b"[]", b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "link.json").write_bytes(content)
        with pytest.raises(FormatError, match=r"link\.json"):
            read_link(tmp_path / "link.json")


def test_units_are_metres() -> None:
    with pytest.raises(UnitError):
        checked(link(A, B, np.diag([1e-3, 1e-3, 1e-3, 1.0])))


@pytest.mark.parametrize(
    "text", ["records/a/image-0", "specimens/a/image-2", "records/A", "records/a/b", "a", ""]
)
def test_names_of_frames_are_checked(text: str) -> None:
    with pytest.raises(InputError, match="no name of a frame"):
        read_frame(text)


def test_by_hand() -> None:
    made = checked(
        link_by_hand(A, B, "1, 2, 3 mm", "0, 0, 90 deg", "20 um", "1 deg", None, middle_m=(1e-3, 0.0, 0.0))
    )
    np.testing.assert_allclose(apply(np.asarray(made.matrix), (1e-3, 0, 0)), (1e-3, 3e-3, 3e-3), atol=1e-15)
    np.testing.assert_allclose(made.centre_m, (1e-3, 3e-3, 3e-3), atol=1e-15)
    np.testing.assert_allclose(np.sqrt(np.diag(made.covariance)), [np.deg2rad(1)] * 3 + [2e-5] * 3)
    assert made.kind == "assumed"
    with pytest.raises(InputError, match="sigma-turn"):
        link_by_hand(A, B, "1, 2, 3 mm", None, "20 um", None, None)
    with pytest.raises(InputError, match="three angles"):
        link_by_hand(A, B, "1, 2, 3 mm", "90 deg", "20 um", "1 deg", None)
    assert checked(link_by_hand(A, B, "1, 2, 3 mm", None, "0 um", None, "x")).mirrored


def aligned(**keys: object) -> dict[str, object]:
    """Make what `tomarium align --out` writes."""
    told = link_json(link(A, B, centre_m=(1e-3, 0.0, 0.0)))
    kept = {key: told[key] for key in ("matrix", "covariance", "centre_m")}
    return kept | {"accepted": True, "mirrored": False, "method": "mutual information", "score": 0.812} | keys


def test_an_alignment_is_a_link() -> None:
    assert is_alignment(aligned())
    assert not is_alignment(link_json(link(A, B)))
    made = link_of(as_link_json(aligned(tre_m=3e-6, figures={"residual_m": 2e-6}), "link.json"))
    assert (made.kind, made.residual_m, made.centre_m) == ("automatic", 2e-6, (1e-3, 0.0, 0.0))
    assert made.method == "tomarium align: mutual information, score 0.812, error 3 µm"
    assert link_of(as_link_json(aligned(method="landmarks", score=None), "link.json")).kind == "landmark"
    with pytest.raises(InputError, match="not accepted"):
        as_link_json(aligned(accepted=False), "link.json")
    with pytest.raises(InputError, match="nobody knows how well"):
        as_link_json(aligned(covariance=[[None] * 6] * 6), "link.json")


def test_what_two_flat_images_leave_open_is_not_known_exactly() -> None:
    spread = np.diag([0, 0, 1e-6, 1e-12, 1e-12, 0]).tolist()
    flat = aligned(covariance=spread, freedoms=["rotation z", "shift x", "shift y"])
    with pytest.raises(InputError, match="rotation x, rotation y, shift z"):
        as_link_json(flat, "link.json")
    made = link_of(as_link_json(flat, "link.json", 2e-5, 1e-2))
    np.testing.assert_allclose(np.sqrt(np.diag(made.covariance)), [1e-2, 1e-2, 1e-3, 1e-6, 1e-6, 2e-5])
