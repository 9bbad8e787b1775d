"""Ways to map a function over slabs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

from tomarium.errors import ParameterError
from tomarium.executors.executor import Executor
from tomarium.registry import collect


def find_executor(name: str) -> Executor:
    """Find an executor by its name.

    Parameters
    ----------
    name : str
        "serial", "threads", "dask", "slurm", or "dask:tcp://host:8786", "slurm:partition=long" …

    Returns
    -------
    Executor
        The executor.

    Raises
    ------
    ParameterError
        There is none of that name, or it takes no argument, or not this one.
    """
    executors = collect("executors", Executor)
    word, _, argument = name.partition(":")
    if word not in executors:
        raise ParameterError(f"there is no executor {word!r}; there are: {', '.join(executors)}")
    executor = executors[word]
    if not argument:
        return executor
    if "argument" not in signature(executor.map).parameters:
        raise ParameterError(f"the executor {word} takes no argument, but {argument!r} was given")
    keywords: dict[str, Any] = {"argument": argument}
    resources = None if executor.resources is None else partial(executor.resources, **keywords)
    return replace(executor, map=partial(executor.map, **keywords), resources=resources)
