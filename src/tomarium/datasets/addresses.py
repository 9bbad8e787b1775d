"""What is told from a path: the address of files on the web. Light, for every command asks it of every path."""

from __future__ import annotations

from typing import Final

SCHEMES: Final = ("https://", "http://", "s3://")


def is_address(source: object) -> bool:
    """Tell whether something is the address of files on the web.

    Parameters
    ----------
    source : object
        Anything; only text can be one.

    Returns
    -------
    bool
        Whether it begins with https://, http:// or s3://.
    """
    return isinstance(source, str) and source.strip().lower().startswith(SCHEMES)


def is_image_address(text: str) -> bool:
    """Tell whether a text is the address of an OME-Zarr image, and of no record.

    Parameters
    ----------
    text : str
        What was given.

    Returns
    -------
    bool
        Whether it begins with s3://, or is one of the web in whose path something ends in .zarr.
    """
    path = text.partition("#")[0].partition("?")[0].rstrip("/").lower()
    return is_address(text) and (path.strip().startswith("s3://") or ".zarr/" in f"{path}/")
