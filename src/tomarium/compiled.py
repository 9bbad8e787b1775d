"""The compiled extension: whether it is there, and which instructions it runs."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, Literal, get_args

from tomarium.errors import EngineUnavailable, ParameterError

Engine = Literal["auto", "native", "reference"]
"""A compiled kernel, or NumPy; "auto" takes the compiled one where it is there."""

VARIABLE = "TOMARIUM_INSTRUCTIONS"
"""Environment variable that asks for one instruction-set level: v4 (AVX-512), v3 (AVX2) or plain."""


def extension() -> Any:
    """Return the compiled extension `tomarium._native`.

    Returns
    -------
    module
        The extension.

    Raises
    ------
    EngineUnavailable
        It was not built, or does not load here.
    """
    try:
        from tomarium import _native
    except ImportError as error:
        cause = "were not built when tomarium was installed"
        if find_spec("tomarium._native") is not None:
            cause = f"do not load here: {error}"
        raise EngineUnavailable(
            f"the compiled kernels {cause}; reinstall tomarium where there is a C++17 compiler (gcc or "
            f"clang), or use engine 'nufft'"
        ) from error
    return _native


def takes_compiled(engine: str, where: str) -> bool:
    """Tell whether a kernel that has a NumPy form, too, runs compiled.

    Parameters
    ----------
    engine : str
        One of `Engine`.
    where : str
        Name of the kernel, for messages.

    Returns
    -------
    bool
        True for "native", and for "auto" where the extension is there.

    Raises
    ------
    ParameterError
        There is no such engine.
    EngineUnavailable
        "native" was asked for, and the extension is not there.
    """
    if engine not in get_args(Engine):
        raise ParameterError(f"{where}: there is no engine {engine!r}; choose auto, native or reference")
    if engine == "reference":
        return False
    try:
        extension()
    except EngineUnavailable:
        if engine == "native":
            raise
        return False
    return True


def release_scratch() -> int:
    """Give back the memory that compiled kernels keep from one call to the next.

    Returns
    -------
    int
        Bytes; 0 where there is no extension.
    """
    try:
        return int(extension().release_scratch())
    except EngineUnavailable:
        return 0


def level() -> str:
    """Return the instruction-set level the compiled kernels run at.

    Returns
    -------
    str
        The best one of this processor, or what the environment variable TOMARIUM_INSTRUCTIONS asks for.

    Raises
    ------
    EngineUnavailable
        There is no extension, or this processor has no such level.
    """
    offered = list(extension().levels())
    wanted = os.environ.get(VARIABLE) or offered[0]
    if wanted not in offered:
        raise EngineUnavailable(f"{VARIABLE} is {wanted!r}, but this processor offers {', '.join(offered)}")
    return wanted
