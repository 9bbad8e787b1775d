"""What every executor must keep to; a new one joins by existing."""

import threading
import time
from collections.abc import Iterator

import pytest

from tomarium.executors.executor import Executor
from tomarium.registry import collect

EVERY = collect("executors", Executor)
# What crosses to other processes cannot count in this one: tests/executors says the same of it through files.
EXECUTORS = {name: executor for name, executor in EVERY.items() if not executor.crosses}


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    return EXECUTORS[request.param]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_item_is_done_once(executor: Executor, workers: int) -> None:
    assert sorted(executor.map(lambda n: n * n, range(23), workers)) == [n * n for n in range(23)]
    assert list(executor.map(str, [], workers)) == []


def test_no_more_are_in_work_than_there_are_workers(executor: Executor) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    list(executor.map(work, range(12), 3))
    assert 1 <= most <= 3


def test_items_are_taken_as_they_are_needed(executor: Executor) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield n

    results = executor.map(lambda n: n, items(), 2)
    next(results)
    assert taken <= 5
    results.close()  # type: ignore[attr-defined]


def test_a_failure_is_raised_and_nothing_more_begins(executor: Executor) -> None:
    begun: list[int] = []

    def work(n: int) -> int:
        begun.append(n)
        if n == 4:
            raise ValueError("slab 4")
        return n

    with pytest.raises(ValueError, match="slab 4"):
        list(executor.map(work, range(100), 2))
    assert len(begun) < 10


def test_what_is_in_work_comes_to_its_end_when_the_caller_stops(executor: Executor) -> None:
    ended: list[int] = []

    def work(n: int) -> int:
        time.sleep(0.01)
        ended.append(n)
        return n

    results = executor.map(work, range(100), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    count = len(ended)
    time.sleep(0.05)
    assert len(ended) == count, "work went on behind the caller's back"
