"""The condition that a number lies in a range, for every database."""

from __future__ import annotations

import math

from sqlalchemy import ColumnElement, false

from tomarium.catalogue.ranges import Range


def within(number: ColumnElement[float], bounds: Range) -> list[ColumnElement[bool]]:
    """Return conditions that a number, in the unit of the range's key, meets all of where it lies in the range."""
    conditions = []
    if bounds.low > -math.inf:
        conditions.append(number >= bounds.low if bounds.with_low else number > bounds.low)
    if bounds.high < math.inf:
        conditions.append(number <= bounds.high if bounds.with_high else number < bounds.high)
    return conditions or [number.is_not(None) if bounds.low < bounds.high else false()]
