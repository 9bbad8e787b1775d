"""Where records lie: a folder of this machine, or a bucket of S3, with one way to ask for both.

What lies in S3 is a `Path` too, of its own kind: doors that look at files by `stat`, `read_text` or `iterdir` need not
know the difference. What would need a file of this machine is refused by name.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PosixPath
from typing import Any, Final

from tomarium.atomic_files import write_whole
from tomarium.catalogue.byte_table import BLOCK
from tomarium.catalogue.object_store import ObjectState, ObjectStore
from tomarium.errors import InputError, ParameterError, StoreUnavailable

SCHEME: Final = "s3://"


def place_at(address: str | Path) -> Path:
    """Return the place that an address means.

    Parameters
    ----------
    address : str or Path
        A folder, or "s3://bucket/prefix".

    Returns
    -------
    Path
        An `ObjectPath` of what lies in S3. It need not exist.

    Raises
    ------
    ParameterError
        An address of S3 without a bucket, or with keys in it.
    """
    text = str(address)
    if not text.startswith(SCHEME):
        return Path(address)
    bucket = text.removeprefix(SCHEME).partition("/")[0]
    if not bucket or "@" in bucket or ":" in bucket:
        raise ParameterError(
            f"{SCHEME}{bucket.rpartition('@')[2]}: is no address of a store; give s3://BUCKET/PREFIX, and endpoint "
            f"and keys by the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
        )
    return ObjectPath(text)


class ObjectPath(PosixPath):
    """A place in a bucket, "s3://bucket/prefix/record/volume.ome.zarr": an object, or all that lies below it.

    What it was told of its object it keeps, so one is made anew for each question.
    """

    _told: ObjectState | None = None

    def __str__(self) -> str:
        parts = self.parts
        return SCHEME + "/".join(parts[1:]) if parts[:1] == ("s3:",) else "/".join(parts) or "."

    def __fspath__(self) -> str:
        raise _refusal(self)

    @property
    def store(self) -> ObjectStore:
        """The bucket."""
        return ObjectStore(self.parts[1])

    @property
    def key(self) -> str:
        """The name within the bucket; "" for all of it."""
        return "/".join(self.parts[2:])

    @property
    def is_told(self) -> bool:
        """Whether it is known to be an object, without asking."""
        return self._told is not None

    def _known(self) -> ObjectState | None:
        if self._told is None and self.key:
            self._told = self.store.state(self.key)
        return self._told

    def _at(self, key: str, state: ObjectState | None = None) -> ObjectPath:
        object_path = ObjectPath(f"{SCHEME}{self.parts[1]}/{key}")
        object_path._told = state
        return object_path

    def state(self) -> ObjectState:
        """Return what the store tells of the object; raises FileNotFoundError where there is none."""
        object_state = self._known()
        if object_state is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return object_state

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return size, time and number of the object."""
        object_state = self.state()
        seconds = object_state.changed_ns // 1_000_000_000
        plain = (
            stat.S_IFREG | 0o444,
            object_state.number,
            0,
            1,
            0,
            0,
            object_state.size,
            seconds,
            seconds,
            seconds,
        )
        named: dict[str, Any] = {f"st_{kind}time_ns": object_state.changed_ns for kind in "amc"}
        return os.stat_result(
            plain, named | {f"st_{kind}time": object_state.changed_ns / 1e9 for kind in "amc"}
        )

    lstat = stat

    def is_file(self, **_kept: Any) -> bool:
        """Tell whether there is an object."""
        return self._known() is not None

    def is_dir(self, **_kept: Any) -> bool:
        """Tell whether there are objects below it."""
        return self._told is None and self.store.has_below(self.key)

    def exists(self, **_kept: Any) -> bool:
        """Tell whether there is an object, or some below it."""
        return self.is_file() or self.is_dir()

    def is_symlink(self) -> bool:
        """Tell that it is no link: buckets have none."""
        return False

    def resolve(self, strict: bool = False) -> ObjectPath:
        """Return itself."""
        return self

    def absolute(self) -> ObjectPath:
        """Return itself."""
        return self

    def expanduser(self) -> ObjectPath:
        """Return itself."""
        return self

    def iterdir(self) -> Iterator[ObjectPath]:  # type: ignore[override]
        """List what lies right below it."""
        folders, files = self.store.children(self.key)
        yield from (self._at(key) for key in folders)
        yield from (self._at(key, state) for key, state in files)

    def rglob(self, pattern: str = "*", **_kept: Any) -> Iterator[ObjectPath]:  # type: ignore[override]
        """List the objects below it whose name fits a pattern."""
        objects = (self._at(key, state) for key, state in self.store.objects(self.key))
        return (object_path for object_path in objects if object_path.match(pattern))

    def glob(self, pattern: str, **_kept: Any) -> Iterator[ObjectPath]:  # type: ignore[override]
        """List what lies right below it and whose name fits a pattern."""
        return (path for path in self.iterdir() if path.match(pattern))

    def blocks(self, first: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Read a range of the object, of which `state` told, in blocks of at most 1 MiB."""
        object_state = self.state()
        for piece in self.store.read(
            self.key, first, object_state.size if stop is None else stop, object_state.tag
        ):
            view = memoryview(piece)
            yield from (bytes(view[low : low + BLOCK]) for low in range(0, len(view), BLOCK))

    def read_bytes(self) -> bytes:
        """Read the whole object."""
        return b"".join(self.blocks())

    def read_text(self, encoding: str | None = None, errors: str | None = None, *_kept: Any) -> str:
        """Read the whole object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict").replace("\r\n", "\n")

    def open(self, mode: str = "r", *_kept: Any, **_named: Any) -> Any:
        """Open the object for reading; all of it is read."""
        if mode not in ("r", "rt", "rb"):
            raise _refusal(self)
        return io.BytesIO(self.read_bytes()) if "b" in mode else io.StringIO(self.read_text())

    def write_bytes(self, data: Any) -> int:
        """Put the object, whole or not at all."""
        self._told = None
        self.store.put(self.key, bytes(data), len(data))
        return len(data)

    def unlink(self, missing_ok: bool = True) -> None:
        """Delete the object."""
        self._told = None
        self.store.delete([self.key])

    def zarr_store(self) -> Any:
        """Open the array that lies here, for zarr to read."""
        return _zarr_store_class()(self.store, self.key)


def _refusal(path: Path) -> InputError:
    return InputError(
        f"{path}: lies in S3, where this cannot be done; fetch the record with `tomarium pull`, or move it to a folder "
        f"with `tomarium store move`"
    )


def _refuse(path: Path, *_given: Any, **_named: Any) -> Any:
    """Refuse what is only possible in a folder."""
    raise _refusal(path)


for _name in ("mkdir", "rmdir", "rename", "replace", "touch", "write_text", "symlink_to", "hardlink_to", "chmod",
              "readlink", "samefile"):  # fmt: skip
    setattr(ObjectPath, _name, _refuse)


@cache
def _zarr_store_class() -> Any:
    from obstore.exceptions import BaseError
    from zarr.storage import ObjectStore as ZarrObjectStore

    class RecordStore(ZarrObjectStore):  # type: ignore[type-arg]
        """An array in a bucket, whose errors are those of its store: what does not answer is not taken for damaged."""

        def __init__(self, home: ObjectStore, key: str) -> None:
            self._home, self._key = home, key
            super().__init__(home.client(key), read_only=True)

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            """Read an object, or a part of it."""
            try:
                return await super().get(key, prototype, byte_range)
            except BaseError as problem:
                raise self._home.explain(f"{self._key}/{key}", problem) from problem

    return RecordStore


def write_crate(path: Path, content: bytes) -> None:
    """Write a record's crate, or another small file of it, whole or not at all, in a folder or in S3.

    Parameters
    ----------
    path : Path
        Of the file.
    content : bytes
        All of it.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
    else:
        write_whole(path, content)


def demand_store(address: Path) -> None:
    """Refuse a store that cannot be written.

    Parameters
    ----------
    address : Path
        As `place_at` gives it; a folder is made where it is missing.

    Raises
    ------
    StoreUnavailable
        The bucket is absent, does not answer, or may not be written.
    InputError
        The folder cannot be made.
    """
    probe = address / f".tomarium-probe-{os.getpid()}"
    if not isinstance(address, ObjectPath):
        try:
            address.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as problem:
            raise InputError(
                f"{address}: cannot be written ({problem.strerror}); give another place"
            ) from problem
        return
    try:
        probe.write_bytes(b"tomarium")
    except FileNotFoundError as problem:
        raise StoreUnavailable(
            f"{address}: there is no bucket {address.parts[1]} at this endpoint; make it, or correct its name or "
            f"AWS_ENDPOINT_URL"
        ) from problem
    if ObjectPath(str(probe)).read_bytes() != b"tomarium":
        raise StoreUnavailable(f"{address}: what was put there came back otherwise; use another endpoint")
    probe.unlink()
