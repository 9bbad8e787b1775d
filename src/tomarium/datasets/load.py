"""A record opened for a program: by DOI, by the address of its page, from a catalogue or from its folder."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from tomarium.datasets.addresses import is_image_address
from tomarium.datasets.dataset import Dataset
from tomarium.datasets.portal_path import PortalPath, RemoteFiles, answered
from tomarium.errors import FormatError, InputError
from tomarium.formats.opening.messages import no_volume
from tomarium.model import Part, Record, Volume

RESOLVER: Final = "https://doi.org"
TOKEN: Final = "TOMARIUM_TOKEN"
_EXAMPLES: Final = (
    'a DOI ("doi:10.1234/tooth"), the address of a page ("https://data.example.org/records/tooth"), an identifier in a '
    'catalogue ("tooth@catalogue.sqlite"), or the folder of a record'
)


def load(
    source: str | Path, *, catalogue: str | Path = "", token: str | None = None, resolver: str = RESOLVER
) -> Dataset:
    """Open a record as a data set; of its volume nothing is read but its header.

    Parameters
    ----------
    source : str or Path
        A DOI, "doi:10.1234/tooth"; the address of its page; "tooth@https://data.example.org" or
        "tooth@catalogue.sqlite"; an identifier in your own catalogue; the folder of a record; or the address of an
        OME-Zarr image that belongs to no record, "https://data.example.org/bone.zarr#level=2", or "s3://BUCKET/…".
    catalogue : str or Path, optional
        Address of a portal, or place of a catalogue, in which `source` is an identifier.
    token : str, optional
        Of an account at the portal; that in the environment as TOMARIUM_TOKEN by default. It is not sent to where a
        DOI leads.
    resolver : str
        What resolves DOIs.

    Returns
    -------
    Dataset
        With `metadata`, `citation`, `licence`, `volume` and `patches`.

    Raises
    ------
    InputError
        There is no such record, nobody answers at its address, or its files are not open: the message tells from when
        they are.
    FormatError
        What is there is no record.

    Examples
    --------
    >>> import tomarium                                                            # doctest: +SKIP
    >>> ds = tomarium.load("doi:10.1234/tooth")                                    # doctest: +SKIP
    >>> for patch in ds.patches(64, split="train", number=100):                    # doctest: +SKIP
    ...     print(patch.position, patch.data.mean())
    """
    from tomarium.standards.identifiers import DOI

    text = str(source).strip()
    if is_image_address(text):
        return _from_web(text)
    if DOI.fullmatch(text) or text.startswith(("https://", "http://")):
        with answered(text):
            return _from_portal(text, token, resolver)
    id, _, place = (text, "@", str(catalogue)) if catalogue else text.rpartition("@")
    if place.startswith(("https://", "http://")) and id:
        with answered(text):
            return _from_portal(f"{place.rstrip('/')}/records/{id}", token, resolver)
    if id:
        return _from_catalogue(id, place)
    folder = Path(text).expanduser()
    return _from_folder(folder) if folder.exists() else _from_catalogue(text, None)


def _from_web(address: str) -> Dataset:
    """Open a plain image: of a record only its title is known, which is its name."""
    from tomarium.datasets.web_image import open_web_image

    image = open_web_image(address)
    if not isinstance(image, Volume):
        raise InputError(no_volume(image.path, image))
    summary = {"shape": list(image.shape), "dtype": image.dtype.name}
    part = Part("volume", "", summary=summary)
    record = Record("image", image.name, datetime.now(UTC), parts=(part,))
    return Dataset(record, str(image.metadata["address"]), lambda: image, load)


def _from_folder(folder: Path) -> Dataset:
    from tomarium.catalogue.record_folder import read_record
    from tomarium.viewers.volume import open_volume, volume_path

    record = read_record(folder)
    path = volume_path(record)
    return Dataset(record, str(folder), lambda: open_volume(folder / path) if path else None, load)


def _from_catalogue(id: str, place: str | None) -> Dataset:
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.queries import folder_of

    with open_catalogue(place or None, make=False) as opened, opened.reading() as connection:
        folder = folder_of(connection, id)
    if folder is None:
        raise InputError(
            f"{id[:120]}: is no record of {place or 'your catalogue'}, and no folder; give {_EXAMPLES}"
        )
    return _from_folder(folder)


def _from_portal(address: str, token: str | None, resolver: str) -> Dataset:
    from tomarium.portal.client import with_retries
    from tomarium.portal.remote_record import TRIES, get, list_files_of, open_page
    from tomarium.standards.ro_crate import read
    from tomarium.viewers.volume import volume_path

    page = open_page(address, os.environ.get(TOKEN, "").strip() if token is None else token, resolver)
    if page.closed:
        raise InputError(f"{page.address}: {page.closed.rstrip('.')}")
    answer = with_retries(lambda: get(page.portal, f"records/{page.id}/metadata/ro-crate"), TRIES)
    if answer.status != 200:
        raise page.refusal(answer)
    try:
        record: Record = read(answer.content.decode())
    except UnicodeDecodeError as problem:
        raise FormatError(
            f"{page.address}/metadata/ro-crate: is no UTF-8; ask the portal's keeper"
        ) from problem
    path = volume_path(record)
    if path is None:
        return Dataset(record, page.address, lambda: None, load)
    files = RemoteFiles(page, {file.path: file for file in list_files_of(page)})
    return Dataset(record, page.address, lambda: _volume(PortalPath(files, path)), load)


def _volume(path: PortalPath) -> Volume:
    from tomarium.viewers.volume import open_volume

    return replace(open_volume(cast(Path, path)), path=None)
