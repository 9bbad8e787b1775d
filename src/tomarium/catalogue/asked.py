"""What a search asks for, as an address spells it: "q=tooth&technique=PaNET01207&pixel=<1um"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection

from tomarium.catalogue import find, queries
from tomarium.catalogue.companions import NAME as COMPANIONS
from tomarium.catalogue.companions import read_companions
from tomarium.catalogue.facet_counts import sets_of
from tomarium.catalogue.facets import FACETS, read_filters
from tomarium.catalogue.question import Question
from tomarium.catalogue.ranges import Range, key_of, read_range
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.words import read_terms
from tomarium.standards.panet import label_of

PLACES: Final = frozenset({"sort", "limit", "offset", "after", "facets", "level", "said"})
"""What an address of a list of records may hold besides: which part of the answer is shown, and how."""
LONGEST: Final = 2000
"""Characters of a spelling that is kept."""

Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Asked:
    """What is asked for, as it was typed.

    Attributes
    ----------
    words : str
        Words that must all occur.
    filters : Mapping of str to tuple of str
        Facet → values, any of which will do.
    ranges : Mapping of str to tuple of str
        Parameter → ranges, all of which must be met.
    companions : tuple of str
        Techniques of other images of the specimen.
    """

    words: str = ""
    filters: Values = field(default_factory=dict)
    ranges: Values = field(default_factory=dict)
    companions: tuple[str, ...] = ()

    @property
    def spelled(self) -> str:
        """The query of the address of its list; the same for the same search."""
        pairs = [("q", " ".join(self.words.split()))] if self.words.strip() else []
        pairs += [
            (name, text) for name in FACETS if name in self.filters for text in sorted(self.filters[name])
        ]
        pairs += [(COMPANIONS, companion) for companion in self.companions]
        pairs += [(name, text) for name in sorted(self.ranges) for text in self.ranges[name]]
        return urlencode(pairs)

    @property
    def title(self) -> str:
        """Tell it in a line for people."""
        parts = [" ".join(self.words.split())] if self.words.strip() else []
        parts += [
            label_of(value) if name == "technique" else value
            for name, values in self.filters.items()
            for value in values
        ]
        parts += [f"beside {label_of(companion)}" for companion in self.companions]
        parts += [
            f"{name} {value.removeprefix('=')}".replace("_", " ")
            for name, values in self.ranges.items()
            for value in values
        ]
        return ", ".join(parts) or "All records"


def read_asked(pairs: Iterable[tuple[str, str]]) -> Asked:
    """Read what an address asks for.

    Parameters
    ----------
    pairs : iterable of (str, str)
        Names and values of its query; those of `PLACES` and empty values are passed over. What is neither a facet nor
        one of the others is a range.

    Returns
    -------
    Asked
        Not checked: `question_of` does that.
    """
    words, companions = "", []
    filters: dict[str, tuple[str, ...]] = {}
    ranges: dict[str, tuple[str, ...]] = {}
    for name, text in pairs:
        if name in PLACES or not text.strip():
            continue
        if name == "q":
            words = text
        elif name == COMPANIONS:
            companions.append(text.strip())
        elif name in FACETS:
            filters[name] = (*filters.get(name, ()), text)
        else:
            ranges[name] = (*ranges.get(name, ()), text)
    return Asked(words, filters, ranges, tuple(dict.fromkeys(companions)))


def read_spelled(text: str) -> Asked:
    """Read what `Asked.spelled` wrote, or the query of any address of a list of records."""
    return read_asked(parse_qsl(text.removeprefix("?"), keep_blank_values=True))


def question_of(connection: Connection, reader: Reader, request: Asked) -> Question | None:
    """Make the question that is asked of the catalogue.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    request : Asked
        What for.

    Returns
    -------
    Question or None
        None where the words hold only signs, which nothing has.

    Raises
    ------
    ParameterError
        A facet, a range or a technique is not one; the message says what to write.
    """
    terms = read_terms(request.words)
    if request.words.strip() and not terms:
        return None
    filters, ranges = read_filters(request.filters), ranges_of(connection, request.ranges)
    beside = read_companions(request.companions, sets_of(connection).values("technique"))
    return find.make_question(connection, reader, terms, filters, ranges, beside)


def ranges_of(connection: Connection, ranges: Mapping[str, str | Iterable[str]]) -> list[Range]:
    """Read ranges of parameters that the catalogue knows; raises ParameterError where it knows none of that name."""
    if not ranges:
        return []
    dict_keys = queries.parameter_numbers(connection).keys()
    read = []
    for name, texts in ranges.items():
        key = key_of(name, dict_keys)
        read += [read_range(key, text) for text in ((texts,) if isinstance(texts, str) else texts)]
    return read
