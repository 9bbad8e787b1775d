"""The refusal of pixels that are no squares, by steps that turn frames or blur them alike along both axes."""

from __future__ import annotations

from collections.abc import Callable

from tomarium.errors import ParameterError
from tomarium.model import Layout, Scan


def demand_square(name: str) -> Callable[[Scan, Layout], None]:
    """Return the `demand` of a step that takes pixels for squares.

    Parameters
    ----------
    name : str
        Of the step.

    Returns
    -------
    callable
        `demand(scan, layout)`, which raises ParameterError where what reaches the step has other pixels.
    """

    def demand(scan: Scan, layout: Layout) -> None:
        """Refuse what this step would do wrongly without a word."""
        aspect = layout.geometry.aspect
        if aspect != 1:
            raise ParameterError(
                f"step {name} takes pixels for squares, but those of {scan.path} are {aspect:g} times as high as wide; "
                f"bin as many rows as columns, or leave the step out"
            )

    return demand
