"""The log book for other programs: Markdown, JSON, and an RO-Crate with the pictures and files in a zip."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zlib import crc32

from tomarium.atomic_files import write_whole
from tomarium.catalogue.archive import Archive, make_archive
from tomarium.catalogue.log_entry import Entry, Version
from tomarium.catalogue.log_files import LogFile, place_of_file
from tomarium.errors import ParameterError
from tomarium.standards import record_json, ro_crate

_FILES: Final = "files"
_BLOCK: Final = 1 << 20


Buffer = bytes  # a field of `LogMember` has the type's own name


@dataclass(frozen=True)
class LogMember:
    """One file of the archive: its content, or where it lies."""

    bytes: int
    sha256: str
    content: Buffer | None = None
    place: Path | None = None
    changed_ns: int = 0


def as_markdown(entries: Sequence[Entry], address: str = "", files: str = "") -> str:
    """Write entries as Markdown.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which they are written.
    address : str
        Of the portal, without a slash at its end; pictures and links then lead there.
    files : str
        Instead: folder beside the text in which `log_archive` puts the files.

    Returns
    -------
    str
        A heading, and a part for each entry with who wrote it, when, and what it said before.
    """
    lines = ["# Log book", ""]
    for entry in entries:
        lines += [f"## {entry.written[:16].replace('T', ' ')} UTC, {entry.who}", ""]
        marks = [f"entry {entry.number} of {entry.subject}", "by a program" if entry.machine else ""]
        marks += [f"tags: {', '.join(entry.tags)}" if entry.tags else ""]
        marks += [f"also about: {', '.join(entry.links)}" if entry.links else ""]
        lines += [f"*{'; '.join(mark for mark in marks if mark)}*", ""]
        lines += [f"Removed {entry.removed}." if entry.removed else entry.text, ""]
        lines += [f"- {_link(entry.number, file, address, files)}" for file in entry.files]
        lines += [""] if entry.files else []
        for version in entry.before if not entry.removed else ():
            quoted_text = version.text.replace("\n", "\n> ")
            lines += [
                f"> Before, {version.when[:16].replace('T', ' ')} UTC, {version.who}:",
                f"> {quoted_text}",
                "",
            ]
    return "\n".join(lines)


def as_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return entries as JSON values, all that is known of them."""
    return [asdict(entry) for entry in entries]


def log_members(home: Path, entries: Sequence[Entry], address: str, about: str) -> dict[str, LogMember]:
    """Lay out the log book as files of a folder.

    Parameters
    ----------
    home : Path
        Folder of the catalogue.
    entries : sequence of Entry
        The oldest first.
    address : str
        Of the portal; "" where there is none.
    about : str
        Whose log book it is; "" for all.

    Returns
    -------
    dict
        Path → file: `logbook.md`, `logbook.json`, pictures and files, `ro-crate-metadata.json`.
    """
    contents = {
        "logbook.md": as_markdown(entries, files=_FILES).encode(errors="replace"),
        "logbook.json": (json.dumps(as_json(entries), ensure_ascii=False, indent=1) + "\n").encode(
            errors="replace"
        ),
    }
    members = {path: _of_content(content) for path, content in contents.items()}
    for file in _all_files(entries):
        place = place_of_file(home, file.digest)
        if place.is_file():
            members[_path(file)] = LogMember(file.bytes, file.digest, place=place)
    crate = _crate(entries, members, address, about).encode()
    return {ro_crate.FILENAME: _of_content(crate), **members}


def log_archive(home: Path, entries: Sequence[Entry], address: str = "", about: str = "") -> Archive:
    """Make the log book as an RO-Crate in a zip; see `log_members`."""
    members = log_members(home, entries, address, about)
    contents = list(members.values())
    names = [f"logbook/{path}" for path in members]

    def read(number: int, first: int, stop: int) -> Iterator[bytes]:
        return read_member(contents[number], first, stop)

    def crc(number: int) -> int:
        return crc_of_member(contents[number])

    last = max((entry.when for entry in entries), default="1980-01-01T00:00:00+00:00")
    return make_archive("zip", names, contents, datetime.fromisoformat(last), read, crc)


def read_member(member: LogMember, first: int, stop: int) -> Iterator[bytes]:
    """Read a part of a file that `log_members` laid out."""
    if member.content is not None:
        yield member.content[first:stop]
        return
    assert member.place is not None
    with member.place.open("rb") as file:
        file.seek(first)
        while first < stop and (piece := file.read(min(_BLOCK, stop - first))):
            first += len(piece)
            yield piece


