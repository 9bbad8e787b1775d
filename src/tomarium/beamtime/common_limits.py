"""Grey values of all volumes of a batch between the same limits, so that the same number means the same in each."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tomarium.conversion.cast import PERCENTILES, auto_limits
from tomarium.errors import InputError
from tomarium.model import Volume


@dataclass(frozen=True)
class CommonLimits:
    """Limits that are found in the first volume that is cast, and kept for all others.

    Attributes
    ----------
    kept : mutable mapping
        Type of a number → `low`, `high`, `unit` and `scan`, the name of the result in which they were found.
    keep : callable
        Writes `kept` down, so that a batch that was stopped goes on with the same limits.
    """

    kept: MutableMapping[str, Any]
    keep: Callable[[], None]

    def known(self, dtype: str) -> tuple[float, float] | None:
        """Return the limits of a type, in the unit of the volumes; None where there are none yet."""
        found = self.kept.get(dtype)
        return None if found is None else (float(found["low"]), float(found["high"]))

    @property
    def source(self) -> str:
        """Say in which results they were found."""
        names = dict.fromkeys(str(found["scan"]) for found in self.kept.values())
        return f"common to the batch, found in {' and '.join(names)}"

    def of(
        self, volume: Volume, dtype: str, on_progress: Callable[[str, int, int], None]
    ) -> tuple[float, float]:
        """Return the limits of a type, found in this volume where they are not known yet.

        Parameters
        ----------
        volume : Volume
            Of a record of the batch.
        dtype : str
            "uint8" or "uint16".
        on_progress : callable
            `on_progress(stage, done, total)`.

        Returns
        -------
        tuple of float
            Values that become 0 and the greatest number, in the volume's unit.

        Raises
        ------
        InputError
            They were found in a volume of another unit, or this one is constant.
        """
        limits = self.known(dtype)
        if limits is None:
            percentiles = PERCENTILES["uint8" if dtype == "uint8" else "uint16"]
            limits, _ = auto_limits(volume, on_progress, percentiles)
            name = Path(volume.path).parent.name if volume.path is not None else volume.name
            self.kept[dtype] = {"low": limits[0], "high": limits[1], "unit": volume.unit, "scan": name}
            self.keep()
            return limits
        found = self.kept[dtype]
        if found["unit"] != volume.unit:
            raise InputError(
                f"{volume.path}: its values are in {volume.unit or 'no unit'}, and the common limits, found in "
                f"{found['scan']}, are in {found['unit'] or 'none'}; give the scan what it lacks, such as --pixel, or "
                f"make it in a batch of its own"
            )
        return limits
