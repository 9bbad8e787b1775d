"""How large the cases of `make accuracy` are: told before their import, and to other processes by the environment."""

import os

SETTING = "ACCURACY_COLUMNS"
_asked = int(os.environ.get(SETTING, "0"))


def set_columns(asked: int) -> int:
    """Give each case so many columns, or its own few where 0 are asked for; before any of them is imported."""
    global _asked
    _asked = asked
    return asked


def columns(small: int) -> int:
    """Columns of a case that has so many where none are asked for."""
    return _asked or small


def scaled(length: float, small: int) -> int:
    """A length, or a count of views, which is as told at the small size, and grows with the columns."""
    return round(length * columns(small) / small)
