"""The only registry: what exists is found by looking, never by a list to keep."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, packages_distributions, version
from pkgutil import walk_packages
from typing import Any, Protocol, TypeVar

from tomarium.errors import TomariumWarning


class Named(Protocol):
    """Anything that can be registered: it has a name."""

    @property
    def name(self) -> str:
        """The word users write."""
        ...


T = TypeVar("T", bound=Named)


def collect(package: str, kind: type[T]) -> dict[str, T]:
    """Find every member of a family.

    Parameters
    ----------
    package : str
        Folder of the family below `tomarium`, e.g. "formats", "steps", "portal.pages".
    kind : type
        Class whose instances are its members. Each module of the package is imported and its module-level
        instances of `kind` are taken; then the entry points `tomarium.<package>` of other distributions.

    Returns
    -------
    dict of str to kind
        Name → member, sorted by name.

    Raises
    ------
    RuntimeError
        Two members share a name.
    """
    return dict(_collect(package, kind))


@cache
def _collect(package: str, kind: type[T]) -> dict[str, T]:
    found: dict[str, T] = {}
    home = import_module(f"tomarium.{package}")
    for info in walk_packages(home.__path__, f"{home.__name__}."):
        module = import_module(info.name)
        for member in vars(module).values():
            if isinstance(member, kind):
                _add(found, member)
    for entry in entry_points(group=f"tomarium.{package}"):
        member = _load(entry, package)
        if not isinstance(member, kind):
            continue
        if member.name in found:
            _leave_out(entry, package, f"there is one called {member.name!r} already")
        else:
            found[member.name] = member
    return dict(sorted(found.items()))


def _load(entry: EntryPoint, package: str) -> Any:
    """Load a member of another distribution; a broken one stops nothing but itself."""
    try:
        return entry.load()
    except Exception as problem:
        _leave_out(entry, package, f"{type(problem).__name__}: {problem}")
        return None


def _leave_out(entry: EntryPoint, package: str, why: str) -> None:
    name = entry.dist.name if entry.dist is not None else "unknown"
    BROKEN.setdefault(f"{package}/{entry.name}", why + "\n" + traceback.format_exc())
    warnings.warn(
        TomariumWarning(
            f"package {name}: {entry.value}, one of its {package}, is left out: {why}; update or remove that package"
        ),
        stacklevel=2,
    )


BROKEN: dict[str, str] = {}
"""Family and name of each member of another distribution that could not be loaded, with its traceback."""


def package_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Tell which distribution a function comes from.

    Parameters
    ----------
    function : callable
        A step's function, for example.

    Returns
    -------
    tuple of str
        Name and version of the distribution; the module's name and "unknown" where it was not installed.
    """
    top = str(function.__module__).partition(".")[0]
    if top == "tomarium":
        return top, _version(top)
    names = _distributions().get(top, [])
    return (names[0], _version(names[0])) if names else (str(function.__module__), "unknown")


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in packages_distributions().items()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _add(found: dict[str, T], member: T) -> None:
    if found.setdefault(member.name, member) is not member:
        raise RuntimeError(f"two members are called {member.name!r}: {found[member.name]!r} and {member!r}")
