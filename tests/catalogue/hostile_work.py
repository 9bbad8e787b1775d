"""What a file that took over the process that reads it would try; run by `ChildReaders` in `test_child_reader.py`."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import tifffile

from tomarium.errors import FormatError


def attempt(asked: tuple[str, str]) -> Any:
    """Do what is named with a path; what the system refuses comes back as the name of its error."""
    name, path = asked
    try:
        return WORKS[name](path)
    except (OSError, RuntimeError, KeyError) as problem:
        return f"refused: {type(problem).__name__}"


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def write(path: str) -> str:
    Path(path).write_bytes(b"x")
    return "written"


def hdf5(path: str) -> bytes:
    """Read as plain h5py does, that follows everything."""
    with h5py.File(path) as file:
        return bytes(np.asarray(file["data"][()]).tobytes())


def tiff(path: str) -> bytes:
    """Read with tifffile, which follows the other files that OME-XML names."""
    with tifffile.TiffFile(path) as file:
        return bytes(file.series[0].asarray().tobytes())


def unzip(path: str) -> bytes:
    """Unpack beside the file, as a careless reader would, links too."""
    with zipfile.ZipFile(path) as packed:
        name = packed.namelist()[0]
        link = Path(path).with_name("link")
        link.symlink_to(packed.read(name).decode())
        return link.read_bytes()


def temporary(_path: str) -> int:
    import tempfile

    with tempfile.TemporaryFile() as file:
        return file.write(b"12345")


def network(path: str) -> str:
    socket.create_connection(("127.0.0.1", int(path)), 2).close()
    return "connected"


def unix_socket(path: str) -> str:
    socket.socket(socket.AF_UNIX).connect(path)
    return "connected"


def program(_path: str) -> str:
    return subprocess.run(["/bin/echo", "ran"], capture_output=True, text=True, check=True).stdout


def fork(_path: str) -> int:
    if not (child := os.fork()):
        os._exit(0)
    return os.waitpid(child, 0)[0]


def crash(_path: str) -> None:
    ctypes.string_at(0)


def loop(_path: str) -> None:
    while True:
        pass


def sleep(_path: str) -> None:
    time.sleep(60)


def flood(_path: str) -> int:
    return len([np.empty(1 << 30, np.uint8) for _ in range(20)])


def kill_parent(_path: str) -> str:
    os.kill(os.getppid(), signal.SIGKILL)
    return "killed"


def environment(_path: str) -> list[str]:
    return sorted(os.environ)


def refuse(path: str) -> None:
    raise FormatError(f"{path} is damaged")


def break_off(_path: str) -> None:
    raise ValueError("not expected")


def answer_much(_path: str) -> bytes:
    return io.BytesIO(bytes(64 << 20)).getvalue()


WORKS: Final[dict[str, Callable[[str], Any]]] = {
    one.__name__: one
    for one in (
        read, write, hdf5, tiff, unzip, temporary, network, unix_socket, program, fork, crash, loop, sleep, flood,
        kill_parent, environment, refuse, break_off, answer_much,
    )
}  # fmt: skip
