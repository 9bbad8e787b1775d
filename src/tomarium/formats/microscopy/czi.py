"""CZI of Zeiss's light microscopes through libCZI, as images with calibrated axes.

pylibCZIrw, which Zeiss keeps, is LGPL-3.0 and brings a compiled library: an extra that users install (`tomarium[czi]`),
imported only when such a file is opened. Files are recognised without it; reading one then says what to install.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np

from tomarium.errors import EngineUnavailable, FormatError
from tomarium.formats.format import Format, Match
from tomarium.formats.hdf5.array import whole_key
from tomarium.formats.microscopy.axes import plain
from tomarium.formats.opening.xml_text import parsed
from tomarium.model import Axis, Image, Volume
from tomarium.optional_packages import optional_import

# The id of the first segment, 16 bytes (ZEN file format of CZI, "Segment header").
SIGNATURE: Final = b"ZISRAWFILE"
NAMES: Final = {"T": "time", "C": "channel", "Z": "z"}
"""Dimensions before y and x, in the order in which they are given; others of more than one place are not read."""
LARGEST_M: Final = 0.01
"""No pixel of a microscope is larger."""
# Pixel type of libCZI → type of a sample, and samples of a pixel.
PIXELS: Final = {
    "Gray8": ("uint8", 1), "Gray16": ("uint16", 1), "Gray32Float": ("float32", 1),
    "Bgr24": ("uint8", 3), "Bgr48": ("uint16", 3),
}  # fmt: skip


def detect(path: Path) -> Match | None:
    """Look for the first segment of a CZI; with pylibCZIrw the scenes it holds are listed too."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            return None
    match = Match(0.95, "CZI", "it begins ZISRAWFILE, as Zeiss's CZI does")
    if find_spec("pylibCZIrw") is None:
        return match
    try:
        with _opened(path) as file:
            names = tuple(_scenes(file))
    except FormatError:
        return match  # reading says what is wrong with it
    return replace(match, entry=names[0], entries=names)


def read(path: Path, match: Match) -> Image:
    """Read one scene of a CZI.

    `match.entry` names the scene. Result: axes time, channel and z where there are several of them, then y, x, then
    "sample" of colours (red, green, blue); in m where the file tells its scaling, else "px". The file's own metadata
    lie whole in `/original_metadata`. Raises FormatError: pylibCZIrw is absent (the message says how to install it),
    the file is damaged, or has dimensions or pixels that are not read.
    """
    with _opened(path) as file:
        scenes = _scenes(file)
        name = match.entry if match.entry in scenes else next(iter(scenes))
        scene, (x, y, width, height) = scenes[name]
        lengths = {key: int(last - first) for key, (first, last) in file.total_bounding_box.items()}
        kinds = {str(kind) for kind in file.pixel_types.values()}
        xml, original = str(file.raw_metadata), file.metadata
    further_dimensions = [
        f"{key} of {n}" for key, n in lengths.items() if n > 1 and key not in (*NAMES, "X", "Y", "S")
    ]
    if further_dimensions or len(kinds) != 1 or not kinds <= set(PIXELS):
        content = (
            f"the dimensions {', '.join(further_dimensions)}"
            if further_dimensions
            else f"pixels of {', '.join(sorted(kinds))}"
        )
        raise FormatError(f"{path}: has {content}, which is not read; export it from ZEN as OME-TIFF")
    dtype, samples = PIXELS[next(iter(kinds))]
    lead = tuple(key for key in NAMES if lengths.get(key, 1) > 1)
    data = CziData(
        path, scene, (x, y, width, height), lead, tuple(lengths[key] for key in lead), dtype, samples
    )
    details = _read_metadata(xml)
    steps: Mapping[str, float] = details.pop("steps")
    axes = [Axis(NAMES[key], *_step(steps, NAMES[key])) for key in lead]
    axes += [Axis(key, *_step(steps, key)) for key in "yx"]
    if samples > 1:
        axes.append(Axis("sample", unit=""))
    metadata: dict[str, Any] = {
        "vendor_format": "Zeiss CZI",
        "/original_metadata": plain(original),
        **details,
    }
    metadata["place_px"] = {"x": x, "y": y}
    if not {"y", "x"} <= set(steps):
        metadata["uncalibrated"] = True
    shape = Volume if [axis.name for axis in axes] == ["z", "y", "x"] else Image
    return shape(data, tuple(axes), "", path.stem if len(scenes) == 1 else name, path, metadata)


