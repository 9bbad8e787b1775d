"""HDF5 files that the browser itself reads: before they are sent, and on a site of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

import tomarium
from chromium import FORBIDDEN, wait_until
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Part, Person
from tomarium.portal import hdf5
from tomarium.portal.built import built
from tomarium.portal.site.build import build_site

pytestmark = pytest.mark.skipif(
    built("hdf5-worker") is None, reason="the scripts of the pages are not built (make web)"
)
FRAMES = 12


def write_nxtomo(path: Path, **compression: Any) -> Path:
    """Write 9 projections, 2 flats and 1 dark whose right half is bright, without an energy; by h5py alone."""
    frames = np.full((FRAMES, 40, 60), 100, np.uint16)
    frames[:, :, 30:] = 900
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector.create_dataset("data", data=frames, chunks=(1, 40, 60), **compression)
        detector["image_key"] = [2, 1, 1] + [0] * 9
        detector["x_pixel_size"] = np.float32(6.5)
        detector["x_pixel_size"].attrs["units"] = "micron"
        detector["distance"] = 0.035
        detector["distance"].attrs["units"] = "m"
        entry["sample/rotation_angle"] = np.r_[0, 0, 0, np.linspace(0, 160, 9)]
        entry["sample/rotation_angle"].attrs["units"] = "degrees"
        entry["sample/name"] = "a mouse’s femur"
    return path


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[str]:
    home = tmp_path_factory.mktemp("look")
    with open_catalogue(home / "catalogue.sqlite") as catalogue, serving(catalogue) as address:
        yield f"{address}/upload"


def choose(page: Any, address: str, *files: Path, folder: bool = False) -> str:
    """Choose files on the page of uploads, and return what is told of them."""
    if page.url != address:
        page.goto(address)
        page.click("#look-first summary")
    page.evaluate("document.querySelector('#hdf5-file h3')?.remove()")
    place = page.locator("#hdf5-file input[type=file]").nth(int(folder))
    place.set_input_files(str(files[0]) if folder else [str(file) for file in files])
    wait_until(page, "document.querySelector('#hdf5-file h3, #hdf5-file .grave')")
    return str(page.inner_text("#hdf5-file")).replace("\u00a0", " ")


def grey(page: Any) -> np.ndarray[Any, Any]:
    """Return the picture that is shown."""
    place = page.locator("#hdf5-file canvas")
    place.scroll_into_view_if_needed()
    return np.asarray(Image.open(BytesIO(place.screenshot())).convert("L"), float)


def pixels(page: Any) -> np.ndarray[Any, Any]:
    """Return the picture's own pixels."""
    told = page.evaluate(
        "(() => { const one = document.querySelector('#hdf5-file canvas');"
        "const data = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;"
        "return [one.height, one.width, [...data].filter((_, at) => at % 4 === 0)]; })()"
    )
    return np.reshape(told[2], told[:2])


def choose_in_tree(page: Any, *names: str) -> None:
    """Open groups and choose a dataset in the tree."""
    for name in names[:-1]:
        page.locator(".hdf5-tree summary", has_text=name).first.click()
        wait_until(page, "!document.querySelector('.hdf5-tree').innerText.includes('…')")
    page.locator(".hdf5-tree button", has_text=names[-1]).first.click()
    wait_until(page, f"document.querySelector('.hdf5-panel h4')?.innerText.endsWith('/{names[-1]}')")


