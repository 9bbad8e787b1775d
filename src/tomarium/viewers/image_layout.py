"""What the axes of an image are to people: rows and columns of a map, channels, what each pixel holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Axis
from tomarium.model.image import Sliceable

AXES: Final = ("frame", "channel", "row", "column", "u", "v")
"""Order of the axes of an image as it is shown; those that an image lacks have the length 1."""
_COLOURS: Final = ("colour", "color", "sample")
_CHANNELS: Final = ("channel", "c", "detector", *_COLOURS)
_SPECTRAL: Final = ("energy", "wavelength", "wavenumber", "raman", "loss", "spectr")
_ENERGIES: Final = ("keV", "eV", "MeV")
_MOST_CHANNELS: Final = 32
"""More channels than that are those of a spectrum that nobody calibrated."""


@dataclass(frozen=True)
class ImageLayout:
    """Which axis of an image is what, by its number; None where it has none.

    Attributes
    ----------
    row, column : int or None
        Axes of the map: down and across.
    channel : int or None
        Axis of channels or colours.
    spectrum : int or None
        Axis of what each pixel holds: energies, wavelengths, or the only axis there is.
    pattern : tuple of int
        Two axes of the pattern of each pixel, such as one of diffraction; else empty.
    frames : tuple of int
        Other axes, such as time or z: their elements follow each other.
    """

    row: int | None
    column: int | None
    channel: int | None = None
    spectrum: int | None = None
    pattern: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """Numbers of the axes in the order of `AXES`."""
        inner = self.pattern if self.pattern else (self.spectrum,)
        return tuple(
            number
            for number in (*self.frames, self.channel, self.row, self.column, *inner)
            if number is not None
        )


def layout_of(axes: Sequence[Axis], shape: Sequence[int]) -> ImageLayout:
    """Tell which axis of an image is what, by names and units.

    Parameters
    ----------
    axes : sequence of Axis
        Of the image.
    shape : sequence of int
        Lengths of the axes.

    Returns
    -------
    ImageLayout
        A spectrum is an axis of energies, or one named so; patterns are two axes beside y and x; a single axis is a
        spectrum, whatever it is.
    """
    if len(axes) == 1:
        return ImageLayout(None, None, spectrum=0)
    names = [axis.name.lower() for axis in axes]
    spectrum = next((k for k in range(len(axes)) if _is_spectral(axes[k], shape[k])), None)
    remaining = [k for k in range(len(axes)) if k != spectrum]
    channel = next((k for k in remaining if names[k] in _CHANNELS and shape[k] <= _MOST_CHANNELS), None)
    remaining = [k for k in remaining if k != channel]
    if {"y", "x"} <= {names[k] for k in remaining}:
        row, column = (next(k for k in remaining if names[k] == name) for name in "yx")
    elif len(remaining) >= 2:
        lengths = [k for k in remaining if axes[k].unit == "m"]
        row, column = lengths[:2] if len(lengths) == 2 else remaining[-2:]
    else:
        return ImageLayout(None, remaining[0] if remaining else None, channel, spectrum)
    further = [k for k in remaining if k not in (row, column)]
    if spectrum is None and len(further) == 2 and further[0] > column and further[1] > column:
        return ImageLayout(row, column, channel, pattern=(further[0], further[1]))
    return ImageLayout(row, column, channel, spectrum, frames=tuple(further))


def _is_spectral(axis: Axis, length: int) -> bool:
    name = axis.name.lower()
    spectral_name = axis.unit in _ENERGIES or any(word in name for word in _SPECTRAL)
    return spectral_name or (name == "channel" and length > _MOST_CHANNELS)


def is_colour(axis: Axis, length: int) -> bool:
    """Tell whether an axis holds red, green and blue, and perhaps how opaque they are.

    Parameters
    ----------
    axis : Axis
        Any.
    length : int
        Its length.

    Returns
    -------
    bool
        By its name and its length.
    """
    return axis.name.lower() in _COLOURS and length in (3, 4)


@dataclass(frozen=True, eq=False)
class Arranged:
    """An image in the order of `AXES`, read some rows at a time.

    Attributes
    ----------
    data : array
        As the file has it.
    layout : ImageLayout
        Which axis is what.
    """

    data: Sliceable
    layout: ImageLayout

    @property
    def shape(self) -> tuple[int, int, int, int, int, int]:
        """Lengths along `AXES`."""
        own, image_layout = tuple(int(n) for n in self.data.shape), self.layout

        def length(axis: int | None) -> int:
            return 1 if axis is None else own[axis]

        frames = int(np.prod([own[k] for k in image_layout.frames], dtype=np.int64))
        u, v = (
            (own[k] for k in image_layout.pattern)
            if image_layout.pattern
            else (length(image_layout.spectrum), 1)
        )
        return (
            frames,
            length(image_layout.channel),
            length(image_layout.row),
            length(image_layout.column),
            u,
            v,
        )

    def rows(self, frame: int, start: int, stop: int) -> NDArray[Any]:
        """Read some rows of a frame.

        Parameters
        ----------
        frame : int
            Which of the frames.
        start, stop : int
            First row, and the first that is not read.

        Returns
        -------
        array, shape (channel, row, column, u, v)
            Of the type that is stored; absolute values where it is complex.
        """
        own, image_layout = tuple(int(n) for n in self.data.shape), self.layout
        key: list[int | slice] = [slice(None)] * len(own)
        if image_layout.frames:
            places = np.unravel_index(frame, [own[k] for k in image_layout.frames])
            for axis, place in zip(image_layout.frames, places, strict=True):
                key[axis] = slice(int(place), int(place) + 1)
        if image_layout.row is not None:
            key[image_layout.row] = slice(start, stop)
        part = np.asarray(self.data[tuple(key)]).transpose(image_layout.order)
        _, channels, _, columns, u, v = self.shape
        part = part.reshape(channels, stop - start, columns, u, v)
        return np.abs(part) if part.dtype.kind == "c" else part
