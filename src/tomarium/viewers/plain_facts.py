"""What a record tells by itself, in plain sentences: each made by a rule from fields of the record, none invented."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from gettext import NullTranslations
from math import prod
from typing import Any, Final

from tomarium.model import Record
from tomarium.standards import panet
from tomarium.viewers.size_comparison import beside, plain_length
from tomarium.viewers.slices import voxel_m
from tomarium.viewers.viewer import ENGLISH, decimal

TOMOGRAPHY: Final = "PaNET01129"
PROBES: Final = (("PaNET01012", "X-rays"), ("PaNET00101", "Neutrons"))
"""Technique of PaNET → what went through the specimen; the first that is told."""
SPELLED: Final = {"x-ray": "X-rays", "xray": "X-rays", "neutron": "Neutrons"}
"""How a scan's `probe` begins, as NeXus writes it → what went through the specimen."""
PHASE: Final = "PaNET00204"
EMISSION: Final = "PaNET00201"
LONGEST_S: Final = 30 * 86400.0
_INSIDE: Final = "from the pictures a computer worked out what is inside."
SENTENCES: Final = {
    "through": f"%(probe)s went through it from many sides, and each time a picture was taken; {_INSIDE}",
    "seen": f"Pictures of it were taken from many sides; {_INSIDE}",
    "bent": "%(probe)s are bent a little at the edges of things; the computer made use of that, so that even things "
    "show that hardly cast a shadow.",
    "extent": "What the scan shows is %(width)s wide, %(depth)s deep and %(height)s high.",
    "extent beside": "What the scan shows is %(width)s wide, %(depth)s deep and %(height)s high; its longest side is "
    "%(beside)s.",
    "cubes": "It is made of tiny blocks, called voxels; each is %(width)s wide.",
    "cubes beside": "It is made of tiny blocks, called voxels; each is %(width)s wide, %(beside)s.",
    "blocks": "It is made of tiny blocks, called voxels; each is %(width)s wide, %(depth)s deep and %(height)s high.",
    "slices": "The computer made %(slices)s slices of it, like those of a loaf of bread; they have %(voxels)s voxels "
    "in all.",
    "pictures": "%(pictures)s pictures were taken for it, each from another side; such a picture is called a "
    "projection.",
    "time": "The scan took %(time)s.",
    "longest": "%(length)s at its longest",
    "and": "%(hours)s and %(minutes)s",
}
"""What is said of records, in English."""
LARGE: Final = {
    10**12: "%(count)s million million",
    10**9: "%(count)s thousand million",
    10**6: "%(count)s million",
}
"""Large numbers in words; languages that have a singular of them tell it in their translation."""
TIMES: Final = {unit: (f"%(count)s {unit}", f"%(count)s {unit}s") for unit in ("second", "minute", "hour")}
"""Units of time: of one, of several."""


@dataclass(frozen=True)
class PlainFact:
    """A sentence that follows from a record.

    Attributes
    ----------
    text : str
        The sentence.
    source : str
        Fields of the record that it was made from.
    """

    text: str
    source: str


class _Say:
    """Says things in a language."""

    def __init__(self, translations: NullTranslations) -> None:
        self.translations = translations

    def __call__(self, words: str, **values: str) -> str:
        translated = {
            key: self.translations.gettext(value) if key == "probe" else value
            for key, value in values.items()
        }
        return self.translations.gettext(SENTENCES.get(words, words)) % translated

    def length(self, length_m: float) -> str:
        return decimal(plain_length(length_m), self.translations)

    def beside(self, length_m: float, side: str = "long") -> str:
        comparison = beside(length_m, side, self.translations)
        return "" if comparison is None else comparison.words

    def counted(self, number: int) -> str:
        for size, words in LARGE.items():
            if number >= size:
                count = float(f"{number / size:.3g}")
                template = self.translations.ngettext(words, words, 1 if self.is_one(count) else 2)
                return template % {"count": decimal(f"{count:.12g}", self.translations)}
        return f"{number:,}".replace(",", "\u202f")

    def is_one(self, count: float) -> bool:
        """Tell whether a language uses the singular: French does below 2, English and German for 1 alone."""
        language = self.translations.info().get("language")
        if not language:
            return count == 1
        from babel import Locale

        return bool(Locale.parse(language).plural_form(count) == "one")

    def lasting(self, seconds: float) -> str:
        if seconds < 120:
            return self.of(round(seconds), "second")
        minutes = round(seconds / 60)
        if minutes < 120:
            return self.of(minutes, "minute")
        hours, minutes_left = divmod(minutes, 60)
        hours_text = self.of(hours, "hour")
        return (
            self("and", hours=hours_text, minutes=self.of(minutes_left, "minute"))
            if minutes_left
            else hours_text
        )

    def of(self, number: int, unit: str) -> str:
        return self(TIMES[unit][number != 1], count=str(number))


