"""The texts of the portal that were written here: every version of each, in each language."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Row, Select, func, insert, select

from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import Reader, Role, demand_role
from tomarium.catalogue.text_tables import page_texts
from tomarium.errors import InputError, ParameterError
from tomarium.model.page_text import PageText, read_page_text

EDITORS: Final[tuple[Role, ...]] = ("editor", "curator", "administrator")
"""Roles that write the texts of the portal."""


@dataclass(frozen=True)
class Version:
    """What somebody wrote.

    Attributes
    ----------
    number : int
        Its number; later versions have larger ones.
    name, language : str
        "news/open-day", "fr".
    moment_utc : float
        Seconds since 1970.
    who : str
        Name of an account.
    source : str
        Markdown with its head; "" where the text was taken away.
    remark : str
        What was changed, in the words of who did it.
    draft : bool
        Whether only editors see it.
    """

    number: int
    name: str
    language: str
    moment_utc: float
    who: str
    source: str
    remark: str
    draft: bool

    @property
    def kind(self) -> str:
        """Kind of the text: "pages", "news" or "events"."""
        return self.name.partition("/")[0]

    @property
    def text(self) -> PageText | None:
        """The text; None where it was taken away."""
        return read_page_text(self.kind, self.source) if self.source else None


class OlderVersion(InputError):
    """Somebody else wrote a version meanwhile."""


def may_edit(reader: Reader) -> bool:
    """Tell whether a reader writes the texts of the portal.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    bool
        Editors, curators and administrators.
    """
    return reader.role in EDITORS


def newest(connection: Connection, name: str, *, drafts: bool = False) -> dict[str, Version]:
    """Return what a text says now.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name : str
        "pages/faq".
    drafts : bool
        Whether drafts count, which only editors see.

    Returns
    -------
    dict of str to Version
        Language → its newest version; languages in which nobody wrote it here are absent.
    """
    return newest_of(connection, name, drafts=drafts).get(name, {})


def newest_of(connection: Connection, which: str, *, drafts: bool = False) -> dict[str, dict[str, Version]]:
    """Return what all texts of a kind, or one text, say now.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    which : str
        "news/" for all of a kind, "news/open-day" for one.
    drafts : bool
        Whether drafts count.

    Returns
    -------
    dict of str to dict of str to Version
        Name → language → newest version.
    """
    of = page_texts.c
    latest = select(func.max(of.number)).group_by(of.name, of.language)
    latest = latest.where(
        of.name.startswith(which, autoescape=True) if which.endswith("/") else of.name == which
    )
    if not drafts:
        latest = latest.where(of.draft == 0)
    texts: dict[str, dict[str, Version]] = {}
    for version in _versions(connection, select(page_texts).where(of.number.in_(latest)).order_by(of.name)):
        texts.setdefault(version.name, {})[version.language] = version
    return texts


def versions_of(connection: Connection, name: str) -> list[Version]:
    """List all that was written of a text.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name : str
        "pages/faq".

    Returns
    -------
    list of Version
        In all languages, the newest first.
    """
    query = select(page_texts).where(page_texts.c.name == name).order_by(page_texts.c.number.desc())
    return list(_versions(connection, query))


def write_text(
    catalogue: Catalogue,
    reader: Reader,
    name: str,
    language: str,
    source: str,
    *,
    seen: int,
    remark: str = "",
    draft: bool = False,
) -> Version:
    """Write a version of a text.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        One of `EDITORS`.
    name, language : str
        "pages/faq", "fr".
    source : str
        Markdown with its head; "" takes the text away.
    seen : int
        Number of the newest version that the writer has read; 0 where there was none.
    remark : str
        What was changed.
    draft : bool
        Whether only editors see it; what everybody sees stays as it was.

    Returns
    -------
    Version
        As it is kept.

    Raises
    ------
    NotAllowed
        The reader may not.
    OlderVersion
        There is a newer version than the one that was seen.
    ParameterError
        The text cannot be read.
    """
    demand_role(reader, *EDITORS[:-1], to="write the texts of the portal")
    if source:
        read_page_text(name.partition("/")[0], source)
    if len(remark) > 200 or not remark.isprintable():
        raise ParameterError("the remark: give one line of at most 200 printable characters")
    with catalogue.writing() as connection:
        before = newest(connection, name, drafts=True).get(language)
        if (before.number if before else 0) != seen:
            who = before.who if before else "nobody who is known"
            raise OlderVersion(
                f"a newer version was written since you began, by {who}; look at what is different, and save again"
            )
        moment = time.time()
        values = {
            "name": name,
            "language": language,
            "moment_utc": moment,
            "who": reader.name,
            "source": source,
        }
        result = connection.execute(insert(page_texts).values(**values, remark=remark, draft=int(draft)))
        key = result.inserted_primary_key
        assert key is not None
        number = int(key[0])
        action = "write text" if source else "take away text"
        note(connection, reader, action, name=name, language=language, version=number, draft=draft)
    return Version(number, name, language, moment, reader.name, source, remark, draft)


def _versions(connection: Connection, query: Select[tuple[object, ...]]) -> Iterable[Version]:
    rows: Iterable[Row[tuple[object, ...]]] = connection.execute(query)
    return (Version(**{**row._mapping, "draft": bool(row._mapping["draft"])}) for row in rows)
