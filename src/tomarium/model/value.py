"""A value and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from tomarium.model.wording import in_words

T = TypeVar("T")

Origin = Literal["read", "derived", "default", "user", "profile"]
"""read: as a file says it · derived: computed · default: assumed · user: given by someone · profile: of a beamline."""


@dataclass(frozen=True)
class Value(Generic[T]):
    """A value with its origin.

    Attributes
    ----------
    value : T
        The value, in the unit its name carries.
    origin : Origin
        Where it comes from.
    source : str
        The place, in words: "tooth.h5:/exchange/theta", or how it was derived.
    """

    value: T
    origin: Origin
    source: str

    def __repr__(self) -> str:
        shown = in_words(self.value) if hasattr(self.value, "__array__") else repr(self.value)
        return f"Value({shown}, {self.origin!r}, {self.source!r})"
