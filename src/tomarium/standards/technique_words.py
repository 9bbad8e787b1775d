"""Short names of techniques, as people say them, and what records call them: terms of PaNET, and words of their own.

PaNET knows photons and neutrons; techniques of electron and ion microscopes have no term in it. Records tell those by
words, in the parameter `technique`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from tomarium.errors import ParameterError
from tomarium.standards import panet

# Short name → terms of PaNET, whose narrower terms count too; and words that stand in the parameter `technique`.
WORDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "ct": (
        ("tomography",),
        (
            "ct", "xct", "uct", "µct", "microct", "nanoct", "computed tomography", "x-ray tomography",
            "microtomography", "nanotomography", "holotomography",
        ),
    ),
    "xrf": (("x-ray fluorescence",), ("xrf", "x-ray fluorescence")),
    "eds": (
        (),
        ("eds", "edx", "edxs", "energy-dispersive spectroscopy", "energy-dispersive x-ray spectroscopy"),
    ),
    "wds": ((), ("wds", "wdx", "epma", "electron microprobe", "wavelength-dispersive spectroscopy")),
    "ebsd": ((), ("ebsd", "electron backscatter diffraction", "electron back-scatter diffraction")),
    "sem": ((), ("sem", "scanning electron microscopy", "scanning electron microscope")),
    "fib": ((), ("fib", "fibsem", "focused ion beam")),
    "tem": ((), ("tem", "stem", "transmission electron microscopy")),
    "raman": ((), ("raman",)),
    "cl": ((), ("cl", "cathodoluminescence")),
}  # fmt: skip


def values_of(word: str, values_known: Iterable[str]) -> tuple[str, ...]:
    """Find what a technique is called.

    Parameters
    ----------
    word : str
        A short name ("ct", "eds", "ebsd", "sem", "fib" …), a name or identifier of PaNET, or words as records have
        them; in any case.
    values_known : iterable of str
        Values of the facet `technique`: identifiers of PaNET, and words such as "FIB-SEM".

    Returns
    -------
    tuple of str
        Those that are this technique or a narrower one: with "ct" those of every tomography, with "sem" also
        "FIB-SEM" and "SEM-EDS", which hold the word. None where no value is.

    Raises
    ------
    ParameterError
        There is no letter in it.

    Examples
    --------
    >>> values_of("EDX", ["PaNET01207", "SEM-EDS", "EBSD"])
    ('SEM-EDS',)
    >>> values_of("ct", ["PaNET01207", "SEM-EDS"])
    ('PaNET01207',)
    """
    letters = _letters(word)
    if not letters:
        raise ParameterError(
            f"{word[:80]!r} is no technique; give one such as {', '.join(WORDS)}, or a name of PaNET"
        )
    ids, spelled = _ids_and_words(word, letters)
    phrases = [_letters(text) for text in spelled]
    return tuple(
        value
        for value in values_known
        if value in ids or any(_contains(_letters(value), phrase) for phrase in phrases)
    )


def _ids_and_words(word: str, letters: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return identifiers of PaNET, and the words that are looked for."""
    for name, (terms, spelled) in WORDS.items():
        if letters in (_letters(name), *map(_letters, spelled)):
            return frozenset().union(*(panet.narrower(panet.id_of(term)) for term in terms)), spelled
    try:
        id = panet.id_of(word)
    except ParameterError:
        return frozenset(), (word,)
    term = panet.terms()[id]
    return panet.narrower(id), (term.label, *term.other_names)


def _letters(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def _contains(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))
