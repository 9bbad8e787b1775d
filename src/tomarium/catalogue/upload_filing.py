"""A batch on its way to a record: what is noted on disk, so that who stops in between is not left half way."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from tomarium.atomic_files import write_json
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.upload_notes import BATCH, read_batch, read_info, uploads_in

FILING: Final = "filing"
"""What the notes of a batch call the record whose folder it becomes."""


def begin_filing(home: Path, id: str) -> None:
    """Note that the files of a whole batch are about to become the folder of a record.

    Parameters
    ----------
    home : Path
        Folder of the batch.
    id : str
        Identifier of the record.
    """
    write_json(home / BATCH, {**read_batch(home), FILING: id})


def filed_as(home: Path, incoming: Path) -> str:
    """Return the record whose folder a batch has become, though its filing did not come to its end.

    Parameters
    ----------
    home : Path
        Folder of the batch.
    incoming : Path
        Where its files were put in their places.

    Returns
    -------
    str
        Its identifier; "" where the files are still here, or nothing was noted.
    """
    id = str(read_batch(home).get(FILING, ""))
    has_files = uploads_in(home) or (incoming.is_dir() and any(incoming.iterdir()))
    return "" if has_files else id


def owner_who_files(root: Path, id: str) -> Reader | None:
    """Return whose batch became the folder of a record.

    Parameters
    ----------
    root : Path
        Folder of all uploads.
    id : str
        Identifier of the record.

    Returns
    -------
    Reader or None
        None where no batch notes it.
    """
    for home in batches_filed_as(root, id):
        with suppress(OSError, ValueError):
            return Reader(str(read_batch(home)["owner"]), "member")
    return None


def batches_filed_as(root: Path, id: str) -> list[Path]:
    """List the folders of batches whose files became the folder of a record, and that were not forgotten since.

    Parameters
    ----------
    root : Path
        Folder of all uploads.
    id : str
        Identifier of the record.

    Returns
    -------
    list of Path
        In the order of their names.
    """
    found = []
    for home in sorted(root.iterdir()) if root.is_dir() else ():
        with suppress(OSError, ValueError):
            if read_batch(home).get(FILING) == id:
                found.append(home)
    return found


def forget_moved(home: Path, incoming: Path, data: str) -> None:
    """Forget uploads whose bytes lie in their place already: a program was stopped before it did.

    Parameters
    ----------
    home : Path
        Folder of the batch.
    incoming : Path
        Where its files are put in their places.
    data : str
        Name of the bytes of an upload in its folder.
    """
    for key, token in uploads_in(home):
        place = home / key / token
        if not (place / data).exists() and (incoming / read_info(place)["path"]).is_file():
            shutil.rmtree(home / key)
