"""The words of the pages that are translated: those marked in templates, and those that Python gives to them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.extract import extract_from_dir

import tomarium.portal
import tomarium.viewers
from tomarium import units
from tomarium.beamtime.copy_ledger import STATES as COPY_STATES
from tomarium.beamtime.scan_warnings import TITLES as LIVE_TITLES
from tomarium.beamtime.work_jobs import STAGES
from tomarium.beamtime.work_settings import NAMES, REGION_IS, USUAL
from tomarium.catalogue import form_words, ranges, specimen_space
from tomarium.catalogue.companions import LABEL as OF_COMPANIONS
from tomarium.catalogue.data_use import BY
from tomarium.catalogue.entity_records import BEHIND, HIDDEN
from tomarium.catalogue.facets import ACCESS_WORDS, FACETS, HOLDS, NO_LICENCE
from tomarium.catalogue.label_sheet import SHEETS
from tomarium.catalogue.mail_queue import STATES as MAIL_STATES
from tomarium.catalogue.model_file import WORDS as OF_MODEL_FILE
from tomarium.catalogue.model_request import LABELS as OF_MODELS
from tomarium.catalogue.reader import ROLES
from tomarium.catalogue.saved_searches import EVERY
from tomarium.catalogue.settings import SETTINGS
from tomarium.catalogue.tokens import SCOPES
from tomarium.kernels import refractive_index
from tomarium.model import geometry, parcel, plain_card
from tomarium.model.entity import HOWS, KINDS
from tomarium.model.level import LEVELS
from tomarium.model.link import LINK_KINDS
from tomarium.model.page_text import FACTS as TEXT_FACTS
from tomarium.model.parameter import PARAMETERS
from tomarium.model.same_sample import STATES as CLAIMS
from tomarium.pipeline.advice import advice_words, questions
from tomarium.pipeline.advice.acquisition import NOT_ABOVE_ZERO
from tomarium.pipeline.advice.questions import GROUPS as ADVICE
from tomarium.portal import account, live_words, refusals, second_factor, work_words
from tomarium.portal.administration import SECTIONS
from tomarium.portal.page import Page
from tomarium.portal.pages.admin_settings import GROUPS as SETTING_GROUPS
from tomarium.portal.pages.admin_settings import LABELS as SETTING_LABELS
from tomarium.portal.pages.admin_sources import SPANS
from tomarium.portal.pages.advise import NAMES as ADVICE_TOPICS
from tomarium.portal.pages.advise import OF_FIELD
from tomarium.portal.pages.advise import WORDS as ADVICE_WORDS
from tomarium.portal.pages.download import KINDS as DOWNLOADS
from tomarium.portal.pages.harvested import ACCESS
from tomarium.portal.pages.make_a_slice import COMPUTED
from tomarium.portal.pages.models import WORDS as OF_BODIES
from tomarium.portal.pages.record import TAKEN
from tomarium.portal.pages.text_edit import KINDS as TEXT_KINDS
from tomarium.portal.pages.text_edit import OF as TITLE_OF_TEXT
from tomarium.portal.problems import NO_DATABASE, NOWHERE, TITLES
from tomarium.portal.record_facts import SLIPS
from tomarium.portal.script_words import SCRIPT_WORDS
from tomarium.portal.where_shown import ON_ITS_WAY, PLACE_AND_HOLDER, WAY_BACK
from tomarium.registry import collect
from tomarium.standards.standard import Standard
from tomarium.viewers import (
    files,
    histogram,
    meshes,
    pictures,
    plain_facts,
    size_comparison,
    slice_axes,
    slices,
)
from tomarium.viewers.drawn import WORDS as DRAWN
from tomarium.viewers.groups import GROUPS
from tomarium.viewers.model_page import WORDS as OF_MODEL_PAGE
from tomarium.viewers.parameters import MARKS, ORIGINS
from tomarium.viewers.viewer import Viewer

TEMPLATES = tuple(Path(str(one.__file__)).parent / "templates" for one in (tomarium.portal, tomarium.viewers))
GIVEN = (
    *("All records", "Records found", "No picture", "Withdrawn", "Under embargo", "Made from"),
    *(
        "Facility",
        "Beamline",
        "Instrument",
        "Technique",
        "Scanned",
        "Energy",
        "Voxel",
        "Volume",
        "Funding",
        "Made",
    ),
    *("Specimen", "Proposal", "Collection", "Document", "Newest first", "Oldest first", "By title"),
    *("draft", "review", "published", "withdrawn"),
    *("A level, a region or a slice", "TIFF, NumPy or OME-Zarr, made on request", "Everything, as ZIP"),
    *("With its metadata and checksums; can be resumed", "Notebook, Jupyter", "More ways"),
    *(
        "fetches a coarse level and shows it; needs Matplotlib",
        "By a command, as lists, or opened where it lies",
        COMPUTED,
    ),
    *(
        second_factor.IS_ON,
        second_factor.IS_OFF,
        second_factor.ANEW,
        second_factor.WRONG,
        account.WRONG_PASSWORD,
        second_factor.NO_KEY,
    ),
)
"""Labels of the label and the like, which Python gives word by word."""

SURE = ("high", "medium", "low", "unknown")
OF_WORK = (
    *STAGES.values(),
    *(words for words in NAMES.values() if words != "δ/β"),
    *(words for words in USUAL.values() if words != "1"),
    *(*(f"confidence {words}" for words in SURE), *(f"with {words} confidence" for words in SURE[:3])),
    *(words for name, words in vars(work_words).items() if name[0].isupper() and name.isupper()),
    *("found", "as the file tells", "the middle of the frames", "probe find_axis", "given", "not known"),
    *("reconstructing", "the volume is whole, and is filed", "filed", REGION_IS, "Projections", "Format"),
    *("transmission", "attenuation", "Two settings for one scan"),
)
"""What the pages of work are handed, and what workers tell."""

OF_LIVE = (
    *(words for name, words in vars(live_words).items() if name[0].isupper() and name.isupper()),
    *(
        *LIVE_TITLES,
        "Axis not sure",
        "Axis out of the field",
        "Axis moved",
        "Sample moved",
        "Sample changed",
        "Not whole",
    ),
    *("its start", "last good", "waiting", "being written", "checks to come"),
    *("%(number)s scan", "%(number)s scans", "%(number)s more warning", "%(number)s more warnings"),
)
"""What the live page is handed."""

OF_IMAGES = (
    *("Lies in the other", "Holds it", "Mirrored", "Residual", "Each left out in turn", "Error of a point"),
    *("Factor", "Note"),
)
"""What the pages of a specimen's images and links are handed."""

