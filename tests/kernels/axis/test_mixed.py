"""Scans with all defects mixed, of each class of benchmarks/axis_study.py: right, and sure only where right."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import ModuleType

import pytest

from tomarium.kernels.axis import AxisEstimate, find

SEEDS = (1, 2)
CLASSES = [
    f"{turn}, {extent}" for turn in ("180", "360", "half") for extent in ("in view", "at the edges", "wider")
]
Search = Callable[[str, int], tuple[AxisEstimate, float]]


@pytest.fixture(scope="module")
def search(study: ModuleType) -> Search:
    """Estimate and error in px of a scan of a class with fewer rows and views than the study draws."""

    @cache
    def search(name: str, seed: int) -> tuple[AxisEstimate, float]:
        case = study.mixed_case(name, seed)
        views = 181 if case.span_deg < 200 else 361
        small = replace(case, groups=min(case.groups, 3), rows_per_group=2, views=views)
        attenuation, angles, axis = study.draw_scan(small, seed)
        estimate = find(attenuation, angles, rows_per_group=2)
        return estimate, abs(estimate.column - axis)

    return search


def test_the_classes_are_those_of_the_study(study: ModuleType) -> None:
    assert study.MIXED == CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_high_confidence_is_right(search: Search, name: str) -> None:
    found = [search(name, seed) for seed in SEEDS]
    for estimate, error in found:
        assert estimate.confidence != "high" or error <= 0.5
        if estimate.confidence == "low":
            assert estimate.notes
    assert min(error for _, error in found) <= 0.5


def test_most_are_right_and_most_of_these_are_sure(search: Search) -> None:
    found = [search(name, seed) for name in CLASSES for seed in SEEDS]
    exact = [estimate.confidence == "high" for estimate, error in found if error <= 0.2]
    assert sum(error <= 0.5 for _, error in found) >= 16
    assert len(exact) >= 14
    assert sum(exact) >= 0.6 * len(exact)


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        # 185 counts in two rows that lie together: both methods place the axis 0.51 px off, and see errors of 0.1 px.
        ("180, in view", 329),
        # 106 counts and views that lie 0.32 px aside: the two opposite views place the axis 0.54 px off.
        ("180, in view", 60),
        # The one pair lacks 1° of half a turn, and what is seen lies before the axis: 0.69 px off.
        ("180, wider", 144),
    ],
)
def test_scans_that_were_once_wrong_and_rated_high(study: ModuleType, name: str, seed: int) -> None:
    case, attenuation, angles, axis = study.mixed_scan(name, seed)
    estimate = find(attenuation, angles, rows_per_group=case.rows_per_group)
    assert estimate.confidence != "high" or abs(estimate.column - axis) <= 0.5