def crc_of_member(member: LogMember) -> int:
    """Return the CRC-32 of a file that `log_members` laid out."""
    crc = 0
    for piece in read_member(member, 0, member.bytes):
        crc = crc32(piece, crc)
    return crc


def _of_content(content: bytes) -> LogMember:
    return LogMember(len(content), hashlib.sha256(content).hexdigest(), content)


def _all_files(entries: Iterable[Entry]) -> list[LogFile]:
    versions: list[Entry | Version] = []
    for entry in entries:
        versions += [entry, *entry.before]
    return list({file.digest: file for part in versions for file in part.files}.values())


def _path(file: LogFile) -> str:
    """Return the place of a file in the folder: no two of one name lie in each other's place."""
    return f"{_FILES}/{file.digest[:12]}-{file.name}"


def _link(number: int, file: LogFile, address: str, files: str) -> str:
    to = f"<{_path(file)}>" if files else f"{address}/logbook/{number}/files/{file.digest}"
    name = file.name.replace("[", "(").replace("]", ")")
    if not (address or files):
        return name
    return f"{'!' if file.is_picture else ''}[{name}]({to})"


def _crate(entries: Sequence[Entry], members: dict[str, LogMember], address: str, about: str) -> str:
    """Write the metadata of the crate: each file, and each entry as a Comment with its author and its time."""
    names = {_path(file): file for file in _all_files(entries)}
    files = [
        {
            "@id": quote(path, safe="/"),
            "@type": "File",
            "name": names[path].name if path in names else path,
            "contentSize": str(member.bytes),
            "sha256": member.sha256,
            "encodingFormat": _format(path, names.get(path)),
        }
        for path, member in members.items()
    ]
    people = {
        entry.who: {"@id": f"#by-{quote(entry.who)}", "@type": "Person", "name": entry.who}
        for entry in entries
        if entry.who
    }
    comments: list[dict[str, Any]] = []
    for entry in entries:
        comment: dict[str, Any] = {
            "@id": f"{address}/logbook/{entry.number}" if address else f"#entry-{entry.number}",
            "@type": "Comment",
            "name": f"Entry {entry.number} of {entry.subject}",
            "text": entry.text or f"Removed {entry.removed}" if entry.removed else entry.text,
            "dateCreated": entry.written,
            "dateModified": entry.when,
        }
        if entry.who:
            comment["author"] = {"@id": people[entry.who]["@id"]}
        if entry.files:
            comment["hasPart"] = [{"@id": quote(_path(file), safe="/")} for file in entry.files]
        if entry.tags:
            comment["keywords"] = ", ".join(entry.tags)
        comments.append(comment)
    licence = ro_crate.licence_entity("")
    moment = max(
        (entry.when for entry in entries), default=datetime.fromtimestamp(time.time(), UTC).isoformat()
    )
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Log book of {about}" if about else "Log book",
        "description": f"{len(entries)} entries of the log book, as people and programs wrote them.",
        "datePublished": moment,
        "license": {"@id": licence["@id"]},
        "hasPart": ro_crate.references(files),
        "mentions": ro_crate.references(comments),
    }
    descriptor = {
        "@id": ro_crate.FILENAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": ro_crate.SPECIFICATION},
    }
    graph = [descriptor, root, licence, *files, *people.values(), *comments]
    return record_json.to_json({"@context": ro_crate.CONTEXT, "@graph": graph}, indent=1) + "\n"


def _format(path: str, file: LogFile | None) -> str:
    if file is not None:
        return file.type or "application/octet-stream"
    return "text/markdown" if path.endswith(".md") else "application/json"


def save_log(home: Path, entries: Sequence[Entry], target: Path, about: str = "") -> None:
    """Write the log book into a file.

    Parameters
    ----------
    home : Path
        Folder of the catalogue.
    entries : sequence of Entry
        The oldest first.
    target : Path
        Ends in .md, .json, or .zip for the crate with all files; it appears when it is whole.
    about : str
        Whose log book it is; "" for several.

    Raises
    ------
    ParameterError
        It ends in something else.
    """
    kind = target.suffix.lower()
    if kind == ".md":
        write_whole(target, as_markdown(entries).encode(errors="replace"))
    elif kind == ".json":
        write_whole(
            target, json.dumps(as_json(entries), ensure_ascii=False, indent=1).encode(errors="replace")
        )
    elif kind == ".zip":
        table = log_archive(home, entries, about=about).table
        draft = target.with_name(f".{target.name}.partial")
        try:
            with draft.open("wb") as file:
                file.writelines(table.read())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    else:
        raise ParameterError(
            f"{target}: ends in {kind or 'nothing'}; write a file that ends in .md, .json or .zip"
        )
