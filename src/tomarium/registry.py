"""The only registry: what exists is found by looking, never by a list to keep."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Protocol, TypeVar


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
    for info in iter_modules(home.__path__, f"{home.__name__}."):
        module = import_module(info.name)
        for member in vars(module).values():
            if isinstance(member, kind):
                _add(found, member)
    for entry in entry_points(group=f"tomarium.{package}"):
        _add(found, entry.load())
    return dict(sorted(found.items()))


def _add(found: dict[str, T], member: T) -> None:
    if found.setdefault(member.name, member) is not member:
        raise RuntimeError(f"two members are called {member.name!r}: {found[member.name]!r} and {member!r}")
