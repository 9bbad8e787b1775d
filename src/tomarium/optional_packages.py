"""Packages of an extra, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tomarium.errors import EngineUnavailable


def optional_import(name: str, extra: str) -> Any:
    """Import a module that an extra installs.

    Parameters
    ----------
    name : str
        "scipy.ndimage", "skimage.measure" …
    extra : str
        Extra of tomarium that brings it.

    Returns
    -------
    module
        The module.

    Raises
    ------
    EngineUnavailable
        It is not installed; the message tells how to install it.
    """
    try:
        return import_module(name)
    except ImportError as problem:
        raise EngineUnavailable(
            f"{name.partition('.')[0]} is needed for this and is not installed ({problem}); install it with: "
            f"pip install 'tomarium[{extra}]'"
        ) from problem
