"""A camera's ring buffer as it is saved: frames in the order of the memory, stamped by the camera's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

START = datetime(2024, 3, 5, 14, 7, 59, 999_000)


def bcd(number: int) -> int:
    return number // 10 << 4 | number % 10


def stamp(number: int, when: datetime) -> list[int]:
    """Write image number and time as PCO's manual lists them, two digits a pixel."""
    pairs = [number // 10**6 % 100, number // 10**4 % 100, number // 100 % 100, number % 100]
    pairs += [when.year // 100, when.year % 100, when.month, when.day, when.hour, when.minute, when.second]
    pairs += [when.microsecond // 10**4, when.microsecond // 100 % 100, when.microsecond % 100]
    return [bcd(pair) for pair in pairs]


def stamped(frames: NDArray[np.uint16], first: int = 1, shift: int = 0) -> NDArray[np.uint16]:
    """Stamp frames taken every 500 µs."""
    result = frames.copy()
    for number in range(len(frames)):
        when = START + timedelta(microseconds=500 * number)
        result[number].reshape(-1)[:14] = np.array(stamp(first + number, when), np.uint16) << shift
    return result


def save_ring(
    folder: Path, frames: NDArray[np.uint16], start: int, parts: int = 1, name: str = "rec"
) -> Path:
    """Save frames (in the order taken) so that the oldest lies at page `start`, split as camware does."""
    folder.mkdir(parents=True, exist_ok=True)
    memory = np.roll(frames, start, axis=0)
    for part, pages in enumerate(np.array_split(memory, parts)):
        file = folder / (f"{name}@{part:04d}.tif" if part else f"{name}.tif")
        tifffile.imwrite(file, pages, photometric="minisblack", metadata=None)
    return folder
