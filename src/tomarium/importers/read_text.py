"""Files of strangers read with care: JSON, YAML and XML of bounded size, without entities, links or objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from tomarium import units
from tomarium.errors import FormatError, InputError

LONGEST_BYTES: Final = 1 << 30
_DEEPEST: Final = 60


def text_of(path: Path) -> bytes:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    InputError
        It is not there, is no file, or is larger than 1 GiB.
    """
    if not path.is_file():
        raise InputError(f"{path}: is no file; give the file that the other catalogue wrote")
    if (size := path.stat().st_size) > LONGEST_BYTES:
        raise InputError(
            f"{path}: has {units.show(size, 'B')}; at most {units.show(LONGEST_BYTES, 'B')} are read at once: "
            f"export it in several files"
        )
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """Read one JSON value, or, of a file with one a line, the list of them.

    Raises
    ------
    FormatError
        It is neither; the line is told.
    """
    text = _read_decoded(path)
    try:
        return json.loads(text)
    except RecursionError as problem:
        raise FormatError(f"{path}: is nested too deeply to be metadata") from problem
    except ValueError as whole:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or not lines[0][1].lstrip().startswith("{") or not _is_json(lines[0][1]):
            raise FormatError(f"{path}: is no JSON ({whole})") from whole
        return [_read_line(path, number, line) for number, line in lines]


def read_yaml(path: Path) -> list[Any]:
    """Read the documents of a YAML file: plain values alone, no aliases, with which few bytes become very many.

    Raises
    ------
    FormatError
        It is no YAML, or holds an alias or a tag of a program.
    """
    import yaml

    text = _read_decoded(path)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 0
                raise FormatError(
                    f"{path}: line {line} refers to an earlier value (an alias), which no export of a catalogue needs; "
                    f"write the value out"
                )
        return [document for document in yaml.load_all(text, Loader=loader) if document is not None]
    except yaml.YAMLError as problem:
        reason = " ".join(str(problem).split())
        raise FormatError(f"{path}: is no YAML ({reason})") from problem
    except RecursionError as problem:
        raise FormatError(f"{path}: is nested too deeply to be metadata") from problem


def read_xml(path: Path) -> Element:
    """Read an XML file; one that declares a document type is refused, for entities are declared there.

    Raises
    ------
    FormatError
        It is no XML, declares a document type, or is nested too deeply; the line is told.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise FormatError(f"{path}: line {parser.CurrentLineNumber} is nested too deeply to be metadata")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_told: object) -> None:
        raise FormatError(
            f"{path}: line {parser.CurrentLineNumber} declares a document type, in which entities can be hidden; an "
            f"export of ICAT has none, take it out"
        )

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(text_of(path), True)
        return builder.close()
    except expat.ExpatError as problem:
        raise FormatError(f"{path}: is no XML ({problem})") from problem


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON value that is one, or a list of them."""
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict):
            yield entry


def _read_decoded(path: Path) -> str:
    try:
        return text_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise FormatError(f"{path}: is no text in UTF-8 ({problem})") from problem


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _read_line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"{path}: line {number} is no JSON ({problem})") from problem
