"""A record of a portal as a program finds it: by its address or its DOI, with the list of its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from tomarium import units
from tomarium.catalogue.checksums import SOURCE
from tomarium.catalogue.contents import Content
from tomarium.catalogue.record_folder import ID
from tomarium.errors import FormatError, InputError
from tomarium.pipeline.run.journal import FOLDER as JOURNAL
from tomarium.portal.client import Answer, Portal, demand_private, web_address, with_retries, words
from tomarium.portal.fetch import PARTIAL
from tomarium.standards.identifiers import DOI
from tomarium.viewers.place import is_inside

RESOLVER: Final = "https://doi.org"
_EXAMPLE: Final = "https://data.example.org/records/ID"
_PAGE: Final = re.compile(r"(.*)/records/([^/]+?)(?:\.json)?/?")
TRIES: Final = 5


@dataclass(frozen=True)
class RemoteRecord:
    """A record of a portal.

    Attributes
    ----------
    portal : Portal
        Where it is.
    id, title : str
        As its page says.
    closed : str
        Why its files are not open; "" where they are.
    """

    portal: Portal
    id: str
    title: str
    closed: str

    @property
    def address(self) -> str:
        """Of its page."""
        return f"{self.portal.address}records/{self.id}"

    def refusal(self, answer: Answer) -> InputError:
        """Make an error of an answer that refuses something of it, in the portal's own words."""
        reason = words(answer)
        if self.closed and answer.status == 403:
            reason = self.closed
        hint = ""
        if answer.status in (401, 403) and not self.portal.token:
            hint = "; if you may have it, give your token by TOMARIUM_TOKEN and the address of the page, not the DOI"
        return InputError(f"{self.portal.address}records/{self.id}: {reason.rstrip('.')}{hint}")


def open_page(address: str, token: str, resolver: str) -> RemoteRecord:
    """Find the portal and the identifier of a record, and read what its page says.

    Parameters
    ----------
    address : str
        Of the record's page, or its DOI.
    token : str
        Of an account at the portal, "" for none; it is not sent to where a DOI leads.
    resolver : str
        What resolves DOIs.

    Returns
    -------
    RemoteRecord
        Whether its files are open or not.

    Raises
    ------
    InputError
        There is no such record, or it is no page of a record.
    FormatError
        The portal gives another record.
    """
    doi = DOI.fullmatch(address.strip())
    if doi:
        place, token = f"{resolver.rstrip('/')}/{quote(doi[1], safe='/')}", ""
        address_and_id = _page_address(place, _resolve(place))
    else:
        address_and_id = _page_address(address, address.strip())
    base, id = address_and_id
    demand_private(web_address(base, _EXAMPLE), token)
    portal = Portal(base, token)
    answer = with_retries(lambda: get(portal, f"records/{id}.json"), TRIES)
    page = RemoteRecord(portal, id, id, "")
    if answer.status != 200:
        raise page.refusal(answer)
    try:
        content = answer.json()
        title, same, closed = str(content["title"]), content["id"] == id, str(content.get("closed") or "")
    except (ValueError, KeyError) as problem:
        raise InputError(
            f"{address[:120]}: is no page of a record of a tomarium portal; give an address like {_EXAMPLE}"
        ) from problem
    if not same:
        raise FormatError(f"{address[:120]}: the portal gives another record than {id}; ask its keeper")
    return RemoteRecord(Portal(_after_redirects(base, answer.address, id), token), id, title, closed)


def _after_redirects(base: str, address: str, id: str) -> str:
    """Return where the portal is that answered; it may have moved."""
    return address.removesuffix(f"records/{id}.json") if address.endswith(f"/records/{id}.json") else base


def _page_address(typed: str, address: str) -> tuple[str, str]:
    parts = web_address(address, _EXAMPLE)
    match = _PAGE.fullmatch(parts.path)
    id = unquote(match[2]) if match else ""
    if not match or not ID.fullmatch(id):
        leads = f" leads to {address[:120]}, which" if address != typed.strip() else ""
        raise InputError(
            f"{typed[:120]}:{leads} is no page of a record of a tomarium portal; give an address like {_EXAMPLE}"
        )
    return f"{parts.scheme}://{parts.netloc}{match[1]}/", id


