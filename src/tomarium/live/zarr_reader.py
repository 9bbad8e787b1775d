"""Zarr behind `nodes`: a folder of groups and arrays, closed or growing.

Zarr leaves out chunks that hold nothing but the fill value, so that an absent one says nothing in a closed array. While
an array grows, the leading chunks that are there are what is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError, MissingData, TomariumError
from tomarium.formats.hdf5.array import first_axis
from tomarium.formats.hdf5.half_written import Stamp
from tomarium.formats.zarr.array import check_chunks
from tomarium.live.hdf5_reader import QUIET_S, STATUS_ATTRIBUTE
from tomarium.live.reader import Look, Shape, Status, count_leading

_MOST_LISTED: Final = 64


@dataclass(frozen=True, eq=False)
class ZarrReader:
    """A zarr group on disk, of format 2 or 3."""

    path: Path

    @property
    def generation(self) -> int:
        """Time of the last change of the group's own metadata, in ns since 1970."""
        return self._stamp().changed_ns

    @property
    def status(self) -> Status:
        """What its writer says of it, else what its age does: "closed" after ten seconds without a new chunk."""
        status = self.attributes("/").get(STATUS_ATTRIBUTE)
        if status == "finished":
            return "finished"
        if min(self._stamp().age_s(), self._age_of_chunks_s()) < QUIET_S:
            return "growing"
        return "closed" if status is None else "quiet"

    def _age_of_chunks_s(self) -> float:
        """Seconds since the last chunk file was made in a new place, as the times of folders tell."""
        folders = [folder for folder in islice(self.path.iterdir(), _MOST_LISTED) if folder.is_dir()]
        ages = [
            Stamp.of(place).age_s()
            for folder in folders
            for place in (folder, folder / "c")
            if place.is_dir()
        ]
        return min(ages, default=float("inf"))

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
            member = node.get(inner) if inner else node
        except Exception as problem:  # zarr raises what parsing runs into
            raise FormatError(
                f"{self.path}: {path} cannot be read as zarr ({type(problem).__name__}: {problem}); copy it again"
            ) from problem
        if isinstance(member, zarr.Array):
            check_chunks(self.path / inner, member)
        return member

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
        valid = shape[0] if shape else 1
        if shape and self.status in ("growing", "quiet"):
            valid = self._count_written(path, node)
        return Look("dataset", shape=Shape(shape, dtype, node.chunks or None, valid))

    def _count_written(self, path: str, node: Any) -> int:
        """Count the leading entries whose chunks are there."""
        step = (node.shards or node.chunks)[0]
        rows = count_leading(-(-node.shape[0] // step), lambda row: self._is_stored(path, node, row))
        return int(min(rows * step, node.shape[0]))

    def _is_stored(self, path: str, node: Any, row: int) -> bool:
        """Tell whether the first and the last file of a row of chunks are there."""
        file_shape = node.shards or node.chunks
        last = [(length - 1) // step for length, step in zip(node.shape[1:], file_shape[1:], strict=True)]
        home = self.path / path.strip("/")
        keys = {node.metadata.encode_chunk_key((row, *further)) for further in ([0] * len(last), last)}
        return all((home / key).is_file() for key in keys)

    def values(self, path: str, key: Any) -> Any:
        """Read part of an array."""
        import zarr

        node = self._node(path)
        if not isinstance(node, zarr.Array):
            raise MissingData(f"{self.path}: there is no array {path}; look at what its group holds")
        # Without a word of its writer an absent chunk may be one of nothing but the fill value.
        if node.shape and self.attributes("/").get(STATUS_ATTRIBUTE) not in (None, "finished"):
            step = (node.shards or node.chunks)[0]
            for row in np.unique(first_axis(key, node.shape) // step):
                if not self._is_stored(path, node, int(row)):
                    raise MissingData(
                        f"{self.path}: {path} has no entry {int(row) * step} yet, of {node.shape[0]}; "
                        f"wait for it (`follow`), or read only the first `valid_frames`"
                    )
        parts = key if isinstance(key, tuple) else (key,)
        try:
            read = (
                node.oindex[key] if any(isinstance(part, list | np.ndarray) for part in parts) else node[key]
            )
        except (TomariumError, IndexError):
            raise
        except Exception as problem:  # codecs raise classes of their own for damaged bytes
            raise FormatError(
                f"{self.path}: some chunks of {path} are damaged ({type(problem).__name__}: {problem}); "
                f"copy it again"
            ) from problem
        values = np.asarray(read)
        if values.dtype.kind in "TU":
            values = values.astype(object)
        return values[()] if values.ndim == 0 else values

    def attributes(self, path: str) -> dict[str, Any]:
        """Read the attributes of a group or array."""
        node = self._node(path)
        if node is None:
            raise MissingData(f"{self.path}: there is nothing at {path}; look at what its group holds")
        return dict(node.attrs)