OF_ADVICE = (
    *(title for title, _group in ADVICE),
    *(
        text
        for _title, group in ADVICE
        for one in group
        for text in {one.label, one.help.removesuffix(".") if one.help == f"{one.label}." else one.help}
    ),
    *(*ADVICE_TOPICS.values(), *(words for words in ADVICE_WORDS.values() if words not in ("δ", "β", "δ/β"))),
    *(words for name, words in vars(advice_words).items() if name[0].isupper() and name.isupper()),
    *(
        refractive_index.SOURCE,
        OF_FIELD,
        questions.NO_NUMBER,
        questions.NOT_FINITE,
        questions.NO_COUNT,
        NOT_ABOVE_ZERO,
    ),
    *(geometry.NOT_FINITE, geometry.NOT_ABOVE_ZERO, geometry.UNLIKELY, geometry.UNLIKELY_SUCH_AS),
    *(units.NO_NUMBER, units.NO_UNIT, units.TOO_LARGE, units.OTHER_KIND, units.UNREADABLE, units.UNKNOWN),
    *(refractive_index.NO_DENSITY, refractive_index.BAD_DENSITY, refractive_index.BEHIND_FORMULA),
    *(refractive_index.OF_ELEMENT, refractive_index.MIXTURE_NO_DENSITY, refractive_index.NO_PART),
    *(refractive_index.NOT_ONE, refractive_index.DENSITY_UNIT, refractive_index.UNLIKELY_DENSITY),
    *(refractive_index.NO_TABLES, refractive_index.AT_EDGE, refractive_index.NO_FORMULA),
    refractive_index.NO_XRAYLIB,
)
"""What the form of a planned beamtime is handed."""

