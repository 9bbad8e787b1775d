"""Thumbnails come as WebP to browsers that show them on a page, and as the file to everybody else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from app_client import TestClient
from tomarium.portal import webp
from tomarium.viewers.picture import png

ADDRESS = "/records/tooth/files/previews/thumbnail.png"
OF_A_PAGE = {"Accept": "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"}  # as Chromium asks for an <img>


def grains(pixels: int) -> np.ndarray:
    """Grey values with noise, as a slice has them."""
    draw = np.random.default_rng(1)
    rows, columns = np.mgrid[:pixels, :pixels] / pixels
    return np.clip(
        128 + 60 * np.sin(25 * rows) * np.cos(19 * columns) + draw.normal(0, 8, rows.shape), 0, 255
    ).astype(np.uint8)


@pytest.fixture
def noisy(folder: Path) -> Iterator[bytes]:
    """A thumbnail as large as those of real records, in the place of the one of 32 pixels."""
    path = folder / webp.THUMBNAIL
    kept, content = path.read_bytes(), png(grains(512), window=(0, 255))
    path.write_bytes(content)
    yield content
    path.write_bytes(kept)


def test_a_page_gets_a_third_of_the_bytes_and_the_same_picture(client: TestClient, noisy: bytes) -> None:
    answer = client.get(ADDRESS, headers=OF_A_PAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''thumbnail.webp"
    assert len(answer.content) < len(noisy) / 3
    shown, meant = (
        np.asarray(Pillow.open(BytesIO(content)).convert("L"), float) for content in (answer.content, noisy)
    )
    assert shown.shape == meant.shape
    assert np.sqrt(np.mean((shown - meant) ** 2)) < 8  # the noise of the picture
    assert abs(shown.mean() - meant.mean()) < 0.5
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    again = client.get(ADDRESS, headers={**OF_A_PAGE, "If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "image/png"},
        {
            "Accept": "text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8"
        },  # the file itself is opened
    ],
)
def test_everybody_else_gets_the_file(client: TestClient, noisy: bytes, headers: dict[str, str]) -> None:
    answer = client.get(ADDRESS, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == noisy
    assert answer.headers["vary"] == "Accept"
    part = client.get(ADDRESS, headers={**OF_A_PAGE, "Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")


def test_a_changed_thumbnail_is_made_anew(client: TestClient, noisy: bytes, folder: Path) -> None:
    before = client.get(ADDRESS, headers=OF_A_PAGE)
    (folder / webp.THUMBNAIL).write_bytes(png(255 - grains(512), window=(0, 255)))
    after = client.get(ADDRESS, headers=OF_A_PAGE)
    assert after.headers["etag"] != before.headers["etag"]


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n", b""])
def test_what_cannot_be_read_comes_as_it_is(
    client: TestClient, noisy: bytes, folder: Path, content: bytes
) -> None:
    (folder / webp.THUMBNAIL).write_bytes(content)
    answer = client.get(ADDRESS, headers=OF_A_PAGE)
    assert (answer.headers["content-type"], answer.content) == ("image/png", content)


def test_a_bomb_and_16_bits_are_left_alone() -> None:
    for picture in (
        Pillow.new("L", (2000, 2000)),
        Pillow.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)),
    ):
        held = BytesIO()
        picture.save(held, "PNG")
        assert webp.as_webp(held.getvalue()) is None


def test_where_webp_is_no_smaller_the_file_comes() -> None:
    held = BytesIO()
    Pillow.new("L", (1, 1)).save(held, "PNG")
    grown = BytesIO()
    Pillow.new("L", (1, 1)).save(grown, "WEBP", quality=webp.QUALITY)
    small = held.getvalue()
    assert (webp.as_webp(small) is None) == (len(grown.getvalue()) >= len(small))
