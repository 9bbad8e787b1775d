"""The histogram's outline and its axis."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.model import Part
from tomarium.viewers.histogram import outline, round_ticks, suits


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=600).filter(any), st.sampled_from(["linear", "log"])
)
def test_outline_stays_in_its_square_and_touches_the_top(counts: list[int], scale: str) -> None:
    path = outline(counts, scale)
    heights = [float(number) for number in re.findall(r"V([\d.]+)", path)]
    places = [float(number) for number in re.findall(r"H([\d.]+)", path)]
    assert min(heights) == 0
    assert max(heights) <= 1
    assert places == sorted(places)
    assert places[-1] == 1
    assert len(places) <= 256


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_a_few_in_range_and_distinct(low: float, width: float) -> None:
    ticks = round_ticks(low, low + width)
    values = [value for value, _ in ticks]
    assert 3 <= len(ticks) <= 9
    slack = 1e-6 * width
    assert all(low - slack <= value <= low + width + slack for value in values)
    assert len({text for _, text in ticks}) == len(ticks)


def test_ticks_read_well() -> None:
    assert [text for _, text in round_ticks(-0.24, 2.46)] == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert [text for _, text in round_ticks(0, 255)] == ["0", "50", "100", "150", "200", "250"]


@pytest.mark.parametrize(
    ("edges", "counts", "drawn"),
    [
        ([0, 1, 2], [3, 4], True),
        ([0, 1], [3, 4], False),
        ([0, 1, 2], [0, 0], False),
        ([0, 1, 2], [-1, 4], False),
        ([2, 1, 0], [3, 4], False),
        ([0, 0, 0], [3, 4], False),
        ([-1e308, 0, 1e308], [3, 4], False),
        ([0, 1e-310, 2e-310], [3, 4], False),
        ([1e9, 1e9, 1e9 + 1e-5], [3, 4], False),
        ([], [], False),
    ],
)
def test_only_what_can_be_drawn_suits(edges: list[float], counts: list[float], drawn: bool) -> None:
    volume = {"histogram": {"edges": edges, "counts": counts}}
    assert suits(Part("volume", "volume.ome.zarr", summary=volume)) is drawn
