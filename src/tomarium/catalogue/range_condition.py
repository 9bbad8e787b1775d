"""The condition that a number lies in a range, for every database."""

from __future__ import annotations

import math

from sqlalchemy import ColumnElement, false

from tomarium.catalogue.ranges import Range


def within(number: ColumnElement[float], one: Range) -> list[ColumnElement[bool]]:
    """Return conditions that a number, in the unit of the range's key, meets all of where it lies in the range."""
    conditions = []
    if one.low > -math.inf:
        conditions.append(number >= one.low if one.with_low else number > one.low)
    if one.high < math.inf:
        conditions.append(number <= one.high if one.with_high else number < one.high)
    return conditions or [number.is_not(None) if one.low < one.high else false()]
