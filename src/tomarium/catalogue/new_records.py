"""What is new among what saved searches find: looked for by a worker, told by mail, each record once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select, update

from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.asked import question_of, read_spelled
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.find import numbers
from tomarium.catalogue.mail_addresses import mail_address_of
from tomarium.catalogue.mail_content import MailContent
from tomarium.catalogue.mail_queue import queue_mail
from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.reader_tables import mail_addresses, saved_searches, told_records
from tomarium.catalogue.saved_searches import EVERY, SavedSearch, search_numbered
from tomarium.catalogue.search import Hit, named
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import accounts, life, records
from tomarium.errors import InputError
from tomarium.model.wording import brief, day

KIND: Final = "new records"
OVERLAP_S: Final = 900.0
"""How far before the last look is looked again: what was written by then may have been seen by others only later."""
MOST: Final = 500
"""Records of one mail; more come with the next."""
SHOWN: Final = 40
"""Records that are named in it."""


def look_for_new(catalogue: Catalogue, now: float | None = None) -> list[SavedSearch]:
    """Put a mail into the queue for each saved search that is due and finds something new.

    A record is new that was filed, published or handed in since the last look, after the search was saved, and that no
    mail of this search has told. That it is told and the mail are noted together.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    list of SavedSearch
        Those that have found something.
    """
    moment = time.time() if now is None else now
    due_searches = []
    for search in _due(catalogue, moment):
        try:
            new = _new(catalogue, search, moment)
        except InputError:  # a facet or parameter that the catalogue knows no longer finds nothing
            new = []
        condition = (saved_searches.c.number == search.number) & (
            saved_searches.c.looked_utc == search.looked_utc
        )
        with catalogue.writing() as connection:
            if not connection.execute(
                update(saved_searches).where(condition).values(looked_utc=moment)
            ).rowcount:
                continue  # another worker looked, or its holder changed it
            address = mail_address_of(connection, search.account)
            if not new or address is None:
                continue
            connection.execute(insert(told_records), [{"search": search.number, "record": id} for id in new])
            queue_mail(connection, KIND, address.address, {"search": search.number, "records": new})
        due_searches.append(search)
    return due_searches


def _due(catalogue: Catalogue, moment: float) -> list[SavedSearch]:
    """List the searches that are to be looked at now, where anything was filed or published since at all."""
    query = (
        select(saved_searches.c.number)
        .join(mail_addresses, mail_addresses.c.account == saved_searches.c.account)
        .join(accounts, accounts.c.name == saved_searches.c.account)
        .where(
            saved_searches.c.paused == 0,
            accounts.c.closed == 0,
            mail_addresses.c.confirmed_utc.is_not(None),
            or_(
                *(
                    (saved_searches.c.every == every) & (saved_searches.c.looked_utc <= moment - seconds)
                    for every, (_, seconds) in EVERY.items()
                )
            ),
        )
        .order_by(saved_searches.c.number)
    )
    with catalogue.reading() as connection:
        ids = list(connection.execute(query).scalars())
        searches = [
            saved_search for id in ids if (saved_search := search_numbered(connection, id)) is not None
        ]
        if not searches:
            return []
        oldest = min(search.looked_utc for search in searches) - OVERLAP_S
        changed = select(life.c.record).where(life.c.changed_utc > oldest).limit(1)
        published = select(records.c.id).where(records.c.public_from > oldest).limit(1)
        if connection.execute(changed).first() or connection.execute(published).first():
            return searches
    return []  # they are looked at when something was


def _new(catalogue: Catalogue, search: SavedSearch, moment: float) -> list[str]:
    """List what a search finds that is new to its holder, the last published first."""
    since = max(search.looked_utc - OVERLAP_S, search.since_utc)
    mailed_ids = select(told_records.c.record).where(told_records.c.search == search.number)
    with catalogue.reading() as connection:
        reader = account_named(connection, search.account).reader
        question = question_of(connection, reader, read_spelled(search.asked))
        if question is None:
            return []
        statement = (
            select(records.c.id)
            .outerjoin(life, life.c.record == records.c.id)
            .where(
                or_(records.c.public_from > since, life.c.changed_utc > since),
                records.c.state != "withdrawn",
                records.c.id.not_in(mailed_ids),
                may_see(reader, moment),
                records.c.number.in_(numbers(connection, question)),
            )
            .order_by(records.c.public_from.desc(), records.c.number.desc())
            .limit(MOST)
        )
        return list(connection.execute(statement).scalars())


def write_new_records(connection: Connection, content: Mapping[str, Any]) -> MailContent | None:
    """Write the mail of a search, of those of its records that its holder may see now; None where there is none."""
    search = search_numbered(connection, int(content["search"]))
    if search is None or search.paused:
        return None
    account, address = account_named(connection, search.account), mail_address_of(connection, search.account)
    if account.closed or address is None or not address.confirmed:
        return None
    hits = _hits_of(connection, account.reader, content["records"])
    if not hits:
        return None
    settings = all_settings(connection)
    home, name = settings["address"], settings["name"]
    count = f"{len(hits)} new record{'' if len(hits) == 1 else 's'}"
    links = {
        "All that it finds": f"{home}/records?{search.asked}".removesuffix("?"),
        "Your saved searches": f"{home}/account/searches",
        "No more mail of this search": f"{home}/unsubscribe/{search.key}",
    }
    lines = [f"{count} for your search “{search.name}” in {name}:", ""]
    shown = [(hit, f"{home}/records/{hit.id}") for hit in hits[:SHOWN]]
    for hit, link in shown:
        lines += [hit.title, *_lines_of_hit(hit), link, ""]
    if len(hits) > SHOWN:
        lines += [f"And {len(hits) - SHOWN} more.", ""]
    lines += [f"{words}: {link}" for words, link in links.items()]
    return MailContent(
        f"{name}: {count} for “{search.name}”",
        "\n".join(lines),
        _html(lines[0], shown, len(hits) - len(shown), links),
        links["No more mail of this search"],
    )


def _hits_of(connection: Connection, reader: Reader, ids: Sequence[str]) -> tuple[Hit, ...]:
    return tuple(hit for hit in named(connection, reader, ids) if hit.state != "withdrawn")


def _lines_of_hit(hit: Hit) -> Iterator[str]:
    if text := " ".join(hit.snippet.split()):
        yield brief(text, 300)
    if not hit.open and hit.open_from is not None:
        yield f"Its files open on {day(datetime.fromtimestamp(hit.open_from, UTC))}."
    if hit.state in ("draft", "review"):
        yield "Not published yet; only you and those who keep it see it."


def _html(head: str, shown: Sequence[tuple[Hit, str]], more: int, links: Mapping[str, str]) -> str:
    """Write the same as HTML, without a picture, which would tell its server who reads the mail."""
    items = "".join(
        f'<li><p><a href="{escape(link)}">{escape(hit.title)}</a>'
        + "".join(f"<br>{escape(line)}" for line in _lines_of_hit(hit))
        + "</p></li>"
        for hit, link in shown
    )
    more_line = f"<p>And {more} more.</p>" if more > 0 else ""
    ways = "".join(f'<p><a href="{escape(link)}">{escape(words)}</a></p>' for words, link in links.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(head)}</title></head>'
        f"<body><p>{escape(head)}</p><ul>{items}</ul>{more_line}{ways}</body></html>"
    )
