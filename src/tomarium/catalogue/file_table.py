"""The file manifest of a published record: path, size and SHA-256 of every file, as one Parquet file.

It is written once, when a record is published, into the record's folder, so that it goes wherever the record goes. Its
name holds the start of its own SHA-256, and the crate lists all of it: another content has another name. Paths are
sorted and kept as differences, sizes too; a SHA-256 cannot be made smaller, so of about 35 bytes a file 32 are its. A
draft has `manifest-sha256.txt` alone, which stays beside it for `sha256sum -c` and is where both come from.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.catalogue.checksums import FILE_TABLE, MANIFEST, Sum, read_manifest
from tomarium.catalogue.store import ObjectPath, write_crate
from tomarium.errors import FormatError
from tomarium.model import FileEntry, Record

ROLE: Final = "file table"
MEDIA_TYPE: Final = "application/vnd.apache.parquet"
_ROWS: Final = 1 << 20  # of a row group, and of a batch that is read
_COLUMNS: Final = ("path", "bytes", "sha256")


@dataclass(frozen=True, eq=False)
class FileTable:
    """Every file of a record but its crate and this table.

    Attributes
    ----------
    paths : array of str
        Sorted, with "/" as separator.
    sizes : array of int64
        Bytes of each.
    sums : array of arro3
        SHA-256 of each, 32 bytes.
    """

    paths: NDArray[np.object_]
    sizes: NDArray[np.int64]
    sums: Any
    _listed: dict[str, tuple[list[tuple[str, int, int]], NDArray[np.int64]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def sha256(self, row: int) -> str:
        """Return the checksum of a row, hexadecimal."""
        return bytes(self.sums[row].as_py()).hex()

    def items(self) -> Iterator[tuple[str, Sum]]:
        """List all files: path, and size and checksum."""
        for path, size, digest in zip(self.paths, self.sizes.tolist(), self._digests(), strict=True):
            yield path, Sum(size, digest.hex())

    def _digests(self) -> list[bytes]:
        return self.sums.to_pylist() if len(self) else []

    def find(self, path: str) -> Sum | None:
        """Return size and checksum of a file; None where it is none of them."""
        row = int(np.searchsorted(self.paths, path))
        if row == len(self) or self.paths[row] != path:
            return None
        return Sum(int(self.sizes[row]), self.sha256(row))

    @cached_property
    def _up_to(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.sizes)])

    def children(self, folder: str) -> tuple[list[tuple[str, int, int]], NDArray[np.int64]]:
        """List what lies right in a folder.

        Parameters
        ----------
        folder : str
            Path with "/" at its end; "" for the record itself.

        Returns
        -------
        tuple of list of (str, int, int), and array of int64
            The folders in it, by name: path with "/" at its end, how many files are below it, their bytes. And the
            rows of the files, by name.
        """
        if folder not in self._listed:
            self._listed[folder] = self._children(folder)
        return self._listed[folder]

    def _children(self, folder: str) -> tuple[list[tuple[str, int, int]], NDArray[np.int64]]:
        row, stop = self._span(folder)
        folders: list[tuple[str, int, int]] = []
        rows: list[int] = []
        while row < stop:
            path = self.paths[row]
            cut = path.find("/", len(folder))
            if cut < 0:
                rows.append(row)
                row += 1
                continue
            end = self._span(path[: cut + 1])[1]
            folders.append((path[: cut + 1], end - row, int(self._up_to[end] - self._up_to[row])))
            row = end
        return folders, np.array(rows, np.int64)

    def _span(self, folder: str) -> tuple[int, int]:
        if not folder:
            return 0, len(self)
        ends = (folder, f"{folder[:-1]}0")  # "0" is the sign after "/"
        first, stop = (int(np.searchsorted(self.paths, end)) for end in ends)
        return first, stop


def write_table(files: Mapping[str, Sum]) -> bytes:
    """Write a table; the same files give the same bytes.

    Parameters
    ----------
    files : Mapping of str to Sum
        Path → size and checksum.

    Returns
    -------
    bytes
        A Parquet file with the columns `path` (text), `bytes` (int64) and `sha256` (32 bytes).
    """
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    ordered = sorted(files.items())
    columns: dict[str, Any] = {
        "path": Array([path for path, _ in ordered], type=DataType.string()),
        "bytes": Array([row.bytes for _, row in ordered], type=DataType.int64()),
        "sha256": Array([bytes.fromhex(row.sha256) for _, row in ordered], type=DataType.binary(32)),
    }
    target = io.BytesIO()
    write_parquet(
        Table.from_pydict(columns),
        target,
        column_compression={"path": "zstd(9)", "bytes": "zstd(9)", "sha256": "uncompressed"},
        column_encoding={"path": "delta_byte_array", "bytes": "delta_binary_packed", "sha256": "plain"},
        dictionary_enabled=False,
        max_row_group_size=_ROWS,
        created_by="tomarium file table 1",
        skip_arrow_metadata=True,
        writer_version="parquet_2_0",
    )
    return target.getvalue()


def read_table(content: bytes, name: str) -> FileTable:
    """Read a table.

    Parameters
    ----------
    content : bytes
        Of the Parquet file.
    name : str
        For messages.

    Returns
    -------
    FileTable
        Its rows.

    Raises
    ------
    FormatError
        It is no such file.
    """
    from arro3.io import read_parquet

    try:
        table = read_parquet(content, batch_size=_ROWS).read_all()
        if not table.num_rows:
            return FileTable(np.empty(0, object), np.empty(0, np.int64), ())
        paths, sizes, sums = (table.column(column).combine_chunks() for column in _COLUMNS)
        return FileTable(paths.to_numpy(), sizes.to_numpy(), sums)
    except BaseException as problem:  # what is no Parquet at all is a panic there, which is no Exception
        if isinstance(problem, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        reason = (str(problem).splitlines() or [""])[0]
        raise FormatError(f"{name}: is no table of files ({reason}); take it from a backup") from problem


def freeze(folder: Path, record: Record) -> Record:
    """Write the table of a record's files into its folder.

    Parameters
    ----------
    folder : Path
        Of the record.
    record : Record
        As it is; its own list names the manifest that is taken.

    Returns
    -------
    Record
        With the table among its files. The table is there already; the crate is not written.

    Raises
    ------
    FormatError
        A file that the manifest lists is not there.
    """
    sums = read_manifest(folder / MANIFEST)
    sums |= {entry.path: entry.sha256 for entry in record.files if entry.path == MANIFEST}
    sizes = _sizes(folder, sums)
    content = write_table({path: Sum(sizes[path], sha256) for path, sha256 in sums.items()})
    digest = hashlib.sha256(content).hexdigest()
    entry = FileEntry(f"manifest-{digest[:16]}.parquet", len(content), digest, MEDIA_TYPE, ROLE)
    write_crate(folder / entry.path, content)
    return _with(record, entry)


def with_table_of(now: Record, frozen: Record) -> Record | None:
    """Return a record with the table that was written of it a moment ago; None where its files changed meanwhile."""
    listed = tuple(file for file in frozen.files if file.role != ROLE)
    if tuple(file for file in now.files if file.role != ROLE) != listed:
        return None
    return replace(now, files=frozen.files)


def _with(record: Record, entry: FileEntry) -> Record:
    return replace(record, files=(*(file for file in record.files if file.role != ROLE), entry))


def _sizes(folder: Path, paths: Mapping[str, str]) -> dict[str, int]:
    if isinstance(folder, ObjectPath):
        sizes = {path.key.removeprefix(f"{folder.key}/"): path.state().size for path in folder.rglob()}
    else:
        sizes = {path: (folder / path).stat().st_size for path in paths if (folder / path).is_file()}
    for path in paths:
        if path not in sizes:
            raise FormatError(f"{folder.name}: {path} is listed and is not there as a file; copy it again")
    return sizes


def remove_others(folder: Path, record: Record) -> None:
    """Remove tables of what the record was before; called when its crate is written."""
    listed = {entry.path for entry in record.files}
    for path in list(folder.glob("manifest-*.parquet")):
        if FILE_TABLE.fullmatch(path.name) and path.name not in listed:
            path.unlink(missing_ok=True)


def table_of(folder: Path, record: Record) -> FileTable | None:
    """Read the table that a record lists.

    Parameters
    ----------
    folder : Path
        Of the record.
    record : Record
        As its crate says.

    Returns
    -------
    FileTable or None
        None of a draft, whose own would be that of a stranger; and where what lies there is not what it lists.
    """
    entry = next((file for file in record.files if file.role == ROLE), None)
    if record.publication is None or entry is None or not FILE_TABLE.fullmatch(entry.path):
        return None
    try:
        return _read(folder, entry.path, entry.sha256)
    except (OSError, FormatError):  # the manifest beside it tells the same
        return None


@lru_cache(maxsize=8)
def _read(folder: Path, path: str, sha256: str) -> FileTable:
    content = (folder / path).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise FormatError(f"{folder / path}: is not what the record lists; take it from a backup")
    return read_table(content, path)


def sums_of(folder: Path, record: Record) -> Mapping[str, str]:
    """Return the checksum of every file that a record's manifest lists: from its table, else from the text."""
    table = table_of(folder, record)
    if table is None:
        return read_manifest(folder / MANIFEST)
    return {path: row.sha256 for path, row in table.items()}