def _resolve(place: str) -> str:
    """Return where a DOI leads; the page itself is not read."""
    web_address(place, RESOLVER)

    def ask() -> Answer:
        # Resolvers lead who asks for JSON to metadata elsewhere, not to the page.
        with Portal(place, headers={"Accept": "text/html"}).follow(place) as answer:
            return Answer(answer.status, answer.headers, answer.content, address=answer.address)

    answer = with_retries(ask, TRIES)
    if answer.status == 404 and answer.address == place:
        raise InputError(f"{place}: there is no such DOI; look for a letter that is missing")
    return answer.address


def get(portal: Portal, path: str, most: int = 1 << 30) -> Answer:
    """Get something whole, following redirects.

    Parameters
    ----------
    portal : Portal
        That is asked.
    path : str
        Joined to its address.
    most : int
        Bytes; a longer answer is refused.

    Returns
    -------
    Answer
        Of any status.

    Raises
    ------
    FormatError
        The answer is longer.
    OSError
        It was cut off.
    """
    with portal.follow(path) as answer:
        if answer.stream is None:
            return answer
        content = answer.stream.read(most + 1)
        length = answer.headers.get("Content-Length", "")
        if len(content) > most:
            raise FormatError(f"{answer.address}: is longer than {units.show(most, 'B')}, which none is")
        if length.isdecimal() and int(length) != len(content):
            raise OSError(f"the answer was cut off after {len(content)} of {length} bytes")
        return Answer(answer.status, answer.headers, content, address=answer.address)


def list_files_of(page: RemoteRecord) -> tuple[Content, ...]:
    """Read the list of a record's files; nothing of it is believed that could not be so.

    Parameters
    ----------
    page : RemoteRecord
        As `open_page` returns it.

    Returns
    -------
    tuple of Content
        Every file with its size and SHA-256.

    Raises
    ------
    InputError
        The portal refuses it.
    FormatError
        It is no such list.
    """
    answer = with_retries(lambda: get(page.portal, f"records/{page.id}/manifest.json"), TRIES)
    if answer.status != 200:
        raise page.refusal(answer)
    where = f"{page.portal.address}records/{page.id}/manifest.json"
    try:
        manifest = answer.json()
        listed = [(file["path"], file["bytes"], file["sha256"]) for file in manifest["files"]]
        same = manifest["id"] == page.id
    except (ValueError, KeyError, TypeError) as problem:
        raise FormatError(f"{where}: is no list of a record's files ({problem}); ask its keeper") from problem
    if not same:
        raise FormatError(f"{where}: lists the files of another record; ask its keeper")
    contents = tuple(_content(where, *file) for file in listed)
    names = {content.path for content in contents}
    above = {"/".join(path.split("/")[:end]) for path in names for end in range(1, path.count("/") + 1)}
    twice = len(names) != len(contents)
    if not contents or twice or names & above:
        reason = "lists no file" if not contents else "lists a path twice, or a file as a folder"
        raise FormatError(f"{where}: {reason}; ask its keeper")
    return contents


def _content(where: str, path: Any, size: Any, sha256: Any) -> Content:
    sound = isinstance(path, str) and is_inside(path) and not path.endswith("/") and len(path) < 4096
    sound = sound and path != SOURCE and path.split("/")[0] != JOURNAL and not PARTIAL.search(path)
    if not sound or any(len(part.encode()) > 255 for part in path.split("/")):
        raise FormatError(f"{where}: {str(path)[:120]!r} cannot be a file of a record; nothing was fetched")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 62:
        raise FormatError(f"{where}: {path[:120]!r} cannot have {str(size)[:40]} bytes; nothing was fetched")
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FormatError(f"{where}: {path[:120]!r} has no SHA-256; nothing was fetched")
    return Content(path, size, sha256)
