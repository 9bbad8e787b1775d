"""What a reconstruction needs corrected beforehand."""

from __future__ import annotations

from collections.abc import Callable

from tomarium.errors import MissingData
from tomarium.model import Layout, Scan
from tomarium.model.geometry import BY_NAME


def demand_corrected(name: str) -> Callable[[Scan, Layout], None]:
    """Return the `demand` of a reconstruction step that corrects neither shifts of views nor a tilted axis."""

    def demand(scan: Scan, layout: Layout) -> None:
        """Refuse what this step would leave out of account without a word."""
        for field in ("shift_columns_px", "shift_rows_px"):
            if getattr(layout.geometry, field) is not None:
                raise MissingData(
                    f"{scan.path} tells {BY_NAME[field].label.lower()}, which step {name} does not "
                    f"correct; put --step apply_shifts before it"
                )
        mends = {
            "axis_roll_deg": "put --step correct_roll before it",
            "axis_tilt_deg": "turn the frames first",
        }
        for field, mend in mends.items():
            told = getattr(layout.geometry, field)
            if told is not None and told.value != 0:
                raise MissingData(
                    f"{scan.path} tells {BY_NAME[field].label.lower()} of {told.value:g}°, which step {name} does not "
                    f"correct; {mend}, or set it to 0 where it may be left out of account"
                )

    return demand
