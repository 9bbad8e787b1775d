"""What keeps a record from being published, and what ought to be told before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.catalogue.checkup import subject_of_record
from tomarium.catalogue.picture_credits import unpermitted
from tomarium.catalogue.withheld_values import exposed
from tomarium.doctor import examine
from tomarium.model import Record

SHORTEST_DESCRIPTION: Final = 50
"""Characters: search engines for datasets leave out what is described in fewer."""


@dataclass(frozen=True)
class Check:
    """One demand on a record.

    Attributes
    ----------
    name : str
        "Licence", "Creators" …
    problem : str
        What is wrong; "" where all is well.
    mend : str
        The command that mends it, "" where there is none.
    refuses : bool
        Whether it keeps the record from being published.
    """

    name: str
    problem: str
    mend: str = ""
    refuses: bool = True


def publication_checks(record: Record, folder: Path, *, files: bool = True) -> tuple[Check, ...]:
    """Check what a record must and ought to have before it is published.

    Parameters
    ----------
    record : Record
        The record.
    folder : Path
        Its folder.
    files : bool
        Whether the doctor examines the folder too, which reads files.

    Returns
    -------
    tuple of Check
        All demands, those that are met among them.
    """
    private = exposed(record)
    unnamed = [person.name for person in record.creators if not person.orcid]
    foreign = unpermitted(record)
    id = record.id
    checks = [
        Check(
            "Licence",
            "" if record.licence else "no licence is stated",
            f"tomarium edit {id} --licence CC-BY-4.0",
        ),
        Check(
            "Creators",
            "" if record.creators else "nobody is named as creator",
            f'tomarium edit {id} --creator "Lovelace, Ada"',
        ),
        Check(
            "Private fields",
            f"{', '.join(private)} may be private: withhold what is, or declare it public" if private else "",
            f"tomarium edit {id} --withhold {private[0]}" if private else "",
        ),
        Check(
            "Pictures of others",
            f"others made {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}, and nothing says that it may be "
            f"published"
            if foreign
            else "",
            f"tomarium edit {id} --picture {foreign[0]} --holder NAME --terms CC-BY-4.0 --permitted-on DAY"
            if foreign
            else "",
        ),
        Check(
            "Description",
            ""
            if len(record.description) >= SHORTEST_DESCRIPTION
            else f"the description has {len(record.description)} characters; search engines ask for "
            f"{SHORTEST_DESCRIPTION}",
            f"tomarium edit {id} --description …",
            refuses=False,
        ),
        Check(
            "ORCID iDs",
            f"of {', '.join(unnamed[:3])}{' …' if len(unnamed) > 3 else ''} no ORCID iD is known"
            if unnamed
            else "",
            refuses=False,
        ),
        Check(
            "Technique",
            "" if record.techniques else "no technique is named",
            f"tomarium edit {id} --technique PaNET01207",
            refuses=False,
        ),
    ]
    if files:
        report = examine(subject_of_record(folder))
        errors = [
            f"{finding.where}: {finding.found}; {finding.mend or finding.expected}"
            for finding in report.findings
            if finding.severity == "error"
        ]
        checks.append(Check("Doctor", "; ".join(errors[:3])))
    return tuple(checks)
