"""Readers of files: each format is given files that are nearly its own; those with checksums may give no wrong frame.

An input is the content of one file; in a folder of several, its first byte says which one it takes the place of.
"""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import h5py
import numpy as np
from numpy.typing import NDArray

import tomarium as tm
from contracts.test_formats import EXTRAS, FILES, FORMATS, MAKERS, example_scan, example_volume
from tomarium.errors import TomariumError
from tomarium.model import Scan

Read = Callable[[bytes], object]
Begun = tuple[Read, list[bytes]]
_MOST_SEED = 1 << 19
_MOST_FILES = 24


def begin_all() -> dict[str, Callable[[], Begun]]:
    """Every format that can be read here, and those whose files hold checksums."""
    here = {
        name: make for name, make in {**MAKERS, **FILES}.items() if find_spec(EXTRAS.get(name, "tomarium"))
    }
    found = {f"reader-{name}": _beginner(name, make) for name, make in here.items()}
    return found | {f"frames-{name}": _checked(name, make) for name, make in CHECKED.items()}


def _beginner(name: str, make: Callable[[Path], object]) -> Callable[[], Begun]:
    def begin() -> Begun:
        path = _folder() / f"{name}{(FORMATS[name].suffixes or ('',))[0]}"
        make(path)
        return _reader(path, None)

    return begin


def _checked(name: str, make: Callable[[Path], object]) -> Callable[[], Begun]:
    def begin() -> Begun:
        path = _folder() / name
        make(path)
        return _reader(path, _frames(path), lambda file: file.suffix != ".json")

    return begin


def _reader(
    path: Path, truth: NDArray[np.generic] | None, may_change: Callable[[Path], bool] = lambda _file: True
) -> Begun:
    whole = path.is_dir()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if whole else [path]
    contents = [(one, one.read_bytes()) for one in files if may_change(one)]
    contents = [one for one in contents if len(one[1]) <= _MOST_SEED][:_MOST_FILES]
    assert contents, f"{path}: has no file that is small enough"
    moment = [10**9]

    def read(content: bytes) -> None:
        file, good = contents[content[0] % len(contents) if content else 0] if whole else contents[0]
        _write(file, content[1:] if whole else content, moment)
        try:
            found = _frames(path)
        except TomariumError as problem:
            assert len(str(problem)) > 10, "an error without words"
        else:
            if truth is not None:
                assert found.shape == truth.shape, f"a wrong shape, {found.shape}"
                assert found.tobytes() == truth.tobytes(), "wrong frames"
        finally:
            if whole:
                _write(file, good, moment)

    return read, [bytes([number]) * whole + good for number, (_, good) in enumerate(contents)]


def _write(file: Path, content: bytes, moment: list[int]) -> None:
    file.write_bytes(content)
    moment[0] += 2
    os.utime(file, (moment[0],) * 2)  # at rest, each at a time of its own: nobody waits for its writer


def _frames(path: Path) -> NDArray[np.generic]:
    """Read the first frames, all of what is small."""
    found = tm.open(path)
    if isinstance(found, Scan):
        found.projections.cost(2, slice(0, 2))
        return found.projections.read(slice(0, 64), slice(0, 64))
    part = tuple(slice(0, 64) for _ in found.shape)
    return np.asarray(found[part])


def hdf5_with_checksums(path: Path) -> None:
    """Data Exchange in the newest form of HDF5, whose metadata have checksums, with Fletcher's of all data."""
    scan = example_scan()
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("implements", data=np.bytes_("exchange"))
        frames = scan.projections.read(slice(None), slice(None))
        file.create_dataset("exchange/data", data=frames, chunks=(4, 4, 8), fletcher32=True)
        file.create_dataset("exchange/theta", data=scan.angles_deg.value, chunks=(12,), fletcher32=True)


def packed(
    suffix: str, write: Callable[[Path], object], squeeze: Callable[[bytes], bytes]
) -> Callable[[Path], None]:
    """A file inside gzip or bzip2."""

    def make(path: Path) -> None:
        bare = path.with_name(f"bare{suffix}")
        write(bare)
        path.write_bytes(squeeze(bare.read_bytes()))
        bare.unlink()

    return make


def _mrc(path: Path) -> None:
    FORMATS["mrc"].write(path, example_volume())  # type: ignore[misc]


CHECKED: dict[str, Callable[[Path], object]] = {
    "checked.h5": hdf5_with_checksums,
    "checked.mrc.gz": packed(".mrc", _mrc, lambda data: gzip.compress(data, mtime=0)),
    "checked.mrc.bz2": packed(".mrc", _mrc, bz2.compress),
    "checked.tif.gz": packed(".tif", FILES["tiff"], lambda data: gzip.compress(data, mtime=0)),
    "checked.ome.zarr": lambda path: FORMATS["ome-zarr"].write(path, example_volume()),  # type: ignore[misc]
}

_FOLDERS: list[Path] = []


def _folder() -> Path:
    _FOLDERS.append(Path(mkdtemp(prefix="tomarium-fuzz-")))
    return _FOLDERS[-1]


def clear() -> None:
    """Remove what was made."""
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    _FOLDERS.clear()
