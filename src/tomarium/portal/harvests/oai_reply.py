"""An answer of an OAI-PMH repository, read from XML that may be anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from tomarium.errors import FormatError

OAI: Final = "{http://www.openarchives.org/OAI/2.0/}"
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Reply:
    """What a repository answered.

    Attributes
    ----------
    moment : str
        Its `responseDate`, by its own clock.
    code, message : str
        Of an error of the protocol; "" where there is none.
    records : tuple of Element
        Elements `record`.
    token : str
        Where the list goes on; "" at its end.
    total : int
        How many records the list has in all, as the repository tells it; 0 where it does not.
    name, granularity, deletions : str
        What it tells of itself: its name, "YYYY-MM-DD" or "YYYY-MM-DDThh:mm:ssZ", and whether it tells of what it
        deleted, "no", "transient" or "persistent"; "" where this is no answer to Identify.
    prefixes : tuple of str
        Formats, where they were asked for.
    """

    moment: str
    code: str = ""
    message: str = ""
    records: tuple[Element, ...] = ()
    token: str = ""
    total: int = 0
    name: str = ""
    granularity: str = ""
    deletions: str = ""
    prefixes: tuple[str, ...] = ()


def read_reply(content: bytes, place: str) -> Reply:
    """Read an answer.

    Parameters
    ----------
    content : bytes
        XML.
    place : str
        Where it came from, for messages.

    Returns
    -------
    Reply
        As far as it could be read: control characters, which XML does not allow, are left out.

    Raises
    ------
    FormatError
        It is no XML, declares a document type, which could hide what it holds, or is no answer of OAI-PMH.
    """
    try:
        root = _parse(content)
    except ParseError as problem:
        try:
            root = _parse(_CONTROL.sub(b"", content))
        except ParseError:
            start = " ".join(content[:60].decode("utf-8", "replace").split())
            raise FormatError(
                f"{place}: is no XML ({problem}); it begins with {start!r}. Check the address, or ask its keeper"
            ) from None
    if root.tag != f"{OAI}OAI-PMH":
        raise FormatError(
            f"{place}: is no answer of OAI-PMH 2.0 but an element {root.tag[:80]!r}; give the base address of a "
            f"repository, such as https://data.example.org/oai"
        )
    error, token = root.find(f"{OAI}error"), root.find(f".//{OAI}resumptionToken")
    size = token.get("completeListSize", "") if token is not None else ""
    return Reply(
        moment=_text(root, f"{OAI}responseDate"),
        code=error.get("code", "unknown") if error is not None else "",
        message=" ".join("".join(error.itertext()).split())[:300] if error is not None else "",
        records=tuple(root.iter(f"{OAI}record")),
        token=(token.text or "").strip() if token is not None else "",
        total=int(size) if size.isdecimal() and len(size) < 12 else 0,
        name=_text(root, f".//{OAI}repositoryName"),
        granularity=_text(root, f".//{OAI}granularity"),
        deletions=_text(root, f".//{OAI}deletedRecord"),
        prefixes=tuple("".join(element.itertext()).strip() for element in root.iter(f"{OAI}metadataPrefix")),
    )


class _NoDoctype(TreeBuilder):
    """Builds a tree, and refuses a document type: entities could make megabytes of a few letters."""

    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        """Refuse it."""
        raise FormatError(
            f"declares a document type ({name[:40]!r}), as no answer of OAI-PMH does; nothing was read of it"
        )


def _parse(content: bytes) -> Element:
    parser = XMLParser(target=_NoDoctype())
    try:
        parser.feed(content)
        root: Element = parser.close()
    except (ValueError, LookupError) as problem:  # an encoding that nobody knows
        raise ParseError(str(problem)) from problem
    return root


def _text(parent: Element, path: str) -> str:
    return " ".join((parent.findtext(path) or "").split())
