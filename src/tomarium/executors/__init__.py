"""Ways to map a function over slabs."""

from __future__ import annotations

from tomarium.errors import ParameterError
from tomarium.executors.executor import Executor
from tomarium.registry import collect


def find_executor(name: str) -> Executor:
    """Find an executor by its name.

    Parameters
    ----------
    name : str
        "serial", "threads" …

    Returns
    -------
    Executor
        The executor.

    Raises
    ------
    ParameterError
        There is none of that name.
    """
    known = collect("executors", Executor)
    if name not in known:
        raise ParameterError(f"there is no executor {name!r}; there are: {', '.join(known)}")
    return known[name]
