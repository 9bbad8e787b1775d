"""What a profile and a beamtime state of the records that are made in it: their table [records]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from tomarium.errors import InputError, TomariumError

_LISTS: Final = ("creators", "keywords", "funding")


@dataclass(frozen=True)
class RecordFacts:
    """What the records of a beamline or of a beamtime say where nobody says otherwise.

    Attributes
    ----------
    creators : tuple of str
        Who made them, in the order of the citation: "Lovelace, Ada 0000-0002-1825-0097 @ ESRF".
    licence : str
        SPDX identifier; "" where none is stated.
    embargo : str
        How long their files stay closed once they are published: "3 years", "2029-12-01", "0".
    keywords : tuple of str
        Words to be found by.
    funding : tuple of str
        Who paid: "European Research Council (https://ror.org/0472cxd90): 101000000".
    acknowledgement : str
        What those who use them are asked to write.
    """

    creators: tuple[str, ...] = ()
    licence: str = ""
    embargo: str = ""
    keywords: tuple[str, ...] = ()
    funding: tuple[str, ...] = ()
    acknowledgement: str = ""


def read_record_facts(table: object, source: str) -> RecordFacts:
    """Read a table [records].

    Parameters
    ----------
    table : object
        As TOML gives it; an empty table states nothing.
    source : str
        Its file, for messages.

    Returns
    -------
    RecordFacts
        Checked; persons, funders and licences as the catalogue writes them.

    Raises
    ------
    InputError
        It is no table, a key is not known, or a value is not what it should be.
    """
    if not isinstance(table, Mapping):
        raise InputError(f"{source}: records is {table!r}; a table [records] was expected")
    names = [field.name for field in fields(RecordFacts)]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in names:
            near = get_close_matches(str(key), names, 1)
            hint = f"did you mean {near[0]!r}" if near else f"one of {', '.join(names)} was expected"
            raise InputError(f"{source}: [records] has {key!r}, which means nothing there; {hint}")
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
            raise InputError(f"{source}: records.{key} is {value!r}; a list of texts was expected")
        if key not in _LISTS and not isinstance(value, str):
            raise InputError(f"{source}: records.{key} is {value!r}; text in quotes was expected")
        try:
            values[key] = _read_value(key, value)
        except (TomariumError, ValueError) as problem:
            raise InputError(f"{source}: records.{key}: {problem}") from problem
    return RecordFacts(**values)


def _read_value(key: str, value: Any) -> Any:
    """Check a value as the record would, so that a wrong one is told before the night and not after it."""
    from tomarium.model.person import read_person, write_person
    from tomarium.model.publication import read_funding, write_funding
    from tomarium.standards.licences import read_licence

    match key:
        case "creators":
            return tuple(write_person(read_person(text)) for text in value)
        case "funding":
            return tuple(write_funding(read_funding(text)) for text in value)
        case "keywords":
            return tuple(text for text in (" ".join(text.split()) for text in value) if text)
        case "licence":
            return read_licence(value)
        case "embargo" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip()):
            return date.fromisoformat(value.strip()).isoformat()
        case "embargo" if value.strip():
            from tomarium.catalogue.moments import read_span  # the catalogue takes half a second to import

            read_span(value)
    return " ".join(value.split())
