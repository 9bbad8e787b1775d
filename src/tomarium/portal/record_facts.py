"""What stands on the label of a record, on its slips and in its citation: only what the record says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from tomarium import units
from tomarium.model import Record, parameter
from tomarium.model.wording import brief
from tomarium.portal.languages import ENGLISH, show_day, show_decimal, translate
from tomarium.standards.identifiers import read_award
from tomarium.standards.panet import label_of
from tomarium.viewers.scale_bar import scale_bar

PLACES = ("facility", "beamline", "instrument")
NUMBERS = ("energy_kev",)


@dataclass(frozen=True)
class Slip:
    """A dated statement.

    Attributes
    ----------
    lead, text : str
        What is said; the lead stands out.
    by : str
        Who or what says it, and when.
    """

    lead: str
    text: str
    by: str


@dataclass(frozen=True)
class Bar:
    """A scale bar.

    Attributes
    ----------
    text : str
        Its length with the unit.
    percent : float
        The same as a part of the picture's width.
    """

    text: str
    percent: float


@dataclass(frozen=True)
class Funder:
    """Who paid, and for what.

    Attributes
    ----------
    funder, award : str
        Name of the organisation; number or title of the grant, else its identifier, "" where none is known.
    about, address : str
        Addresses of the organisation's entry in ROR and of the grant; "" where they are not known.
    """

    funder: str
    award: str
    about: str
    address: str


def funders(record: Record) -> tuple[Funder, ...]:
    """Tell who paid for a record, with addresses.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    tuple of Funder
        In the order of the record.
    """
    rows = []
    for funding in record.funding:
        words, identifier, address = read_award(funding.award)
        about = f"https://ror.org/{quote(funding.ror)}" if funding.ror else ""
        rows.append(Funder(funding.funder, words or identifier, about, address))
    return tuple(rows)


def stamp_of(record: Record) -> str:
    """Say on the stamp of a record's label whether anybody may have its files.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        "not published yet", "files withdrawn", "under embargo" or "open files".
    """
    publication = record.publication
    if publication is None:
        return "not published yet"
    if publication.withdrawn:
        return "files withdrawn"
    return "under embargo" if publication.open_from > datetime.now(UTC) else "open files"


def label_rows(record: Record, language: str = ENGLISH) -> tuple[tuple[str, str], ...]:
    """Write the rows of a record's label; what is not known has none.

    Parameters
    ----------
    record : Record
        Any record.
    language : str
        In which days and decimal marks are written.

    Returns
    -------
    tuple of tuple of str
        Name and value: where, how and when it was scanned, energy, voxel size, size of the volume, who paid, when it
        was filed.
    """
    rows = [(parameter.label(key), _parameter_text(record, key)) for key in PLACES]
    rows.append(("Technique", ", ".join(map(label_of, record.techniques))))
    rows.append(("Scanned", _day(_parameter_text(record, "start_time"), language)))
    rows += [
        (
            parameter.label(key).removeprefix("Photon ").capitalize(),
            show_decimal(_parameter_text(record, key), language),
        )
        for key in NUMBERS
    ]
    rows.append(("Voxel", show_decimal(voxel_words(record), language)))
    rows.append(("Volume", _volume(record, language)))
    paid = [
        f"{funder.funder}: {funder.award}" if funder.award else funder.funder for funder in funders(record)
    ]
    rows.append(("Funding", "; ".join(paid)))
    rows.append(("Made", _day(record.created.isoformat(), language)))
    return tuple((name, brief(value, 80)) for name, value in rows if value)


def voxel_words(record: Record) -> str:
    """Write the voxel size of a record, one number for a cube, else x × y × z.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        "3.25 µm"; "" where it is not known.
    """
    return parameter.show_voxel(record.volume.get("voxel_m"))


def picture_bar(record: Record) -> Bar | None:
    """Choose the scale bar of a record's middle slice across the rotation axis.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    Bar or None
        None where the voxel size or the shape is not known.
    """
    shape, sizes_m = _shape(record), _voxel_m(record)
    if len(shape) != 3 or not sizes_m or not shape[2] * sizes_m[-1] > 0:
        return None
    length_m, fraction = scale_bar(shape[2] * sizes_m[-1])
    return Bar(units.show(length_m, "m"), round(100 * fraction, 3))


SLIPS = (
    *(
        "Created",
        "as a draft.",
        "Computed",
        "Withdrawn",
        "A newer version",
        "is there: %(record)s.",
        "%(people)s and others",
    ),
    *(
        "by %(who)s, as told under How it was made.",
        "Version %(number)s",
        "published.",
        "published, DOI %(doi)s.",
    ),
    *("Its files open on %(day)s.", "It is kept until %(day)s at least."),
)
"""What slips say, in English."""


def slips(record: Record, now: datetime, language: str = ENGLISH) -> tuple[Slip, ...]:
    """Tell what happened to a record, the newest first.

    Parameters
    ----------
    record : Record
        Any record.
    now : datetime
        The present moment, with its time zone.
    language : str
        In which they are told.

    Returns
    -------
    tuple of Slip
        That it was withdrawn, published, made, and with what it was reconstructed where its provenance says so.
    """

    def say(words: str, **values: str) -> str:
        return translate(words, language) % values

    people = "; ".join(brief(person.name, 100) for person in record.creators[:3])
    people = say("%(people)s and others", people=people) if len(record.creators) > 3 else people
    created = _day(record.created.isoformat(), language)
    draft = Slip(say("Created"), say("as a draft."), f"{people}, {created}" if people else created)
    rows = [*_published(record, now, language), draft]
    versions, finished = record.provenance.get("versions"), record.provenance.get("finished")
    version = versions.get("tomarium") if isinstance(versions, dict) else None
    if isinstance(version, str) and isinstance(finished, str):
        rows.append(
            Slip(
                say("Computed"),
                say("by %(who)s, as told under How it was made.", who=record.made_by),
                f"tomarium {brief(version, 20)}, {_day(finished, language)}",
            )
        )
    return tuple(rows)


def _published(record: Record, now: datetime, language: str) -> list[Slip]:
    def say(words: str, **values: str) -> str:
        return translate(words, language) % values

    publication = record.publication
    if publication is None:
        return []
    by = brief(publication.publisher, 100)
    rows = []
    if publication.withdrawn:
        rows.append(
            Slip(say("Withdrawn"), publication.reason, _who_and_when(by, publication.withdrawn, language))
        )
    later = next(
        (related.identifier for related in record.related if related.relation == "IsPreviousVersionOf"), ""
    )
    if later:
        rows.append(Slip(say("A newer version"), say("is there: %(record)s.", record=later), ""))
    doi = publication.doi
    sentences = [say("published, DOI %(doi)s.", doi=doi) if doi else say("published.")]
    if publication.open_from > now:
        day = _day(publication.open_from.isoformat(), language)
        sentences.append(say("Its files open on %(day)s.", day=day))
    if publication.kept_until:
        day = _day(publication.kept_until.isoformat(), language)
        sentences.append(say("It is kept until %(day)s at least.", day=day))
    lead = say("Version %(number)s", number=str(publication.version))
    return [*rows, Slip(lead, " ".join(sentences), _who_and_when(by, publication.published, language))]


def _who_and_when(who: str, when: datetime, language: str) -> str:
    return ", ".join(filter(None, (who, _day(when.isoformat(), language))))


def _shape(record: Record) -> Sequence[int]:
    return tuple(record.volume.get("shape") or ())


def _voxel_m(record: Record) -> Sequence[float]:
    voxel = record.volume.get("voxel_m")
    if not voxel:
        return ()
    return (float(voxel),) if isinstance(voxel, (int, float)) else tuple(float(size) for size in voxel)


def _volume(record: Record, language: str) -> str:
    shape, sizes_m = _shape(record), _voxel_m(record)
    if len(shape) != 3:
        return ""
    voxels = " × ".join(str(length) for length in shape[::-1])
    if not sizes_m:
        return voxels
    size = show_decimal(units.show(shape[2] * sizes_m[-1], "m", digits=3), language)
    return f"{voxels}, {translate('%(size)s wide', language) % {'size': size}}"


def _parameter_text(record: Record, key: str) -> str:
    value = record.parameters.get(key)
    return parameter.show(key, value.value) if value and value.value is not None else ""


def _day(moment: str, language: str = ENGLISH) -> str:
    """Write the day of a moment; what is no moment stays as it is."""
    try:
        return show_day(moment, language)
    except ValueError:
        return brief(moment, 40)