@dataclass(frozen=True, eq=False)
class CziData:
    """The planes of a scene, read when they are asked for.

    Attributes
    ----------
    path : Path
        The file.
    scene : int or None
        Number of the scene; None where the file has none.
    place : tuple of int
        Left and upper edge, width and height, pixels.
    lead : tuple of str
        Dimensions of libCZI before y and x.
    lengths : tuple of int
        Their lengths.
    sample : str
        Type of a sample.
    samples : int
        Samples of a pixel.
    """

    path: Path
    scene: int | None
    place: tuple[int, int, int, int]
    lead: tuple[str, ...]
    lengths: tuple[int, ...]
    sample: str
    samples: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        colours = (self.samples,) if self.samples > 1 else ()
        return (*self.lengths, self.place[3], self.place[2], *colours)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a sample."""
        return np.dtype(self.sample)

    def __getitem__(self, key: Any) -> Any:
        keys = whole_key(key, len(self.shape))
        chosen = [np.arange(n)[key_of_axis] for n, key_of_axis in zip(self.lengths, keys, strict=False)]
        planes = list(product(*(np.atleast_1d(numbers) for numbers in chosen)))
        with _opened(self.path) as file:
            planes_read = [self._plane(file, plane)[tuple(keys[len(self.lead) :])] for plane in planes]
        if not planes_read:
            return np.empty(self.shape, self.dtype)[tuple(keys)]
        lead = tuple(len(numbers) for numbers in chosen if np.ndim(numbers))
        return np.stack(planes_read).reshape(*lead, *np.shape(planes_read[0]))[()]

    def _plane(self, file: Any, plane: tuple[Any, ...]) -> Any:
        where = {key: int(index) for key, index in zip(self.lead, plane, strict=True)}
        with _guarded(self.path):
            pixels = np.asarray(file.read(roi=self.place, plane=where, scene=self.scene))
        pixels = pixels[:, :, ::-1] if self.samples > 1 else pixels.reshape(pixels.shape[:2])
        if pixels.shape[:2] != (self.place[3], self.place[2]) or pixels.dtype != self.dtype:
            raise FormatError(f"{self.path}: has changed since it was opened; open it again")
        return pixels


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Turn what libCZI raises of a file into FormatError."""
    try:
        yield
    except (FormatError, IndexError):
        raise
    except Exception as problem:  # the library raises what its parsing runs into
        raise FormatError(
            f"{path}: cannot be read as CZI ({type(problem).__name__}: {problem}); it is damaged, so copy it again"
        ) from problem


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        library = optional_import("pylibCZIrw.czi", "czi")
    except EngineUnavailable as problem:
        raise FormatError(
            f"{path}: is a CZI of Zeiss; to read it install pylibCZIrw (LGPL-3.0), which is an extra: "
            f"pip install 'tomarium[czi]'; or export it from ZEN as OME-TIFF"
        ) from problem
    with _guarded(path), library.open_czi(str(path)) as file:
        yield file


def _scenes(file: Any) -> dict[str, tuple[int | None, tuple[int, int, int, int]]]:
    """Name the scenes: number, and left, top, width and height; a file without scenes is one."""
    rectangles = file.scenes_bounding_rectangle_no_pyramid
    places = {
        number: (rectangle.x, rectangle.y, rectangle.w, rectangle.h)
        for number, rectangle in sorted(rectangles.items())
    }
    if places:
        return {f"scene {number}": (number, place) for number, place in places.items()}
    rectangle = file.total_bounding_rectangle_no_pyramid
    return {"image": (None, (rectangle.x, rectangle.y, rectangle.w, rectangle.h))}


def _step(steps: Mapping[str, float], name: str) -> tuple[float, float, str]:
    return (steps[name], 0.0, "m") if name in steps else (1.0, 0.0, "px")


def _read_metadata(xml: str) -> dict[str, Any]:
    """Read from the metadata the steps of the axes, m, the names of the channels, and what a mosaic leaves empty."""
    details: dict[str, Any] = {"steps": {}}
    notes: list[str] = []
    root = parsed(xml)
    if root is None:
        return details
    for item in root.iterfind(".//Scaling/Items/Distance"):
        name, text = str(item.get("Id")).lower(), item.findtext("Value") or ""
        try:
            step = float(text)
        except ValueError:
            continue
        if name not in ("x", "y", "z") or not 0 < step < math.inf:
            continue
        if step <= LARGEST_M:
            details["steps"][name] = float(f"{step:.12g}")
        else:  # pylibCZIrw's own writer documents µm, and writes the number as it is given
            notes.append(f"its scaling along {name} of {step:g} m cannot be and was left out")
    channels = list(root.iterfind(".//Information/Image/Dimensions/Channels/Channel"))
    display_settings = root.iterfind(".//DisplaySetting/Channels/Channel")
    colours = {element.get("Id"): (element.findtext("Color") or "").strip() for element in display_settings}
    if channels:
        details["channels"] = [_channel(element, number, colours) for number, element in enumerate(channels)]
    if (root.findtext(".//Information/Image/SizeM") or "1") not in ("", "1"):
        notes.append("its tiles are laid side by side; pixels that no tile covers are 0")
    if notes:
        details["notes"] = notes
    return details


def _channel(element: ElementTree.Element, number: int, colours: Mapping[str | None, str]) -> dict[str, str]:
    """Tell the name of a channel, and the colour in which it is shown, written #AARRGGBB."""
    channel = {"name": element.get("Name") or f"channel {number}"}
    if colour := re.fullmatch(r"#(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})", colours.get(element.get("Id"), "")):
        channel["colour"] = f"#{colour[1].lower()}"
    return channel


FORMAT = Format(name="czi", title="Zeiss CZI (libCZI)", suffixes=(".czi",), detect=detect, read=read)
