"""Make the pictures of a section of the gallery by the commands that the section shows.

    python docs/gallery/make.py i13 FOLDER     # FOLDER holds the files that the section names

The commands run in a folder of their own; pictures and meshes come back with at most 64 colours, to stay small. A
section whose files are not in FOLDER is skipped by its name.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import tomarium as tm
from tomarium.cli import execute

HOME = Path(__file__).parent
FILES = {
    "i13": (
        "tiff/savu_image_test/tiffs",
        "tiff/savu_image_test/flat_00001.tiff",
        "tiff/savu_image_test/dark_00001.tiff",
    ),
    "tooth": ("dx/tooth.h5",),
    "sand": ("volumes/sand_200x200x100_uint8.raw",),
    "neutron": ("sinograms/neutron_360.tif",),
}
"""What each section is made of; the files of a folder come into one that is named as the section."""
KEPT = frozenset(("surface.png", "surface.3mf", "print.png", "print.3mf"))
"""What is kept of the folder of a mesh or a print."""


def commands(name: str) -> list[list[str]]:
    """Read the commands of a section of the page."""
    page = (HOME / "index.md").read_text(encoding="utf-8")
    section = re.search(rf"^## .*\{{#{name}\}}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    if section is None:
        raise SystemExit(f"{HOME / 'index.md'} has no section {name}; there are {', '.join(FILES)}")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```", section[1], re.M | re.S)).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("tomarium ")]


def bring(name: str, data: Path) -> None:
    """Copy what a section is made of into this folder."""
    for source in (data / one for one in FILES[name]):
        if len(FILES[name]) == 1:
            shutil.copy(source, Path(source.name))
        else:
            Path(name).mkdir(exist_ok=True)
            for file in sorted(source.iterdir()) if source.is_dir() else [source]:
                shutil.copy(file, Path(name) / file.name)


def frame(name: str) -> None:
    """Draw the middle projection as the detector counted it, where the section is a scan."""
    opened = tm.open(Path(name) if len(FILES[name]) > 1 else Path(Path(FILES[name][0]).name))
    counts = np.asarray(opened.projections[opened.projections.shape[0] // 2], np.float32)
    low, high = np.percentile(counts, [0.5, 99.5])
    grey = np.uint8(255 * np.clip((counts - low) / (high - low), 0, 1))
    grey = np.repeat(grey, 16, axis=0) if len(grey) < 8 else grey  # two rows of the tooth would not be seen
    Image.fromarray(grey).save(f"{name}-frame.png")


def main(name: str, data: Path) -> None:
    """Make one section."""
    told = commands(name)
    absent = next((one for one in (data / file for file in FILES[name]) if not one.exists()), None)
    if absent is not None:
        print(
            f"{name}: skipped, for {absent} is not there; its section of the gallery tells where it comes from"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["TOMARIUM_HOME"] = folder
        bring(name, data)
        if name in ("i13", "tooth"):
            frame(name)
        for words in told:
            print("$ tomarium", shlex.join(words), flush=True)
            execute(words)
        for made in sorted(Path().glob(f"{name}-*")):
            if made.is_dir():
                for file in sorted(made.iterdir()):
                    if file.name in KEPT:
                        _keep(file, HOME / f"{made.name}{file.suffix}")
            else:
                _keep(made, HOME / made.name)


def _keep(made: Path, place: Path) -> None:
    if made.suffix == ".png":
        Image.open(made).convert("RGBA").convert("RGB").quantize(64).save(place, optimize=True)
    else:
        shutil.copy(made, place)
    print(f"{place.name}: {place.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(
            f"Usage: python docs/gallery/make.py {'|'.join(FILES)} FOLDER, where FOLDER holds the files"
        )
    main(sys.argv[1], Path(sys.argv[2]).resolve())
