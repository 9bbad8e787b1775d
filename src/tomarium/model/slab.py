"""A piece of a scan or of a volume, and where it lies in its parent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tomarium.errors import InputError

Domain = Literal["counts", "transmission", "attenuation", "slice"]
"""counts: detector counts · transmission: I/I0 · attenuation: -ln(I/I0) · slice: attenuation coefficient."""

RAW_DOMAINS: Final[tuple[Domain, ...]] = ("counts", "transmission", "attenuation")
"""What the numbers of a scan's frames may be."""


def unit_of(domain: Domain) -> str:
    """Return the unit of numbers of a kind before reconstruction."""
    return "counts" if domain == "counts" else "1"


@dataclass(frozen=True)
class Slab:
    """A block of detector rows (or of slices) on its way through a pipeline.

    Attributes
    ----------
    data : array
        Shape (angle, row, column) for counts, transmission and attenuation; (z, y, x) for slices. float32,
        or the detector's own type while the domain is counts.
    rows : slice
        Rows of the parent that `data` covers, halo included.
    frames : slice or None
        Angles of the parent that `data` covers, where it was cut by angle; None where it was cut by row and holds
        all angles.
    halo : tuple of int
        Rows (angles, where it was cut by angle) of `data` before and after that only serve as context.
    domain : Domain
        What the numbers are; a step refuses a domain it does not know.
    unit : str
        Unit of the numbers: "counts", "1" (dimensionless), "1/px" or "1/cm".
    report : mapping of str to int
        What the steps counted on the way, "flat_field.clipped": 12; summed over the slabs of a run.
    """

    data: Any
    rows: slice
    frames: slice | None = None
    halo: tuple[int, int] = (0, 0)
    domain: Domain = "counts"
    unit: str = "counts"
    report: Mapping[str, int] = field(default_factory=dict)

    @property
    def along(self) -> int:
        """Axis of `data` along which it was cut."""
        return 0 if self.frames is not None or self.domain == "slice" else 1

    @property
    def makes(self) -> slice:
        """Rows (angles, where it was cut by angle) of the parent it is responsible for, without its halo."""
        covers = self.rows if self.frames is None else self.frames
        return slice(covers.start + self.halo[0], covers.stop - self.halo[1])

    def demand(self, *domains: Domain, by: str) -> None:
        """Refuse a slab whose numbers are of the wrong kind.

        Parameters
        ----------
        *domains : Domain
            Domains that are accepted.
        by : str
            Name of the step that asks, for the message.

        Raises
        ------
        InputError
            The slab's domain is another one.
        """
        if self.domain not in domains:
            raise InputError(
                f"step {by}: the data are {self.domain}, but {' or '.join(domains)} is needed; "
                f"check the order of the steps in the protocol"
            )
