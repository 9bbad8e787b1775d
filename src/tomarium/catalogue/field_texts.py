"""What people type into the fields of a record, as changes of it."""

from __future__ import annotations

from collections.abc import Mapping

from tomarium.catalogue.edit import Changes
from tomarium.model.person import read_person
from tomarium.model.plain_card import FIELDS as CARD
from tomarium.model.publication import read_funding, read_related
from tomarium.standards.licences import read_licence
from tomarium.standards.panet import id_of


def changes_of(fields: Mapping[str, str]) -> Changes:
    """Read the fields of a form.

    Parameters
    ----------
    fields : Mapping of str to str
        "title", "description", "creators", "licence", "keywords", "techniques", "specimen", "proposal", "instrument",
        "acknowledgement", "funding", "related", and "plain_title", "plain_what" … of its card in plain words; lists
        have a line for each item. Others are passed over.

    Returns
    -------
    Changes
        What is not among the fields stays as it is; an empty text empties it.

    Raises
    ------
    InputError
        A person, a licence, a technique, a funder or a relation cannot be read.
    """

    def lines(name: str) -> list[str] | None:
        return (
            [line.strip() for line in fields[name].splitlines() if line.strip()] if name in fields else None
        )

    creators, keywords, techniques = lines("creators"), lines("keywords"), lines("techniques")
    funding, related = lines("funding"), lines("related")
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
    )
