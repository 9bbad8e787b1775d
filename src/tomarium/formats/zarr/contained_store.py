"""A folder as Zarr's store, out of which no symbolic link leads: a chunk of a stranger's volume could be any file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


@cache
def _store_class() -> Any:
    from zarr.storage import LocalStore

    class InsideStore(LocalStore):
        """A folder whose files lie in it, or in one beside it."""

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            """Read a file, or a part of it."""
            place, home = (self.root / key).resolve(), self.root.resolve().parent
            if not place.is_relative_to(home):
                raise ValueError(
                    f"{key} is a symbolic link that leads outside the volume's own folder, which is refused"
                )
            return await super().get(key, prototype, byte_range)

    return InsideStore


def inside_store(path: Path) -> Any:
    """Open the folder of an array for reading.

    `path`: the folder; one that lies in a store of another kind brings its own `zarr_store`. Result: a store that
    raises ValueError for a file that lies elsewhere.
    """
    elsewhere = getattr(path, "zarr_store", None)
    if elsewhere is not None:
        return elsewhere()
    return _store_class()(path, read_only=True)
