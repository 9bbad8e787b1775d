"""What a beamtime and the profile of its beamline state of a record: filled in where nobody else says it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from tomarium.formats.opening.profile_values import (
    FACT_TEXTS,
    FACTS,
    ProfileValues,
    fact_differs,
    facts_data,
    same_name,
    told_by_itself,
)
from tomarium.model import Record, Scan, Value
from tomarium.model.person import read_person
from tomarium.model.publication import read_funding

KEY: Final = "beamtime"
"""Key of a record's provenance under which stands what was stated, by which files, and what the scan says otherwise."""

_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "creators": lambda texts: tuple(map(read_person, texts)),
    "funding": lambda texts: tuple(map(read_funding, texts)),
    "licence": str,
    "acknowledgement": str,
}
"""Field of a record → what makes its value of what a beamtime states."""


def facts_of_scan(scan: Scan) -> Mapping[str, Any]:
    """Return what the records of a scan are to say, as `facts_data` writes it; empty where nothing was stated."""
    value = scan.metadata.get(FACTS)
    return value.value if value is not None and isinstance(value.value, Mapping) else {}


def facts_of_profile(profile: ProfileValues | None) -> Mapping[str, Any]:
    """Return what a profile and its beamtime state, as `facts_data` writes it; empty without a profile."""
    return {} if profile is None else facts_data(profile)


def with_facts(record: Record, stated: Mapping[str, Any], kept: Collection[str] = ()) -> Record:
    """Fill in what a record does not say.

    Parameters
    ----------
    record : Record
        As its own data and its user have it.
    stated : mapping
        "facts": name → "value" and "source"; "files" that state them, as `facts_data` writes it.
    kept : collection of str
        Facts that are left as they are, also where they are empty.

    Returns
    -------
    Record
        Nothing that it said is changed. Its provenance names the files with their checksums, what was stated by which,
        and what the record's own data say otherwise.
    """
    values: dict[str, Value[Any]] = {
        name: Value(fact["value"], "profile", str(fact["source"]))
        for name, fact in stated.get("facts", {}).items()
        if name not in kept
    }
    if not values:
        return record
    told, differs = dict[str, str](), list[str]()
    changes: dict[str, Any] = {}
    parameters = dict(record.parameters)
    for name, value in values.items():
        if name in FACT_TEXTS:
            own = told_by_itself(parameters, name)
            if own is None:
                parameters.setdefault(name, value)
                told[name] = value.source
            elif not stated["facts"][name].get("assumed") and not same_name(own.value, value.value):
                differs.append(fact_differs(name, own, value))
        elif name == "keywords":
            changes[name] = tuple(dict.fromkeys([*record.keywords, *value.value]))
            told[name] = value.source
        elif not getattr(record, name):
            changes[name] = _READ[name](value.value)
            told[name] = value.source
    before = record.provenance.get(KEY) or {}
    files = before.get("files", ())
    account = {
        "files": [*files, *(file for file in stated.get("files", ()) if file not in files)],
        "stated": {**before.get("stated", {}), **told},
        **({"differs": differs} if differs else {}),
    }  # fmt: skip
    return replace(record, parameters=parameters, provenance={**record.provenance, KEY: account}, **changes)


def differences(record: Record) -> tuple[str, ...]:
    """Return what a record's own data and its beamtime say differently, a sentence each."""
    account = record.provenance.get(KEY)
    return tuple(map(str, account.get("differs", ()))) if isinstance(account, Mapping) else ()
