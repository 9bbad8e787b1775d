"""What people type into the fields of a record, as changes of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from tomarium import units
from tomarium.catalogue import form_words
from tomarium.catalogue.edit import Changes
from tomarium.catalogue.edit_table import parameter_of_cell
from tomarium.errors import ParameterError
from tomarium.model import Value, parameter
from tomarium.model.person import read_person
from tomarium.model.plain_card import FIELDS as CARD
from tomarium.model.publication import read_funding, read_related
from tomarium.model.sentence import Sentence
from tomarium.standards.licences import read_licence
from tomarium.standards.panet import id_of

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,80}")


def changes_of(fields: Mapping[str, str]) -> Changes:
    """Read the fields of a form.

    Parameters
    ----------
    fields : Mapping of str to str
        "title", "description", "creators", "licence", "keywords", "techniques", "specimen", "proposal", "instrument",
        "acknowledgement", "funding", "related", and "plain_title", "plain_what" … of its card in plain words; lists
        have a line for each item. "parameters" has a line NAME = VALUE for each; "withhold" and "disclose" name one
        each. Others are passed over.

    Returns
    -------
    Changes
        What is not among the fields stays as it is; an empty text empties it.

    Raises
    ------
    InputError
        A person, a licence, a technique, a funder, a relation or a parameter cannot be read.
    """

    def lines(name: str) -> list[str] | None:
        return (
            [line.strip() for line in fields[name].splitlines() if line.strip()] if name in fields else None
        )

    creators, keywords, techniques = lines("creators"), lines("keywords"), lines("techniques")
    funding, related = lines("funding"), lines("related")
    typed = [(line, read_parameter(line)) for line in lines("parameters") or ()]
    licence = fields.get("licence")
    return Changes(
        title=fields.get("title"),
        description=fields["description"].strip() if "description" in fields else None,
        creators=None if creators is None else tuple(map(read_person, creators)),
        licence=read_licence(licence) if licence else licence,
        keywords=None if keywords is None else tuple(keywords),
        techniques=None if techniques is None else tuple(map(id_of, techniques)),
        specimen=fields["specimen"].strip() if "specimen" in fields else None,
        proposal=fields["proposal"].strip() if "proposal" in fields else None,
        instrument=fields["instrument"].strip() if "instrument" in fields else None,
        acknowledgement=fields["acknowledgement"].strip() if "acknowledgement" in fields else None,
        funding=None if funding is None else tuple(map(read_funding, funding)),
        related=None if related is None else tuple(map(read_related, related)),
        card={name: fields[f"plain_{name}"] for name in CARD if f"plain_{name}" in fields},
        parameters={key: Value(value, "user", f"form: {line[:200]}") for line, (key, value) in typed},
        withhold=tuple(lines("withhold") or ()),
        disclose=tuple(lines("disclose") or ()),
    )


def read_parameter(text: str) -> tuple[str, Any]:
    """Read a parameter as people type it.

    Parameters
    ----------
    text : str
        "energy_kev = 20 keV", "sample_preparation=ethanol", "Pixel size (um) = 0.65".

    Returns
    -------
    key : str
        "energy_kev".
    value : str, number or truth value
        In the unit of the key.

    Raises
    ------
    ParameterError, UnitError
        There is no name or no value, or a number lacks its unit.
    """
    name, _, told = (part.strip() for part in text.partition("="))
    if not name or not told:
        raise ParameterError(Sentence(form_words.NO_PARAMETER, text=repr(text[:80])))
    if not _KEY.fullmatch(name):
        return parameter_of_cell(name, told)
    unit = parameter.unit(name)
    if unit and unit != "px":
        return name, units.parse(told, unit)
    try:
        number = json.loads(told)
    except ValueError:
        return name, told
    return name, number if isinstance(number, (int, float)) and math.isfinite(number) else told