OF_REFUSALS = tuple(words for name, words in vars(refusals).items() if name[0].isupper() and name.isupper())
"""What is said to a reader whom something is refused."""

OF_CATALOGUE = (
    *(ranges.UNCLEAR, ranges.NO_FACET, ranges.NO_FACET_BUT, ranges.NO_BOUND, ranges.NO_BOUND_AFTER),
    *(ranges.REVERSED, ranges.NOT_FINITE, ranges.NO_UNIT, OF_COMPANIONS),
    *(specimen_space.VOXELS_UNKNOWN, specimen_space.PIXELS_UNKNOWN, specimen_space.NO_IMAGE),
    specimen_space.FOLDER_AWAY,
    *(words for name, words in vars(form_words).items() if name[0].isupper() and name.isupper()),
)
"""What the catalogue says of ranges, of images without a place, and of images beside a record."""

OF_MODEL_PAGES = (*OF_MODEL_FILE, *OF_MODEL_PAGE)
"""What a page with a model is handed."""

OF_HDF5 = ("group", "dataset", "soft link", "external link")
"""Kinds of what an HDF5 file holds."""

OF_ENTITIES = (
    *(ON_ITS_WAY, WAY_BACK, PLACE_AND_HOLDER, HIDDEN, BEHIND, *parcel.EVENTS.values(), *CLAIMS.values()),
    *("Saved.", "It is published.", "It is made; only you and the curators see it yet."),
)
"""What the page of a specimen and the like is handed."""

OF_TEXTS = (
    *(fact.label for facts in TEXT_FACTS.values() for fact in facts.values()),
    *(fact.help for facts in TEXT_FACTS.values() for fact in facts.values() if fact.help),
    *(*TEXT_KINDS.values(), *TEXT_KINDS, *(f"New: {words.lower()}" for words in TEXT_KINDS.values())),
    *("written here", "came with tomarium", "not translated", "not written", "older than the English text"),
    *("taken away", "Pages, news and events", TITLE_OF_TEXT),
)
"""What the pages are handed on which texts are written."""

VIEWERS = (
    *(
        "min",
        "max",
        "mean",
        "Grey value",
        "Surface",
        "Print",
        "Triangles",
        "Warning",
        "Left out",
        "Scale",
        "Size",
    ),
    *("Walls", "counts", "transmission", "attenuation", "the axis of rotation is not known"),
)
"""What viewers give word by word."""

TITLED = (
    *(
        "About and help",
        "Newsletter",
        "Plan a beamtime",
        "Views and downloads",
        "Specimens at one scale",
        "What the words mean",
    ),
    *("What data are used where", "Saved searches", "Compare two records", "record", "harvested"),
    *(
        "This catalogue",
        "Another catalogue",
        "Upload",
        "Messages",
        "Labels",
        "Parcels",
        "Where specimens are",
    ),
    *("Identifier there", "Keywords", "Licence", "Files", "Size of its files"),
)
"""Titles of pages that are no record's, and what is told of a harvested record."""


@cache
def _messages() -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """Read the templates: the file and the text, or the texts of a plural, of each mark."""
    options = {"**.html": {"trimmed": "true", "silent": "false"}}
    methods = [("**.html", "jinja2.ext:babel_extract")]
    return tuple(
        (name, message)
        for folder in TEMPLATES
        for name, _line, message, _notes, _context in extract_from_dir(str(folder), methods, options)
    )


def marked() -> dict[str, tuple[str, ...]]:
    """Give every text that is marked in a template, and where; of plurals both."""
    found: dict[str, tuple[str, ...]] = {}
    for name, message in _messages():
        for one in message if isinstance(message, tuple) else (message,):
            found[one] = (*found.get(one, ()), name)
    return found


