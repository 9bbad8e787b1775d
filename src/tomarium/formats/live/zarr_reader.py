"""Zarr behind `nodes`: a folder of groups and arrays, closed or growing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.errors import FormatError, MissingData, TomariumError
from tomarium.formats.live.hdf5_reader import QUIET_S, STATUS_ATTRIBUTE
from tomarium.formats.live.patience import Stamp
from tomarium.formats.live.reader import Look, Shape, Status
from tomarium.formats.ome_zarr import check_chunks


@dataclass(frozen=True, eq=False)
class ZarrReader:
    """A zarr group on disk, of format 2 or 3.

    Attributes
    ----------
    path : Path
        Its folder.
    """

    path: Path

    @property
    def generation(self) -> int:
        """Time of the last change of the group's own metadata, in ns since 1970."""
        return self._stamp().changed_ns

    @property
    def status(self) -> Status:
        """What its writer says of it; "closed" where it says nothing."""
        told = self.attributes("/").get(STATUS_ATTRIBUTE)
        if told is None:
            return "closed"
        if told == "finished":
            return "finished"
        return "growing" if self._stamp().age_s() < QUIET_S else "quiet"

    def _stamp(self) -> Stamp:
        for name in ("zarr.json", ".zgroup", ".zattrs"):
            if (self.path / name).is_file():
                return Stamp.of(self.path / name)
        raise FormatError(f"{self.path}: is no zarr group; give the folder that holds zarr.json or .zgroup")

    def _node(self, path: str) -> Any:
        import zarr

        inner = path.strip("/")
        if not (self.path / inner).resolve().is_relative_to(self.path.resolve()):
            raise FormatError(
                f"{self.path}: {path} lies outside the group's own folder, which is refused; "
                f"copy it into the folder"
            )
        try:
            node = zarr.open_group(store=self.path, mode="r")
            found = node.get(inner) if inner else node
        except Exception as problem:  # zarr raises what parsing runs into
            raise FormatError(
                f"{self.path}: {path} cannot be read as zarr ({type(problem).__name__}: {problem}); copy it again"
            ) from problem
        if isinstance(found, zarr.Array):
            check_chunks(self.path / inner, found)
        return found

    def look(self, path: str) -> Look | None:
        """Say what stands at a path."""
        import zarr

        node = self._node(path)
        if node is None:
            return None
        if not isinstance(node, zarr.Array):
            return Look("group", tuple(sorted(node.keys())))
        shape = tuple(int(length) for length in node.shape)
        dtype = np.dtype(object) if node.dtype.kind in "TOU" else np.dtype(node.dtype)
        return Look("dataset", shape=Shape(shape, dtype, node.chunks or None, shape[0] if shape else 1))

    def values(self, path: str, key: Any) -> Any:
        """Read part of an array."""
        import zarr

        node = self._node(path)
        if not isinstance(node, zarr.Array):
            raise MissingData(f"{self.path}: there is no array {path}; look at what its group holds")
        parts = key if isinstance(key, tuple) else (key,)
        try:
            read = node.oindex[key] if any(isinstance(one, list | np.ndarray) for one in parts) else node[key]
        except (TomariumError, IndexError):
            raise
        except Exception as problem:  # codecs raise classes of their own for damaged bytes
            raise FormatError(
                f"{self.path}: some chunks of {path} are damaged ({type(problem).__name__}: {problem}); "
                f"copy it again"
            ) from problem
        told = np.asarray(read)
        if told.dtype.kind in "TU":
            told = told.astype(object)
        return told[()] if told.ndim == 0 else told

    def attributes(self, path: str) -> dict[str, Any]:
        """Read the attributes of a group or array."""
        node = self._node(path)
        if node is None:
            raise MissingData(f"{self.path}: there is nothing at {path}; look at what its group holds")
        return dict(node.attrs)
