"""The documentation as a site: nothing comes from another host, no link is broken, and it is found and read."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from chromium import wait_for, wait_until, width

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "zensical.toml"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
NOT_LOADED = {"prev", "next", "canonical"}


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    pytest.importorskip("zensical", reason="the group `docs` is not installed")
    spec = importlib.util.spec_from_file_location("build_documentation", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once, away from the working copy."""
    home = tmp_path_factory.mktemp("documentation")
    shutil.copytree(ROOT / "docs", home / "docs")
    shutil.copy(CONFIG, home)
    built: Path = builder.build(home / CONFIG.name)
    return built


class Addresses(HTMLParser):
    """What a page loads, what it links to, and its anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = dict(attributes)
        if told.get("id"):
            self.anchors.add(str(told["id"]))
        if tag == "a" and told.get("href"):
            self.linked.append(str(told["href"]))
        if told.get(LOADED.get(tag, "-")) and told.get("rel") not in NOT_LOADED:
            self.loaded.append(str(told[LOADED[tag]]))


def _pages(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for one in value.values() if isinstance(value, dict) else value:
            yield from _pages(one)


def test_every_page_has_its_place() -> None:
    """A new page is named in the `nav` of zensical.toml, once, where its readers look for it."""
    told = sorted(_pages(tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]["nav"]))
    there = sorted(page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md"))
    assert told == there


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    pages = {page: Addresses(page) for page in site.rglob("*.html")}
    assert len(pages) > 60
    foreign = {one for page in pages.values() for one in page.loaded if urlsplit(one).netloc}
    assert foreign == set()
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"@import|url\(['\"]?(?:https?:)?//", text) == [], sheet


def test_what_a_page_loads_and_links_to_is_there(site: Path) -> None:
    pages = {page: Addresses(page) for page in site.rglob("*.html") if page.name != "404.html"}
    for page, told in pages.items():
        for address in [*told.loaded, *told.linked]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page.relative_to(site)} names {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, (
                    f"{page.relative_to(site)}: {address}"
                )
    style = (site / "style" / "site.css").read_text(encoding="utf-8")
    fonts = set(re.findall(r"url\((fonts/[^)]+)\)", style))
    assert fonts
    assert all((site / "style" / font).exists() for font in fonts)


def test_a_broken_link_fails(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n[nowhere](nowhere.md)\n")
    config = tmp_path / CONFIG.name
    config.write_text(
        '[project]\nsite_name = "x"\ndocs_dir = "docs"\nsite_dir = "site"\nnav = ["index.md"]\n'
    )
    with pytest.raises(subprocess.CalledProcessError):
        builder.build(config)


FOCUSED = """() => {
  let held = document.activeElement;
  while (held?.shadowRoot?.activeElement) held = held.shadowRoot.activeElement;
  return held instanceof HTMLInputElement;
}"""
"""Whether keys reach the field of the search; elsewhere they are those of the page."""


def test_it_is_read_from_a_folder(site: Path, page: Any) -> None:
    """From plain files: own fonts and colours, light and dark, and a search that finds."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    wait_until(
        page, "document.fonts.check('500 20px Newsreader') && document.fonts.check('16px \"Source Sans 3\"')"
    )
    assert "Source Sans 3" in page.evaluate("getComputedStyle(document.body).fontFamily")
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    wait_until(page, f"{background} === 'rgb(242, 241, 234)'")
    page.emulate_media(color_scheme="dark")
    wait_until(page, f"{background} === 'rgb(18, 21, 19)'")
    page.locator("button.md-search__button").click()
    wait_until(page, FOCUSED)
    page.keyboard.type("paganin")
    # Enter opens the first result, which is that of fewer letters until the whole word has been looked for.
    found = page.locator('a[href*="?h=paganin"]').first
    wait_for(page, lambda: "/reference/steps.html" in (found.get_attribute("href") or ""), "steps come first")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reference/steps.html*")
    assert {urlsplit(one).scheme for one in asked} <= {"file", "data", "blob"}


def test_it_fits_a_phone(site: Path, phone: Any) -> None:
    for name in (
        "index.html",
        "how-to/rings.html",
        "reference/commands.html",
        "explanation/architecture.html",
    ):
        phone.goto((site / name).as_uri())
        wide = width(phone)
        assert wide <= 390, f"{name} is {wide} wide"
