"""What keeps a record from being published, and what it ought to have: the one place of these rules.

`tomarium publish`, the pages of those who keep a record, and the lists of what records lack ask here. DataCite's
mandatory terms are among them: creators are demanded here; title, year and type every record has, publisher and DOI the
catalogue gives.
"""

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


MEASURED: Final = ("volume", "projections")
"""Kinds of parts that are measured of a sample by an instrument."""


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
    lacks : str
        What a record lacks that does not meet it, behind "6 lack": "a licence".
    """

    name: str
    problem: str
    mend: str = ""
    refuses: bool = True
    lacks: str = ""


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
            lacks="a licence",
        ),
        Check(
            "Creators",
            "" if record.creators else "nobody is named as creator",
            f'tomarium edit {id} --creator "Lovelace, Ada"',
            lacks="a creator",
        ),
        Check(
            "Private fields",
            f"{', '.join(private)} may be private: withhold what is, or declare it public" if private else "",
            f"tomarium edit {id} --withhold {private[0]}" if private else "",
            lacks="a decision on private fields",
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
            lacks="a permission for pictures of others",
        ),
        Check(
            "Description",
            ""
            if len(record.description) >= SHORTEST_DESCRIPTION
            else f"the description has {len(record.description)} characters; search engines ask for "
            f"{SHORTEST_DESCRIPTION}",
            f"tomarium edit {id} --description …",
            refuses=False,
            lacks=f"a description of {SHORTEST_DESCRIPTION} characters",
        ),
        Check(
            "ORCID iDs",
            f"of {', '.join(unnamed[:3])}{' …' if len(unnamed) > 3 else ''} no ORCID iD is known"
            if unnamed
            else "",
            refuses=False,
            lacks="an ORCID iD",
        ),
        Check(
            "Technique",
            "" if record.techniques else "no technique is named",
            f"tomarium edit {id} --technique PaNET01207",
            refuses=False,
            lacks="a technique",
        ),
        Check(
            "Keywords",
            "" if record.keywords else "there is no keyword to find it by",
            f"tomarium edit {id} --keyword WORD",
            refuses=False,
            lacks="a keyword",
        ),
        *_checks_of_measurement(record),
    ]
    if files:
        report = examine(subject_of_record(folder))
        errors = [
            f"{finding.where}: {finding.found}; {finding.mend or finding.expected}"
            for finding in report.findings
            if finding.severity == "error"
        ]
        checks.append(Check("Doctor", "; ".join(errors[:3]), lacks="whole files"))
    return tuple(checks)


def _checks_of_measurement(record: Record) -> list[Check]:
    """Check what a volume or a scan ought to tell: of what it is, by which instrument, and how large its pixels are."""
    if not any(part.kind in MEASURED for part in record.parts):
        return []
    id = record.id
    is_sample_named = bool(record.specimen or record.entity("specimen") or _text(record, "sample_name"))
    is_instrument_named = bool(record.entity("instrument")) or any(
        _text(record, key) for key in ("instrument", "beamline")
    )
    return [
        Check(
            "Sample",
            "" if is_sample_named else "no sample is named",
            f'tomarium edit {id} --parameter sample_name="Molar of a bear", or --specimen IDENTIFIER',
            refuses=False,
            lacks="a sample name",
        ),
        Check(
            "Instrument",
            "" if is_instrument_named else "no instrument is named",
            f"tomarium edit {id} --parameter instrument=NAME, or --instrument IDENTIFIER",
            refuses=False,
            lacks="an instrument",
        ),
        Check(
            "Pixel size",
            "" if _is_size_known(record) else "the size of a pixel or a voxel is not known",
            f'tomarium edit {id} --parameter pixel_m="0.65 um"',
            refuses=False,
            lacks="a pixel size",
        ),
    ]


def _text(record: Record, key: str) -> str:
    value = record.parameters.get(key)
    return "" if value is None or value.value is None else str(value.value).strip()


def _is_size_known(record: Record) -> bool:
    """Tell whether lengths in its first volume or scan are known: by its axes, or by a parameter."""
    part = next(part for part in record.parts if part.kind in MEASURED)
    by_axes = any(axis.get("unit") == "m" and axis.get("step") for axis in part.axes)
    return (
        by_axes
        or bool(record.volume.get("voxel_m"))
        or any(map(record.parameters.get, ("pixel_m", "voxel_m")))
    )
