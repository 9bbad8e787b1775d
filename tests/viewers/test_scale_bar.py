"""The scale bar is round and fits."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tomarium.viewers.scale_bar import scale_bar


@given(st.floats(1e-9, 1e3))
def test_length_is_one_two_or_five(width_m: float) -> None:
    length_m, fraction = scale_bar(width_m)
    assert f"{length_m:.12e}"[0] in "125"
    assert math.isclose(length_m, float(f"{length_m:.0e}"))
    assert 0.12 - 1e-9 <= fraction <= 0.3 + 1e-9
    assert math.isclose(fraction * width_m, length_m)
