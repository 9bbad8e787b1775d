"""Lists of a record's files for programs that fetch many: checksums, aria2, Metalink, BagIt, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from tomarium.catalogue.archive import Archive, archive_held, held
from tomarium.catalogue.checksums import Sum, write_manifest
from tomarium.catalogue.contents import Content
from tomarium.model import Record


@dataclass(frozen=True)
class FileList:
    """One kind of list.

    Attributes
    ----------
    filename : str
        To save it under; "{id}" stands for the record's.
    media_type : str
        IANA media type.
    write : callable
        `write(record, contents, place)` gives the text; `place` is the address below which the files lie, with "/" at
        its end.
    """

    filename: str
    media_type: str
    write: Callable[[Record, Sequence[Content], str], str]


def _checksums(_record: Record, contents: Sequence[Content], _place: str) -> str:
    return write_manifest({content.path: Sum(content.bytes, content.sha256) for content in contents})


def _aria2(record: Record, contents: Sequence[Content], place: str) -> str:
    return "".join(
        f"{place}{quote(content.path)}\n  out={record.id}/{content.path}\n  checksum=sha-256={content.sha256}\n"
        for content in contents
    )


def _metalink(record: Record, contents: Sequence[Content], place: str) -> str:
    files = "".join(
        f"  <file name={quoteattr(f'{record.id}/{content.path}')}>\n"
        f"    <size>{content.bytes}</size>\n"
        f'    <hash type="sha-256">{content.sha256}</hash>\n'
        f"    <url>{escape(place + quote(content.path))}</url>\n"
        f"  </file>\n"
        for content in contents
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
    return f"{head}{files}</metalink>\n"


def _json(record: Record, contents: Sequence[Content], place: str) -> str:
    files = [{"path": content.path, "bytes": content.bytes, "sha256": content.sha256} for content in contents]
    return json.dumps({"id": record.id, "files_at": place, "files": files}, ensure_ascii=False)


LISTS: Final = {
    "sha256": FileList("{id}.sha256", "text/plain; charset=utf-8", _checksums),
    "aria2": FileList("{id}.aria2", "text/plain; charset=utf-8", _aria2),
    "metalink": FileList("{id}.meta4", "application/metalink4+xml", _metalink),
    "json": FileList("{id}.json", "application/json", _json),
}


def holey_bag(record: Record, contents: Sequence[Content], place: str) -> Archive:
    """Make a bag without its payload, which names where that is to be fetched (RFC 8493, section 2.2.3).

    Parameters
    ----------
    record : Record
        The record.
    contents : sequence of Content
        Its files.
    place : str
        Address below which they lie, with "/" at its end.

    Returns
    -------
    Archive
        A small zip with one folder: bagit.txt, bag-info.txt, manifest, fetch.txt and the manifest of these.
    """
    paths = [_escaped(f"data/{content.path}") for content in contents]
    total = sum(content.bytes for content in contents)
    tags = {
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"External-Identifier: {record.id}\nPayload-Oxum: {total}.{len(contents)}\n",
        "fetch.txt": "".join(
            f"{place}{quote(content.path)} {content.bytes} {path}\n"
            for content, path in zip(contents, paths, strict=True)
        ),
        "manifest-sha256.txt": "".join(
            f"{content.sha256}  {path}\n" for content, path in zip(contents, paths, strict=True)
        ),
    }
    members = [held(f"{record.id}_bag/{name}", text.encode()) for name, text in tags.items()]
    lines = "".join(f"{member.sha256}  {name}\n" for member, name in zip(members, tags, strict=True))
    members.append(held(f"{record.id}_bag/tagmanifest-sha256.txt", lines.encode()))
    return archive_held(members, record.created)


def _escaped(path: str) -> str:
    """Write a path as section 2.1.3 of RFC 8493 demands; a record's paths have no line ends."""
    return path.replace("%", "%25")
