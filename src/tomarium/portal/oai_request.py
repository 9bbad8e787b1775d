"""What an OAI-PMH request asks for, checked by the rules of the protocol (version 2.0, sections 2.5, 3 and 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from tomarium.catalogue.record_changes import Span
from tomarium.catalogue.signing import read_signed, sign
from tomarium.errors import ParameterError

PURPOSE: Final = "oai"
LISTS: Final = ("ListIdentifiers", "ListRecords")
# verb → arguments it must have, arguments it may have
ARGUMENTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Identify": ((), ()),
    "ListMetadataFormats": ((), ("identifier",)),
    "ListSets": ((), ("resumptionToken",)),
    "GetRecord": (("identifier", "metadataPrefix"), ()),
    **dict.fromkeys(LISTS, (("metadataPrefix",), ("from", "until", "set", "resumptionToken"))),
}
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SECOND: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)


class OaiError(Exception):
    """An error of the protocol.

    Parameters
    ----------
    code : str
        "badVerb", "badArgument", "badResumptionToken", "cannotDisseminateFormat", "idDoesNotExist" or
        "noRecordsMatch".
    message : str
        For people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Listing:
    """A list that is asked for, or that is gone on with.

    Attributes
    ----------
    prefix, set : str
        Format of the metadata; the set, "" for all.
    since, until : str
        As they were asked for; "" for none.
    after : tuple of float and str, or None
        Where the part begins: the moment and the identifier of the last record of the part before.
    total, cursor : int or None, int
        How many records there were in all when the list was begun, and how many were in the parts before.
    """

    prefix: str
    set: str = ""
    since: str = ""
    until: str = ""
    after: tuple[float, str] | None = None
    total: int | None = None
    cursor: int = 0

    @property
    def span(self) -> Span:
        """Moments from and before which records were last changed."""
        return Span(_moment("from", self.since, end=False), _moment("until", self.until, end=True))


def read_arguments(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Check the arguments of a request.

    Parameters
    ----------
    pairs : sequence of (str, str)
        As they were sent.

    Returns
    -------
    dict of str to str
        Name → text, the verb among them.

    Raises
    ------
    OaiError
        There is no such verb, or an argument is missing, unknown, empty, repeated, or stands beside a token.
    """
    verbs = [text for name, text in pairs if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in ARGUMENTS:
        reason = f"{verbs[0][:40]!r} is no verb" if len(verbs) == 1 else f"{len(verbs)} verbs were given"
        raise OaiError("badVerb", f"{reason}; give one of {', '.join(ARGUMENTS)}")
    verb, arguments = verbs[0], dict(pairs)
    must, optional = ARGUMENTS[verb]
    names = [name for name, _ in pairs]
    if repeated := next((name for name in arguments if names.count(name) > 1), ""):
        raise OaiError("badArgument", f"{repeated[:40]!r} is given twice")
    if unknown := next((name for name in arguments if name not in ("verb", *must, *optional)), ""):
        raise OaiError("badArgument", f"{verb} takes no argument {unknown[:40]!r}")
    if "resumptionToken" in arguments:
        if len(arguments) > 2:
            raise OaiError("badArgument", "resumptionToken stands beside no argument but the verb")
        return arguments
    if missing := next((name for name in must if not arguments.get(name)), ""):
        raise OaiError("badArgument", f"{verb} needs the argument {missing}")
    return arguments


def read_listing(connection: Connection, arguments: Mapping[str, str]) -> Listing:
    """Read which list is asked for, from a token or from arguments.

    Parameters
    ----------
    connection : Connection
        Of the catalogue that signed the token.
    arguments : Mapping of str to str
        As `read_arguments` returned them.

    Returns
    -------
    Listing
        Its moments are sound.

    Raises
    ------
    OaiError
        The token is none of this catalogue and verb, or a moment is none.
    """
    if token := arguments.get("resumptionToken"):
        try:
            verb, *fields = read_signed(connection, PURPOSE, token)
        except ParameterError as problem:
            raise OaiError("badResumptionToken", f"{problem}; begin the list again without it") from None
        if verb != arguments["verb"]:
            raise OaiError("badResumptionToken", f"this token belongs to {verb}, not to {arguments['verb']}")
        prefix, name, since, until, moment, id, total, cursor = fields
        return Listing(prefix, name, since, until, (moment, id), total, cursor)
    if "resumptionToken" in arguments:
        raise OaiError("badResumptionToken", "the token is empty; begin the list again without it")
    listing = Listing(
        arguments["metadataPrefix"],
        arguments.get("set", ""),
        arguments.get("from", ""),
        arguments.get("until", ""),
    )
    for name in ("set", "from", "until"):
        if name in arguments and not arguments[name]:
            raise OaiError("badArgument", f"{name} is empty")
    span = listing.span
    if listing.since and listing.until:
        if len(listing.since) != len(listing.until):
            raise OaiError("badArgument", "from and until must both be days or both be seconds")
        if span.since is not None and span.before is not None and span.since >= span.before:
            raise OaiError("badArgument", f"from {listing.since} is later than until {listing.until}")
    return listing


def token_of(connection: Connection, verb: str, listing: Listing) -> str:
    """Write where a list goes on as a token, which is right for as long as the catalogue is there."""
    assert listing.after is not None
    fields: list[Any] = [verb, listing.prefix, listing.set, listing.since, listing.until]
    return sign(connection, PURPOSE, [*fields, *listing.after, listing.total, listing.cursor])


def stamp(seconds: float) -> str:
    """Write a moment as the protocol does, "2026-11-20T21:00:00Z"."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(name: str, text: str, *, end: bool) -> float | None:
    """Read a moment: of `until` the one before which all of that day or second lies."""
    if not text:
        return None
    form, step = (
        ("%Y-%m-%d", timedelta(days=1))
        if _DAY.fullmatch(text)
        else ("%Y-%m-%dT%H:%M:%SZ", timedelta(seconds=1))
    )
    try:
        if not (_DAY.fullmatch(text) or _SECOND.fullmatch(text)):
            raise ValueError("another form")
        moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        return (moment + step if end else moment).timestamp()
    except (ValueError, OverflowError):
        example = "write it as 2026-11-20 or 2026-11-20T21:00:00Z"
        raise OaiError("badArgument", f"{name} {text[:40]!r} is no moment; {example}") from None
