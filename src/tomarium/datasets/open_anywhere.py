"""`tomarium.open`: a file or folder, or an OME-Zarr image on the web."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from tomarium import formats
from tomarium.datasets.addresses import is_address
from tomarium.formats.opening.image_user_values import settled
from tomarium.model import Image, Scan
from tomarium.model.geometry import user_value

if TYPE_CHECKING:
    from tomarium.datasets.web_files import WebPath


@wraps(formats.open)
def open(path: Any, **arguments: Any) -> Scan | Image:
    """Open a file, or an address."""
    if not is_address(path):
        return formats.open(path, **arguments)
    return open_address(
        path, {name: value for name, value in arguments.items() if value not in (None, (), False)}
    )


def open_address(
    address: str | WebPath, given: dict[str, Any], on_read: Callable[[int], None] | None = None
) -> Image:
    """Open an OME-Zarr image on the web.

    Parameters
    ----------
    address : str or WebPath
        As of `open_web_image`.
    given : dict
        Arguments of `tomarium.open`; only `pixel_m` is one of an image.
    on_read : callable or None
        Told how many bytes of chunks were fetched in all.

    Returns
    -------
    Image
        With the pixel size its user gave.

    Raises
    ------
    InputError
        As `open_web_image`, or something else was given.
    """
    from tomarium.datasets.web_image import demand_no_more, open_web_image

    demand_no_more(given, address)
    image = open_web_image(address, on_read)
    values = {name: user_value(name, number) for name, number in given.items()}
    return settled(image, values) if values else image
