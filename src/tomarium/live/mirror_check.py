"""Look through a copy of an HDF5 file: every group, every shape, the first and last entry of every dataset.

Run in a process of its own, for damaged bytes can crash the library or keep it for ever.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py

from tomarium.errors import TomariumError
from tomarium.formats.hdf5.errors import DAMAGE, demand_no_stop
from tomarium.formats.hdf5.filters import load_plugins_for
from tomarium.formats.hdf5.security_check import examine, open_checked


def what_is_wrong(path: Path) -> str:
    """Look through an HDF5 file that nobody writes.

    `path`: the copy. Links to other files are not followed. Result: what is wrong with it; empty where
    nothing is.
    """
    try:
        with open_checked(path, growing=True) as file:
            damaged = [
                finding.text for finding in examine(path, file, growing=True) if finding.code == "damaged"
            ]
            if damaged:
                return damaged[0]
            file.visititems(_touch)
    except (*DAMAGE, TomariumError) as problem:
        demand_no_stop(problem)
        return f"{type(problem).__name__}: {problem}"
    return ""


def _touch(name: str, node: Any) -> None:
    list(node.attrs.items())
    if not isinstance(node, h5py.Dataset) or node.is_virtual or not node.size:
        return
    load_plugins_for(node)
    if not node.shape:
        node[()]
        return
    for entry in {0, node.shape[0] // 2, node.shape[0] - 1}:
        node[(entry, *(slice(0, 64) for _ in node.shape[1:]))]


def main() -> None:
    """Look through the file that is named on the command line; leave with 1 where something is wrong."""
    fault = what_is_wrong(Path(sys.argv[1]))
    print(fault)
    sys.exit(1 if fault else 0)