def test_a_scan_is_told_before_anything_is_sent(
    upload: str, page: Any, tmp_path: Path, axe: Callable[[Any], list[str]]
) -> None:
    file = write_nxtomo(tmp_path / "femur.nx", **hdf5plugin.Zstd())
    page.goto(upload)
    page.click("#look-first summary")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url.rpartition('/')[2]}"))
    told = choose(page, upload, file)
    assert "This looks like NXtomo (NeXus, HDF5) in /entry." in told
    assert "9 projections, 2 flats, 1 dark of 40 × 60 pixels, uint16" in told
    assert "9, from 0° to 160°" in told
    assert "6.5 µm" in told
    assert "35 mm" in told
    assert "Missing: energy." in told
    scan = tomarium.open(file)
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pytest.approx(6.5e-6)
    assert scan.energy_kev is None
    assert sorted(asked) == ["GET hdf5-worker.js", "GET zstd.wasm"]
    shown = grey(page)
    assert shown[:, : shown.shape[1] // 3].mean() < 20
    assert shown[:, -shown.shape[1] // 3 :].mean() > 235
    choose_in_tree(page, "entry", "sample", "name")
    assert "a mouse’s femur" in page.inner_text(".hdf5-panel")
    choose_in_tree(page, "instrument", "detector", "x_pixel_size")
    assert "micron" in page.inner_text(".hdf5-panel")
    assert axe(page) == []


def test_the_worker_reaches_no_network(upload: str, page: Any) -> None:
    address = upload.replace("/upload", "/static/built/hdf5-worker.js")
    answer = page.request.get(address)
    assert answer.headers["content-security-policy"] == "default-src 'none'; script-src 'wasm-unsafe-eval'"
    assert (
        page.request.get(upload).headers["content-security-policy"].startswith("default-src 'self'; object")
    )


def test_compressed_frames_are_shown(upload: str, page: Any, tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(64, dtype=np.float32)[None], 64, 0)
    filters = {
        **{name: getattr(hdf5plugin, name)() for name in ("Bitshuffle", "Blosc", "Blosc2", "BZip2", "LZ4", "Zstd")},
        "Zfp": hdf5plugin.Zfp(reversible=True),
        "lzf": {"compression": "lzf"},
        "gzip": {"compression": "gzip", "shuffle": True},
    }  # fmt: skip
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, options in filters.items():
            file.create_dataset(name, data=ramp, chunks=(16, 64), **options)
    assert "none of the layouts" in choose(page, upload, tmp_path / "one.h5")
    for name in filters:
        choose_in_tree(page, name)
        assert np.corrcoef(pixels(page)[5], np.arange(64))[0, 1] > 0.999, name


def test_what_cannot_be_read_is_said(upload: str, page: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        layout = h5py.VirtualLayout((1, 8, 8), "u2")
        layout[0] = h5py.VirtualSource("frames.h5", "frames", (8, 8))
        file.create_virtual_dataset("far", layout)
        file["link"] = h5py.ExternalLink("frames.h5", "/frames")
        file.create_dataset("raw", (8, 8), "f4", external=[("gone.bin", 0, 256)])
        file["half"] = np.ones((4, 4), np.float16)
        jpeg = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        jpeg.set_chunk((8, 8))
        jpeg.set_filter(32019, h5py.h5z.FLAG_OPTIONAL, (1, 2))
        h5py.h5d.create(file.id, b"jpeg", h5py.h5t.NATIVE_UINT16, h5py.h5s.create_simple((8, 8)), dcpl=jpeg)
    told = choose(page, upload, tmp_path / "odd.h5")
    assert "leads to other files, which were not chosen with it: frames.h5" in told
    for name, said in (
        ("far", "lie in other files, which were not chosen with this one: frames.h5"),
        ("raw", "unable to open external raw data file"),
        ("half", "Float16 not supported"),
        ("jpeg", "HDF5 filter 32019"),
    ):
        choose_in_tree(page, name)
        assert said in page.inner_text(".hdf5-panel")
        assert not page.locator(".hdf5-panel canvas, .hdf5-panel table").count()
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["frames"] = np.eye(8, dtype=np.uint16)
    choose(page, upload, tmp_path, folder=True)
    page.select_option("#hdf5-file select", label=f"{tmp_path.name}/odd.h5")
    wait_until(page, "document.querySelector('#hdf5-file h3')?.innerText.endsWith('odd.h5')")
    choose_in_tree(page, "far")
    assert (pixels(page) == np.eye(8) * 255).all()
    (tmp_path / "none.h5").write_text("no HDF5")
    assert "none.h5 is no HDF5 file" in choose(page, upload, tmp_path / "none.h5")


def test_real_files_are_told_as_the_reader_tells_them(
    upload: str, page: Any, shared: Callable[[str], Path]
) -> None:
    for path in ("dx/DataExchange-example5.h5", "dx/7bm_meta_mock.h5"):
        file = shared(path)
        scan = tomarium.open(file)
        told = choose(page, upload, file)
        assert "This looks like Data Exchange" in told
        assert f"{scan.projections.shape[0]} projections" in told
        missing = told.partition("Missing: ")[2].partition(".")[0]
        for name, value in (("pixel size", scan.pixel_m), ("energy", scan.energy_kev)):
            assert (name in missing) == (value is None)
        assert scan.pixel_m is not None
        size = next(one for one in told.splitlines() if one.endswith((" µm", " nm")))
        factor = {"µm": 1e-6, "nm": 1e-9}[size[-2:]]
        assert float(size[:-3]) * factor == pytest.approx(scan.pixel_m.value, rel=1e-4)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("site-hdf5")
    folder = home / "femur"
    folder.mkdir()
    write_nxtomo(folder / "femur.nx")
    with h5py.File(folder / "femur.nx", "a") as file:
        file["large"] = np.zeros((40, 256, 512), np.uint16)  # 10 MB that nobody looks at
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        created = datetime(2026, 11, 20, tzinfo=UTC)
        file_record(
            folder, title="Femur", id="femur", created=created, parts=[Part("projections", "femur.nx")]
        )
        ingest(catalogue, folder)
        changes = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
        edit(catalogue, LOCAL_OWNER, "femur", changes)
        publish(catalogue, LOCAL_OWNER, "femur", Request(embargo="0"))
        told = build_site(catalogue, home / "www", files="all")
        assert told.problems == []
    yield home / "www"
    hdf5.readers().close()


def test_a_site_of_files_shows_parts_of_a_file(
    site: Path, page: Any, hearing: Callable[..., Any], axe: Callable[[Any], list[str]]
) -> None:
    taken: list[int] = []

    class Counting(StaticFiles):
        async def get_response(self, path: str, scope: Any) -> Any:
            answer = await super().get_response(path, scope)
            if path.endswith("femur.nx") and scope["method"] == "GET":
                taken.append(int(answer.headers.get("content-length", 0)))
                ranges = dict(scope["headers"]).get(b"range")
                if ranges:
                    first, last = ranges.decode().removeprefix("bytes=").split("-")
                    taken[-1] = int(last) - int(first) + 1
            return answer

    app = Starlette()
    app.mount("/", Counting(directory=site, html=True))
    with hearing(app) as address:
        page.goto(f"{address}/records/femur/index.html")
        page.get_by_role("link", name="Look inside").click()
        page.wait_for_url(f"{address}/records/femur/hdf5/femur.nx/index.html")
        assert "instrument" not in page.inner_text("main")  # what was written is the root alone
        page.get_by_role("button", name="Show what is in the file").click()
        page.wait_for_selector("#hdf5-file canvas")
        assert "9 projections, 2 flats, 1 dark" in page.inner_text("#hdf5-file")
        assert pixels(page).shape == (40, 60)
        assert axe(page) == []
    assert sum(taken) < 3_000_000 < (site / "records/femur/files/femur.nx").stat().st_size


def test_a_site_without_ranges_gives_the_whole_file(
    site: Path, page: Any, hearing: Callable[..., Any]
) -> None:
    class Whole(StaticFiles):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope["headers"] = [one for one in scope.get("headers", ()) if one[0] != b"range"]
            await super().__call__(scope, receive, send)

    app = Starlette()
    app.mount("/", Whole(directory=site, html=True))
    with hearing(app) as address:
        page.goto(f"{address}/records/femur/hdf5/femur.nx/index.html")
        page.get_by_role("button", name="Show what is in the file").click()
        page.wait_for_selector("#hdf5-file canvas")
        assert "9 projections, 2 flats, 1 dark" in page.inner_text("#hdf5-file")


def test_a_page_from_a_stick_says_what_it_cannot_do(site: Path, page: Any) -> None:
    page.expected += FORBIDDEN
    page.goto(f"file://{site}/records/femur/hdf5/femur.nx/index.html")
    page.get_by_text("browsers let such a page read no other file").wait_for()
    assert page.get_by_role("link", name="Take the whole file").get_attribute("href")