def plurals() -> set[tuple[str, str]]:
    """Give the texts that depend on a number: of one, of several."""
    large = {(words, words) for words in plain_facts.LARGE.values()}
    return large | {(message[0], message[1]) for _, message in _messages() if isinstance(message, tuple)}


def given() -> Iterator[str]:
    """Give every text that Python hands to a template, which translates it there."""
    yield from (page.menu for page in collect("portal.pages", Page).values() if page.menu)
    yield from LEVELS.values()
    yield from (*OF_MODELS.values(), *OF_BODIES, *COPY_STATES)
    yield from (*FACETS.values(), *HOLDS.values(), *ACCESS_WORDS.values(), NO_LICENCE, *LINK_KINDS.values())
    yield from (viewer.title for viewer in collect("viewers", Viewer).values())
    yield from ROLES
    yield from SCOPES.values()
    yield from (help for _kind, _words, help in DOWNLOADS)
    yield from (words for pair in TAKEN.values() for words in pair)
    yield from (f"Metadata, {known.title}" for known in collect("standards", Standard).values())
    yield from (*ORIGINS.values(), *(one for one in ORIGINS if one != "user"), "%(size)s wide")
    yield from ("paper", "tutorial", "lesson", "report", "password", "identity provider", "not at all")
    yield from ("Private fields", "Pictures of others", "ORCID iDs")
    for kind in KINDS.values():
        yield from (
            kind.name,
            kind.name.capitalize(),
            kind.plural.capitalize(),
            *(fact.label for fact in kind.facts),
        )
    yield from (f"{words} it" for words in HOWS.values())
    yield from (*HOWS.values(), *BY.values(), *(words for words, _ in EVERY.values()))
    yield from (*TITLES.values(), NOWHERE, NO_DATABASE)
    yield from (*parcel.STATES.values(), *parcel.DONE.values(), *(fact.label for fact in parcel.FACTS))
    yield from (sheet.words for sheet in SHEETS.values())
    yield from (label for label, _unit in PARAMETERS.values())
    yield from of_viewers()
    yield from SCRIPT_WORDS
    yield from ACCESS.values()
    yield from (*(section.title for section in SECTIONS.values()), *SPANS.values())
    yield from (
        *SETTING_GROUPS,
        *SETTING_LABELS.values(),
        *(one.help for one in SETTINGS.values()),
        "yes",
        "no",
    )
    yield from (*MAIL_STATES, "running", "done", "registered", "findable", "missing", "changed", "unreadable")
    yield from TITLED
    yield from SLIPS
    yield from (
        *GIVEN,
        *OF_WORK,
        *OF_TEXTS,
        *OF_ENTITIES,
        *OF_LIVE,
        *OF_IMAGES,
        *OF_ADVICE,
        *OF_HDF5,
        *OF_MODEL_PAGES,
        *OF_REFUSALS,
        *OF_CATALOGUE,
    )


def of_viewers() -> Iterator[str]:
    """Give every text that a viewer hands to its template."""
    yield from (*MARKS.values(), *GROUPS, *DRAWN.values(), *files.WHAT.values(), *meshes.WHAT.values())
    yield from (*slices.WORDS.values(), *(words.replace("seen ", "") for words in slices.WORDS.values()))
    yield from (*slice_axes.WORDS.values(), *histogram.QUANTITIES.values(), *pictures.TITLES.values())
    yield from (label for label, _longest in plain_card.FIELDS.values())
    yield from VIEWERS
    yield from (*plain_facts.SENTENCES.values(), "X-rays", "Neutrons")
    yield from (words for pair in plain_facts.TIMES.values() for words in pair)
    yield from (*size_comparison.FACTORS.values(), *size_comparison.SIDES, *size_comparison.SIDES.values())
    yield from (thing.name for thing in size_comparison.THINGS)


if __name__ == "__main__":
    for words in sorted({*marked(), *given()}):
        print(words)
