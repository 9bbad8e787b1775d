"""The type of the option --catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from tomarium.cli.given_path import GivenPath


class CataloguePlace(GivenPath):
    """A file, or the address of a database, which is no path: `Path` would make one slash of two."""

    name = "file or address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave an address as it is, and turn the rest into a path."""
        return value if "://" in str(value) else super().convert(value, param, ctx)


PLACE: Final = CataloguePlace(path_type=Path, readable=False)
