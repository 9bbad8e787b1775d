"""Texts kept as what folding took from them, beside the folded words that a text index keeps anyway.

A folded text is its words without capitals, accents and signs. What it lacks is a mark for each word (small, with a
capital, in capitals, or another word altogether) and what stands between words: a sixth of the packed texts. Texts that
cannot be told so, as of a word that folding cuts in two, are packed whole.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Final

from tomarium.catalogue.packed_text import pack, unpack
from tomarium.catalogue.words import WORD

_SMALL, _CAPITAL, _CAPITALS, _OTHER, _PART, _AFTER_SPACE = "\1\2\3\4\5\6"
_SIGNS: Final = re.compile("[\1-\6]")
_MARKS: Final = re.compile("([\1-\4])")
_WORDS: Final = re.compile(f"({WORD.pattern})")
_MARKED, _WHOLE = b"m", b"w"
# Never to be changed: what was packed by it needs it. It has what `packed_text.DICTIONARY` says, and units.
_DICTIONARY: Final = (
    b"LuAG\nNeXus\nmm\nnm\nkeV\nmA\n\xc2\xb5m\2\6\6\6\6\n\2\6\6\6\6\n\2\6\6\6\6\6.\1\6\n"
    b"\2\6\6\6\6\6\6\n\2\6\6\6\6\6\6\6\n\2\6\6\6\6\6\6\6 \4\n\2\6\6\6\6\6\6\6'\1\6\6.\1\6\n"
    b"\2\6\6\6\6\6\6\6\6.\1\6\n\2\6\6\6\6\6\6\6\n\2\6\6\6\6\6\6\6\n\2\6\n\2\6\6\6\n"
    b"\2\6 \2 \2 \4 \3 \3\n\2\6\6\6\6\n\2\6\6\6\6\n\2\6\6\6\6\6\6\n\2\6\6\xc2\xb0\n\2\6\6\xc2\xb0\n"
    b"\2 \3 \3\n\2 \2-\1\6, \4,\6,\6\6\n, \3-\3-\3-\1.\1\n\3-\1.\1\n\3-\3-\1.\1\n\2\n\2\n\2 \3\n\2\n"
    b"\2\6.\1\n\2 \4\n\2 \3\n\2\6\6.\1 \4\n\2\6\6\6\6\6.\1 \4\n\2\6\6 \4\n\2\6\6\6\6\6.\1\6\n"
    b"\2\6\6.\1\6\n\2\6\6 \4\n\2\6\n\2\6\n\2\6\6\n\2\6\6\n\2\6\6\6\n\2\6\6\6\n\2\6\6.\1\6\n"
    b"\2\6\6.\1\xc2\xb0\n\2\6/\1\6\n\2\6 \xc2\xb0\2\n"
)


def pack_marks(description: str, words: str, folded_description: str, folded_words: str) -> bytes:
    """Pack two texts as what their folded words lack.

    Parameters
    ----------
    description, words : str
        The texts.
    folded_description, folded_words : str
        Their folded words, with a space between.

    Returns
    -------
    bytes
        For `description_of` and `words_of`, together with the folded words.
    """
    of_description, of_words = _marks(description, folded_description), _marks(words, folded_words)
    if of_description is None or of_words is None:
        return _WHOLE + pack(f"{len(description)} {description}{words}")
    packing = zlib.compressobj(9, zlib.DEFLATED, -12, 9, zdict=_DICTIONARY)
    text = _PART.join((*of_description, *of_words))
    return _MARKED + packing.compress(text.encode()) + packing.flush()


def description_of(packed: bytes, folded: str) -> str:
    """Return the first of two texts that were packed; `folded` are its folded words."""
    if packed[:1] == _WHOLE:
        return _both(packed)[0]
    marks, others, _, _ = _unpacked(packed).split(_PART)
    return _text(marks, others, folded)


def words_of(packed: bytes, folded: str) -> str:
    """Return the second of two texts that were packed; `folded` are its folded words."""
    if packed[:1] == _WHOLE:
        return _both(packed)[1]
    _, _, marks, others = _unpacked(packed).split(_PART)
    return _text(marks, others, folded)


def _both(packed: bytes) -> tuple[str, str]:
    length, _, text = unpack(packed[1:]).partition(" ")
    return text[: int(length)], text[int(length) :]


def _unpacked(packed: bytes) -> str:
    unpacking = zlib.decompressobj(-12, zdict=_DICTIONARY)
    text = unpacking.decompress(packed[1:])
    if not unpacking.eof:
        raise zlib.error(
            "a packed text of the catalogue ends too early; make the index anew: tomarium index rebuild"
        )
    return text.decode()


def _marks(text: str, folded: str) -> tuple[str, str] | None:
    """Return the marks of a text with what stands between its words, and its other words; None of what has no marks."""
    if _SIGNS.search(text):
        return None
    parts, plain = _WORDS.split(text), folded.split()
    if len(parts) != 2 * len(plain) + 1:
        return None
    words = parts[1::2]
    kinds = [_SMALL if word == like else _kind(word, like) for word, like in zip(words, plain, strict=True)]
    others = [word for word, kind in zip(words, kinds, strict=True) if kind == _OTHER]
    parts[1::2] = kinds
    return "".join(parts).replace(" " + _SMALL, _AFTER_SPACE), "\n".join(others)


@lru_cache(maxsize=1 << 12)
def _kind(word: str, folded: str) -> str:
    """Return the mark of a word that is not as it is folded."""
    return _CAPITAL if word == folded.capitalize() else _CAPITALS if word == folded.upper() else _OTHER


def _text(marks: str, others: str, folded: str) -> str:
    """Put a text together again."""
    parts, rest = _MARKS.split(marks.replace(_AFTER_SPACE, " " + _SMALL)), iter(others.split("\n"))
    parts[1::2] = [
        word if kind == _SMALL else _written(kind, word) or next(rest)
        for kind, word in zip(parts[1::2], folded.split(), strict=True)
    ]
    return "".join(parts)


def _written(kind: str, word: str) -> str:
    """Write a word by its mark; "" of one that stands among the others."""
    return word.capitalize() if kind == _CAPITAL else word.upper() if kind == _CAPITALS else ""
