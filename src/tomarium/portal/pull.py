"""Fetching a record from a portal: all of its files, parts of it, or a region of its volume; each file checked."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urljoin

from tomarium import units
from tomarium.catalogue.checksums import list_files
from tomarium.catalogue.contents import Content, choose
from tomarium.catalogue.record_folder import LONGEST_CRATE_BYTES, verify
from tomarium.errors import CannotFit, FormatError, InputError
from tomarium.portal.client import with_retries
from tomarium.portal.fetch import PARTIAL, FileToFetch, fetch, partial_of
from tomarium.portal.remote_record import RESOLVER, TRIES, RemoteRecord, get, list_files_of, open_page
from tomarium.standards.ro_crate import FILENAME, read
from tomarium.viewers.volume import volume_path

_REGION: Final = re.compile(r"\d{0,9}(:\d{0,9})?", re.ASCII)
Tell = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Pulled:
    """What came of it.

    Attributes
    ----------
    id, title : str
        Of the record.
    place : Path
        The folder, or the file of a region.
    files, bytes : int
        How many were wanted, and how much they are.
    fetched : int
        Bytes that were sent now; the others were there.
    whole : bool
        Whether the folder is the whole record.
    """

    id: str
    title: str
    place: Path
    files: int
    bytes: int
    fetched: int
    whole: bool


def pull(
    address: str,
    folder: Path | None = None,
    *,
    token: str = "",
    paths: Sequence[str] = (),
    level: int = 0,
    jobs: int = 4,
    resolver: str = RESOLVER,
    tell: Tell | None = None,
) -> Pulled:
    """Fetch a record, or parts of it, into a folder; start it again to go on where it was stopped.

    Parameters
    ----------
    address : str
        Of the record's page, or its DOI. A token is not sent to where a DOI leads.
    folder : Path, optional
        Where to; the record's identifier in the present folder by default.
    token : str
        Of an account at the portal, for records whose files are not open.
    paths : sequence of str
        Files and folders to take; all by default.
    level : int
        Finest level of the volume that is taken.
    jobs : int
        Files fetched at a time.
    resolver : str
        What resolves DOIs.
    tell : callable, optional
        Told of progress: a word, megabytes done, megabytes in all.

    Returns
    -------
    Pulled
        Every file has the SHA-256 that the portal lists; a whole record is also what its own manifest says.

    Raises
    ------
    InputError
        There is no such record, its files are not open, or a file here is another; the portal's own words are told.
    FormatError
        What the portal lists cannot be, or a file is not what it lists.
    CannotFit
        The disk has less space free than is to be fetched.
    Interrupted, StorageFull
        Stopped half-way; start it again to go on.
    """
    page = open_page(address, token, resolver)
    contents = list_files_of(page)
    chosen = _chosen(page, contents, paths, level)
    is_all = len(chosen) == len(contents)
    folder = folder or Path(page.id)
    present = _what_is_there(folder, contents, chosen, is_all)
    _demand_space(folder, chosen, present)
    base = f"records/{page.id}/files/"
    files = [
        FileToFetch(
            base + quote(content.path),
            folder / content.path,
            partial_of(folder, content),
            content.bytes,
            content.sha256,
        )
        for content in chosen
    ]
    folder.mkdir(parents=True, exist_ok=True)
    fetched = fetch(page.portal, files, jobs, page.refusal, tell)
    if is_all:
        for path in present - {
            content.path for content in chosen
        }:  # partial files of what the portal gave before
            (folder / path).unlink(missing_ok=True)  # most are whole files by now
        _verify(folder)
    return Pulled(page.id, page.title, folder, len(chosen), _size(chosen), fetched, is_all)


def pull_region(
    address: str,
    region: str,
    target: Path,
    *,
    token: str = "",
    level: int = 0,
    resolver: str = RESOLVER,
    tell: Tell | None = None,
) -> Pulled:
    """Fetch a region of a record's volume as one file.

    Parameters
    ----------
    address, token, resolver, tell
        As in `pull`.
    region : str
        Voxels of the level along z, y and x: "10:20,0:500,:"; what is left out is all.
    target : Path
        Must end in .npy, .tif or .tiff, and not be there.
    level : int
        Level of the volume; 0 is the finest.

    Returns
    -------
    Pulled
        The file has the length that the portal told.

    Raises
    ------
    InputError, CannotFit, Interrupted, StorageFull
        As `pull`, or there is no such region; the portal's own words are told.
    """
    kind = {".npy": "npy", ".tif": "tiff", ".tiff": "tiff"}.get(target.suffix.lower())
    if kind is None:
        raise InputError(
            f"{target}: a region is a NumPy array or a TIFF; give a name that ends in .npy or .tiff"
        )
    if target.exists():
        raise InputError(f"{target}: exists; give another name, or remove it")
    spans = [span.strip() for span in region.split(",")]
    if len(spans) > 3 or not all(_REGION.fullmatch(span) for span in spans):
        raise InputError(
            f"--roi {region[:80]}: is no region; give voxels along z, y and x, such as 10:20,0:500,0:500"
        )
    page = open_page(address, token, resolver)
    query = {"level": str(level)} | {
        axis: span for axis, span in zip("zyx", spans, strict=False) if span not in ("", ":")
    }
    path = f"records/{page.id}/volume.{kind}?{urlencode(query)}"
    answer = with_retries(lambda: page.portal.ask("HEAD", path), TRIES)
    if answer.status != 200:  # HEAD has no words
        answer = with_retries(lambda: page.portal.ask("GET", path, {"Range": "bytes=0-0"}), TRIES)
        raise page.refusal(answer)
    length, tag = answer.headers.get("Content-Length", ""), answer.headers.get("ETag", "")
    if not length.isdecimal() or len(length) > 18 or not tag:
        raise FormatError(
            f"{page.portal.address}{path}: the portal tells no length or no ETag; ask its keeper"
        )
    mark = hashlib.sha256(tag.encode()).hexdigest()[:12]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name[:40]}.{mark}.partial")
    file = FileToFetch(path, target, partial, int(length), "", tag)
    _demand_free(target.parent, file.bytes - (partial.stat().st_size if partial.exists() else 0))
    fetched = fetch(page.portal, [file], 1, page.refusal, tell)
    return Pulled(page.id, page.title, target, 1, file.bytes, fetched, False)


def _chosen(
    page: RemoteRecord, contents: Sequence[Content], paths: Sequence[str], level: int
) -> tuple[Content, ...]:
    finer = _finer(page, contents, level) if level else ()
    coarse_enough = tuple(content for content in contents if not finer or not content.path.startswith(finer))
    try:
        return choose(coarse_enough, paths)
    except KeyError as problem:
        raise InputError(
            f"{page.portal.address}records/{page.id}: has no file or folder {problem.args[0][:200]!r} to take; its "
            f"files are on its page"
        ) from problem
    except ValueError as problem:
        raise InputError(
            f"{problem} paths were given; give at most 100, or the folders above them"
        ) from problem


def _finer(page: RemoteRecord, contents: Sequence[Content], level: int) -> tuple[str, ...]:
    """Return the folders of the levels of the volume that are finer than a level."""
    try:
        volume = volume_path(read(_small(page, contents, FILENAME).decode()))
    except UnicodeDecodeError as problem:
        raise FormatError(f"{FILENAME}: is no UTF-8; ask the portal's keeper") from problem
    if volume is None:
        raise InputError(
            f"{page.portal.address}records/{page.id}: has no volume with levels; leave --level out"
        )
    listed = {content.path for content in contents}
    header = next((name for name in ("zarr.json", ".zattrs") if f"{volume}/{name}" in listed), "zarr.json")
    try:
        metadata = json.loads(_small(page, contents, f"{volume}/{header}"))
        attributes = metadata.get("attributes", metadata)
        scales = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
        levels = [str(scale["path"]).strip("/") for scale in scales]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as problem:
        raise FormatError(f"{volume}/{header}: tells no levels; leave --level out") from problem
    if level >= len(levels):
        raise InputError(
            f"--level {level}: the volume of {page.id} has the levels 0 to {len(levels) - 1}; choose one"
        )
    return tuple(f"{volume}/{path}/" for path in levels[:level] if path)


def _small(page: RemoteRecord, contents: Sequence[Content], path: str) -> bytes:
    """Read a small file of the record into memory, and compare it with its checksum."""
    content = next((content for content in contents if content.path == path), None)
    if content is None or content.bytes > LONGEST_CRATE_BYTES:
        raise FormatError(
            f"{page.portal.address}records/{page.id}: {path} is not listed, or too large to be one"
        )
    file_address = f"records/{page.id}/files/{quote(path)}"
    answer = with_retries(lambda: get(page.portal, file_address, LONGEST_CRATE_BYTES), TRIES)
    if answer.status != 200:
        raise page.refusal(answer)
    if hashlib.sha256(answer.content).hexdigest() != content.sha256:
        raise FormatError(
            f"{urljoin(page.portal.address, file_address)}: is not what the portal lists; ask its keeper"
        )
    return answer.content


def _what_is_there(
    folder: Path, contents: Sequence[Content], chosen: Sequence[Content], is_all: bool
) -> frozenset[str]:
    """List what the folder holds already, and refuse what a record could not be put into."""
    if not folder.exists():
        return frozenset()
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder that is empty or not there by --output")
    present = frozenset(list_files(folder))
    listed = {content.path for content in contents}
    strange = sorted(path for path in present - listed if not PARTIAL.search(path))
    if strange and is_all:
        raise InputError(
            f"{folder}: holds {strange[0]!r}, which is no file of this record; give a folder that is empty or not "
            f"there by --output"
        )
    for content in chosen:
        if content.path in present and (folder / content.path).stat().st_size != content.bytes:
            raise InputError(
                f"{folder / content.path}: is there and is another file than the portal's; remove it, or give another "
                f"folder"
            )
    return present


def _demand_space(folder: Path, chosen: Sequence[Content], present: frozenset[str]) -> None:
    needed = 0
    for content in chosen:
        if content.path in present:
            continue
        partial = partial_of(folder, content)
        needed += content.bytes - (min(content.bytes, partial.stat().st_size) if partial.exists() else 0)
    _demand_free(folder, needed)


def _demand_free(folder: Path, needed: int) -> None:
    above = folder.absolute()
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    if needed > free:
        raise CannotFit(
            f"{folder}: {units.show(needed, 'B', 3)} are to be fetched and {units.show(free, 'B', 3)} are free there; "
            f"take parts by --path or --level, or give another disk by --output"
        )


def _verify(folder: Path) -> None:
    mismatches = verify(folder)
    if mismatches:
        named = ", ".join(f"{mismatch.path} ({mismatch.problem})" for mismatch in mismatches[:3])
        raise FormatError(
            f"{folder}: what the portal gave is not what the record itself lists: {named}; {len(mismatches)} in all. "
            f"It is kept and cannot be filed; ask the portal's keeper"
        )


def _size(contents: Sequence[Content]) -> int:
    return sum(content.bytes for content in contents)
