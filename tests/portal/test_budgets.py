"""What a reader's browser must fetch: small pages, one stylesheet, fonts of its own, no style in the pages."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import tomarium.portal
from app_client import TestClient

STATIC = Path(tomarium.portal.__file__).parent / "static"
SHEET = (STATIC / "tomarium.css").read_text(encoding="utf-8")
FONTS = re.findall(r"url\((fonts/[\w.-]+)\)", SHEET)


def zipped(text: bytes) -> int:
    return len(gzip.compress(text, 9))


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/", 8_000),
        ("/records", 8_000),
        ("/records/tooth", 9_000),  # as its owner sees it, with the form of its log book
        ("/about", 8_000),
        ("/api", 10_000),  # a line for every address
        ("/nothing", 8_000),
    ],
)
def test_pages_are_small(client: TestClient, address: str, most: int) -> None:
    assert zipped(client.get(address).content) <= most


def test_first_view_is_small(client: TestClient) -> None:
    page = client.get("/").content
    latin = sum((STATIC / font).stat().st_size for font in FONTS if "-ext-" not in font)
    assert zipped(SHEET.encode()) <= 9_000
    assert latin <= 80_000
    pictures = [
        address
        for tag in re.findall(r"<img[^>]+>", page.decode())
        if "lazy" not in tag
        for address in re.findall(r'src="([^"]+)"', tag)
    ]
    assert len(pictures) == 1  # the specimen; cards wait until they are near
    shown = sum(len(client.get(address).content) for address in pictures)
    assert zipped(page) + zipped(SHEET.encode()) + latin + shown <= 260_000


def test_pictures_say_their_size(client: TestClient) -> None:
    for address in ("/", "/records", "/records/tooth"):
        for tag in re.findall(r"<img[^>]+>", client.get(address).text):
            assert re.search(r'width="\d+" height="\d+"', tag), tag


def test_fonts_are_here_with_their_licences(client: TestClient) -> None:
    assert len(FONTS) == 6
    for font in FONTS:
        assert (STATIC / font).read_bytes()[:4] == b"wOF2"
    for family in ("newsreader", "source-sans-3"):
        text = (STATIC / "fonts" / f"OFL-{family}.txt").read_text(encoding="utf-8")
        assert "SIL OPEN FONT LICENSE Version 1.1" in text
    preloaded = re.findall(r'rel="preload" href="/static/([^"]+)"', client.get("/").text)
    assert set(preloaded) <= set(FONTS)  # the same address, else the font is fetched twice
    assert preloaded


def test_other_letters_load_on_need_only() -> None:
    faces = re.findall(r"@font-face \{[^}]+\}", SHEET)
    assert all("unicode-range" in face and "font-display: swap" in face for face in faces)
    extended = [face for face in faces if "-ext-" in face]
    assert len(extended) == len(faces) / 2
    assert all("U+0100-02BA" in face for face in extended)


def test_nothing_of_another_host_is_in_the_stylesheet() -> None:
    assert not re.findall(r"https?:|//|@import", SHEET)
    assert SHEET.count("{") == SHEET.count("}")
