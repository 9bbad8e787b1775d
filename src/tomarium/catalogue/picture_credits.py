"""Who made a picture or a document of a record, and by whose permission it is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from tomarium.catalogue import form_words
from tomarium.errors import ParameterError
from tomarium.model import Part, Person, Record
from tomarium.model.part import Permission
from tomarium.model.person import read_person
from tomarium.model.sentence import Sentence

CREDITED: Final = ("picture", "document", "image")
"""Kinds of parts that others may have made."""
LONGEST: Final = 2000


@dataclass(frozen=True)
class Credit:
    """What is said of a picture or a document.

    Attributes
    ----------
    path : str
        Of the file, below the record's folder.
    creator : str or None
        Who made it; "" for the record's creators, None leaves what was said before.
    permission : Permission or None
        That it may be published; None leaves what was said before.
    forgets : bool
        Whether a permission that was told before is taken back.
    """

    path: str
    creator: str | None = None
    permission: Permission | None = None
    forgets: bool = False


def read_credit(told: Mapping[str, str]) -> Credit:
    """Read what people fill in.

    Parameters
    ----------
    told : Mapping of str to str
        `path`, `creator`, `holder`, `licence`, `text`, `date` (2026-11-20) and `document`; what is not known is left
        out.

    Returns
    -------
    Credit
        With a permission where anything is said of it.

    Raises
    ------
    ParameterError
        The path is missing, or a permission lacks its holder, its day, or what is permitted.
    """
    fields = {key: " ".join(value.split()) for key, value in told.items()}
    long = next((key for key, value in fields.items() if len(value) > LONGEST or not value.isprintable()), "")
    if long:
        raise ParameterError(f"{long}: give at most {LONGEST} printable characters")
    path, creator = fields.get("path", "").strip("/"), fields.get("creator")
    if not path:
        raise ParameterError(Sentence(form_words.WHICH_FILE))
    if creator:
        read_person(creator)
    texts = [fields.get(key, "") for key in ("holder", "licence", "text", "date", "document")]
    if not any(texts):
        return Credit(path, creator, forgets="holder" in fields)
    holder, licence, text, day, document = texts
    if not holder or not (licence or text) or not day:
        raise ParameterError(
            f"{path}: a permission names the holder of the rights, a licence or what was permitted, and the day on "
            f"which it was given; write what is missing"
        )
    try:
        if date.fromisoformat(day) > date.today():
            raise ParameterError(
                f"{path}: the permission of {day} is not given yet; write the day it was given on"
            )
    except ValueError as problem:
        raise ParameterError(f"{path}: {day[:20]!r} is no day; write it as 2026-11-20") from problem
    return Credit(path, creator, Permission(holder, licence, text, day, document))


def credited(record: Record, credit: Credit) -> Record:
    """Return a record that says of a picture or a document who made it.

    Parameters
    ----------
    record : Record
        Any record.
    credit : Credit
        What is said; it takes the place of what was said before.

    Returns
    -------
    Record
        With a part for the file, where it had none.

    Raises
    ------
    ParameterError
        The record has no such file, or it is a part that nobody else makes, such as a volume.
    """
    for place, part in enumerate(record.parts):
        if part.path == credit.path:
            if part.kind not in CREDITED:
                raise ParameterError(
                    f"{record.id}: {credit.path} is its {part.kind}; a picture or a document was expected"
                )
            permission = None if credit.forgets else part.permission
            creator = part.creator if credit.creator is None else credit.creator
            changed = replace(part, creator=creator, permission=credit.permission or permission)
            return replace(record, parts=(*record.parts[:place], changed, *record.parts[place + 1 :]))
    entry = next((file for file in record.files if file.path == credit.path), None)
    if entry is None:
        paths = ", ".join(file.path for file in record.files if not file.path.endswith("/"))
        raise ParameterError(
            f"{record.id}: has no file {credit.path[:80]!r} (files: {paths[:300] or 'none'})"
        )
    kind = "picture" if entry.media_type.startswith("image/") else "document"
    new = Part(kind, credit.path, "added", creator=credit.creator or "", permission=credit.permission)  # type: ignore[arg-type]
    return replace(record, parts=(*record.parts, new))


def unpermitted(record: Record) -> tuple[str, ...]:
    """List the parts that somebody else made and nobody permitted to publish.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    tuple of str
        Their paths.
    """
    return tuple(
        part.path
        for part in record.parts
        if part.creator and part.permission is None and not _among(part.creator, record.creators)
    )


def _among(creator: str, people: tuple[Person, ...]) -> bool:
    who = read_person(creator)
    return any(
        who.orcid == person.orcid if who.orcid and person.orcid else _words(who.name) == _words(person.name)
        for person in people
    )


def _words(name: str) -> list[str]:
    """Spell a name alike in both orders: "Lovelace, Ada" and "Ada Lovelace"."""
    return sorted(name.casefold().replace(",", " ").split())
