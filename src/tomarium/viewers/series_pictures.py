"""A slice of every moment of a series, all in the same greys: as a film or as a sheet."""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from tomarium.errors import InputError
from tomarium.model import Record
from tomarium.viewers.picture import png
from tomarium.viewers.slices import SLICES, voxel_m
from tomarium.viewers.volume import PLANES, Plane, open_volume, read_plane, volume_path, volume_window

FILM_PIXELS: Final = 1024
SHEET_PIXELS: Final = 320
ENCODERS: Final = {
    ".mp4": ("-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
    ".webm": ("-c:v", "libvpx-vp9", "-crf", "30", "-b:v", "0", "-pix_fmt", "yuv420p"),
}
"""Ending of a film → what ffmpeg is told."""


@dataclass(frozen=True)
class Frame:
    """One moment of a series.

    Attributes
    ----------
    title : str
        Drawn into its corner: "3 of 12 · 80 s".
    record : Record
        With a volume.
    folder : Path
        Its folder.
    """

    title: str
    record: Record
    folder: Path


def draw_frames(frames: Sequence[Frame], plane: Plane, index: int | None, pixels: int) -> Iterator[bytes]:
    """Draw the same slice of every moment in the same greys.

    Parameters
    ----------
    frames : sequence of Frame
        In the order of time.
    plane : {"z", "y", "x"}
        Axis that is held.
    index : int or None
        Index along it; the middle by default.
    pixels : int
        Width and height at most, but for volumes whose voxels are not as high as wide.

    Yields
    ------
    bytes
        PNGs of one size, with a title, and a scale bar where the voxel size is known. Black and white are the lowest
        and the highest ends of the windows of all moments.

    Raises
    ------
    InputError
        There is none, they differ in size or unit, or there is no such slice.
    """
    _demand_alike(frames)
    shape, axis = frames[0].record.volume["shape"], PLANES.index(plane)
    index = shape[axis] // 2 if index is None else index
    if not 0 <= index < shape[axis]:
        raise InputError(f"there is no slice {plane} = {index}; give --at from 0 to {shape[axis] - 1}")
    windows = [volume_window(frame.record, frame.folder) for frame in frames]
    window = min(low for low, _ in windows), max(high for _, high in windows)
    sizes_m = voxel_m(frames[0].record)
    down, across = (k for k in range(3) if k != axis)
    for frame in frames:
        levels = open_volume(frame.folder / str(volume_path(frame.record))).levels
        image = read_plane(levels, plane, index, pixels)
        step = math.ceil(max(image.shape) / pixels)
        image = image[::step, ::step]
        pixel_m = None
        if sizes_m:
            pixel_m = tuple(
                sizes_m[k] * shape[k] / n for k, n in zip((down, across), image.shape, strict=True)
            )
        yield png(
            image,
            window=window,
            scale_m=pixel_m[1] if pixel_m else None,
            title=frame.title,
            aspect=pixel_m[0] / pixel_m[1] if pixel_m else 1.0,
        )


def _demand_alike(frames: Sequence[Frame]) -> None:
    if not frames:
        raise InputError("the series has no moment to be drawn; finish it with `tomarium series`")
    first = frames[0].record
    for frame in frames:
        if not SLICES.shows(frame.record):
            raise InputError(f"{frame.folder}: has no volume, so the series cannot be drawn")
        both = [(r.volume["shape"], r.volume.get("unit")) for r in (first, frame.record)]
        if both[0] != both[1]:
            raise InputError(
                f"{frame.folder}: a volume of {both[1][0]} in {both[1][1] or 'no unit'} cannot be drawn beside one of "
                f"{both[0][0]} in {both[0][1] or 'no unit'}; draw them one by one, without --series"
            )


def series_sheet(frames: Sequence[Frame], plane: Plane, index: int | None) -> bytes:
    """Draw the same slice of every moment on one sheet.

    Parameters
    ----------
    frames, plane, index
        As for `draw_frames`.

    Returns
    -------
    bytes
        A PNG, the moments in the order of reading.

    Raises
    ------
    InputError
        As `draw_frames`.
    """
    from PIL import Image as Pillow

    images = [
        Pillow.open(BytesIO(draw_frame)) for draw_frame in draw_frames(frames, plane, index, SHEET_PIXELS)
    ]
    across = math.ceil(math.sqrt(len(images)))
    width, height = images[0].size
    down = -(-len(images) // across)
    sheet = Pillow.new("L", (across * (width + 4) - 4, down * (height + 4) - 4), 255)
    for number, image_file in enumerate(images):
        sheet.paste(image_file.convert("L"), (number % across * (width + 4), number // across * (height + 4)))
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def series_webp(frames: Sequence[Frame], plane: Plane, index: int | None, speed: float) -> bytes:
    """Draw the same slice of every moment as an animated WebP, which needs no other program.

    Parameters
    ----------
    frames, plane, index
        As for `draw_frames`.
    speed : float
        Moments a second.

    Returns
    -------
    bytes
        A WebP that goes on for ever.

    Raises
    ------
    InputError
        As `draw_frames`.
    """
    from PIL import Image as Pillow

    images = [
        Pillow.open(BytesIO(draw_frame)).convert("RGB")
        for draw_frame in draw_frames(frames, plane, index, FILM_PIXELS)
    ]
    file = BytesIO()
    images[0].save(
        file, "WEBP", save_all=True, append_images=images[1:], quality=80, method=4, loop=0,
        duration=max(1, round(1000 / speed))
    )  # fmt: skip
    return file.getvalue()


def series_film(frames: Sequence[Frame], plane: Plane, index: int | None, speed: float, ending: str) -> bytes:
    """Draw the same slice of every moment as a film, with the program ffmpeg.

    Parameters
    ----------
    frames, plane, index
        As for `draw_frames`.
    speed : float
        Moments a second.
    ending : str
        ".mp4" (H.264) or ".webm" (VP9).

    Returns
    -------
    bytes
        The film, whose sides are even: a black row or column is added where they were not.

    Raises
    ------
    InputError
        As `draw_frames`; or ffmpeg is not on this machine, or could not make it.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise InputError(
            f"a film ({ending}) is made by the program ffmpeg, which is not on this machine; install it, or write an "
            f"animated picture (-o NAME.webp) or a sheet (-o NAME.png)"
        )
    even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
    with tempfile.TemporaryDirectory(prefix="tomarium-") as folder:
        for number, draw_frame in enumerate(draw_frames(frames, plane, index, FILM_PIXELS)):
            (Path(folder) / f"{number:06d}.png").write_bytes(draw_frame)
        film = Path(folder) / f"film{ending}"
        process = subprocess.run(
            [program, "-nostdin", "-loglevel", "error", "-framerate", f"{speed:g}", "-i", f"{folder}/%06d.png",
             "-vf", even, *ENCODERS[ending], str(film)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if process.returncode:
            message = " ".join(process.stderr.split())[:300]
            raise InputError(
                f"ffmpeg could not make the film ({message}); write an animated picture instead: -o NAME.webp"
            )
        return film.read_bytes()