def plain_facts(record: Record, translations: NullTranslations = ENGLISH) -> tuple[PlainFact, ...]:
    """Tell in plain sentences what follows from a record.

    Parameters
    ----------
    record : Record
        Any record.
    translations : gettext.NullTranslations
        Of the sentences; English by default.

    Returns
    -------
    tuple of PlainFact
        How it was seen, how large it is beside a known thing, how small its voxels are, of how many slices and pictures
        it is made, and how long the scan took; what the record does not tell, or only assumes, has no sentence.
    """
    say = _Say(translations)
    return tuple(fact for rule in _RULES for fact in rule(record, say))


def probe_of(record: Record) -> str:
    """Tell what went through a specimen, as its techniques or its scan say it.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        "X-rays" or "Neutrons"; "" where nothing tells it, or what shines by itself was seen.
    """
    reached = frozenset[str]().union(*(panet.broader(technique) for technique in record.techniques))
    if EMISSION in reached:
        return ""
    by_technique = next((name for id, name in PROBES if id in reached), "")
    probe = record.parameters.get("probe")
    probe_text = "" if probe is None else str(probe.value).strip().lower()
    by_scan = next((name for word, name in SPELLED.items() if probe_text.startswith(word)), "")
    return by_technique or by_scan


def extent_m(record: Record) -> tuple[float, float, float] | None:
    """Tell how large what the volume of a record shows is.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    tuple of float or None
        Height, depth and width (z, y, x), m: voxels times their size. None where either is not known.
    """
    shape, size = record.volume.get("shape") or (), voxel_m(record)
    if len(shape) != 3 or size is None or not all(size):
        return None
    z, y, x = (int(n) * value for n, value in zip(shape, size, strict=True))
    return z, y, x


def plain_size(record: Record, translations: NullTranslations = ENGLISH) -> str:
    """Tell in a few words how large what the volume of a record shows is.

    Parameters
    ----------
    record : Record
        Any record.
    translations : gettext.NullTranslations
        Of the words; English by default.

    Returns
    -------
    str
        "About as long as a grain of rice (6 mm)", or "4.4 mm at its longest" where no known thing is as long; "" where
        it is not known.
    """
    size = extent_m(record)
    if size is None:
        return ""
    say = _Say(translations)
    words = say.beside(max(size)) or say("longest", length=say.length(max(size)))
    return words[0].upper() + words[1:]


def _technique(record: Record, say: _Say) -> Iterator[PlainFact]:
    broader = [panet.broader(technique) for technique in record.techniques]
    if not any(TOMOGRAPHY in above for above in broader):
        return
    reached = frozenset().union(*broader)
    # What shines by itself, as in fluorescence, is not told by what goes through.
    probe = probe_of(record)
    yield PlainFact(say("through", probe=probe) if probe else say("seen"), "techniques")
    if PHASE in reached and probe:
        yield PlainFact(say("bent", probe=probe), "techniques")


def _extent(record: Record, say: _Say) -> Iterator[PlainFact]:
    size = extent_m(record)
    if size is None:
        return
    height, depth, width = map(say.length, size)
    lengths = {"width": width, "depth": depth, "height": height}
    compared = say.beside(max(size))
    text = say("extent beside", **lengths, beside=compared) if compared else say("extent", **lengths)
    yield PlainFact(text, "volume: shape, voxel_m")


def _voxel(record: Record, say: _Say) -> Iterator[PlainFact]:
    size = voxel_m(record)
    if size is None or not all(size):
        return
    height, depth, width = map(say.length, size)
    compared = say.beside(size[2], "wide")
    if max(size) > 1.005 * min(size):
        text = say("blocks", width=width, depth=depth, height=height)
    else:
        text = say("cubes beside", width=width, beside=compared) if compared else say("cubes", width=width)
    yield PlainFact(text, "volume: voxel_m")


def _slices(record: Record, say: _Say) -> Iterator[PlainFact]:
    shape = [int(n) for n in record.volume.get("shape") or ()]
    if len(shape) == 3 and shape[0] > 1:
        text = say("slices", slices=say.counted(shape[0]), voxels=say.counted(prod(shape)))
        yield PlainFact(text, "volume: shape")


def _pictures(record: Record, say: _Say) -> Iterator[PlainFact]:
    number = _told_value(record, "projections")
    if isinstance(number, int) and not isinstance(number, bool) and number > 1:
        yield PlainFact(say("pictures", pictures=say.counted(number)), "parameter: projections")


def _duration(record: Record, say: _Say) -> Iterator[PlainFact]:
    try:
        began, ended = (
            datetime.fromisoformat(_told_value(record, key)) for key in ("start_time", "end_time")
        )
        seconds = (ended - began).total_seconds()
    except (TypeError, ValueError):  # not told, no moments, or one with a time zone and one without
        return
    if 0 < seconds < LONGEST_S:
        yield PlainFact(say("time", time=say.lasting(seconds)), "parameters: start_time, end_time")


def _told_value(record: Record, key: str) -> Any:
    """Return the value of a parameter that somebody told; None where it is only assumed."""
    value = record.parameters.get(key)
    return None if value is None or value.origin == "default" else value.value


_RULES: Final[tuple[Callable[[Record, _Say], Iterator[PlainFact]], ...]] = (
    _technique, _extent, _voxel, _slices, _pictures, _duration,
)  # fmt: skip
