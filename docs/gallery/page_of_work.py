"""Make the picture of the page on which one reconstructs, by a real browser, of a simulated scan.

    python docs/gallery/page_of_work.py

It needs Playwright and a Chromium (TOMARIUM_CHROMIUM names another than the system's).
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from io import BytesIO
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from tomarium.beamtime.work_jobs import work_kinds
from tomarium.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.work import do_jobs
from tomarium.catalogue.workers import heard
from tomarium.portal.app import create_app
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

PICTURE = Path(__file__).parents[1] / "pictures" / "reconstruct-in-the-browser.png"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
COLOURS = 64


def main() -> None:
    """Simulate a scan, file it, and look at it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        config = SimulationConfig(columns=256, rows=24, views=360, axis_column=131.4, seed=3)
        simulate(home / "tooth.h5", config)
        with open_catalogue(home / "catalogue.sqlite") as catalogue, heard(home):
            file_path(catalogue, home / "tooth.h5", Wish(home / "records", "Tooth of a bear, raw scan"))
            over = threading.Event()
            worker = threading.Thread(target=work, args=(catalogue, over))
            worker.start()
            try:
                PICTURE.write_bytes(small(seen(catalogue)))
            finally:
                over.set()
                worker.join()
    print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")


def work(catalogue: Catalogue, over: threading.Event) -> None:
    """Take jobs until it is over."""
    kinds = work_kinds()
    while not over.wait(0.1):
        do_jobs(catalogue, print, kinds)


def seen(catalogue: Catalogue) -> bytes:
    """Serve the catalogue, choose the scan, draw a region, and take a picture of the page."""
    with socket.create_server(("127.0.0.1", 0)) as listener, sync_playwright() as driver:
        server = uvicorn.Server(uvicorn.Config(create_app(catalogue, local=True), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        program = os.environ.get("TOMARIUM_CHROMIUM") or shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/reconstruct")
        page.get_by_role("button", name="Reconstruct Tooth").click()
        made = page.locator("#work-made pre")
        made.wait_for()
        page.get_by_label("Method").select_option("agreement")
        made.filter(has_text="agreement").wait_for()
        page.locator("#slice").evaluate("part => part.scrollIntoView()")
        box = page.locator(".work-picture svg").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.22 * box["width"], box["y"] + 0.16 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.82 * box["width"], box["y"] + 0.82 * box["height"], steps=4)
        page.mouse.up()
        made.filter(has_text="region").wait_for()
        picture = page.screenshot(full_page=True)
        browser.close()
        server.should_exit = True
        thread.join(10)
    return picture


def small(picture: bytes) -> bytes:
    """Take few colours, so that the file stays small."""
    file = BytesIO()
    Image.open(BytesIO(picture)).convert("RGB").quantize(COLOURS).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
