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


def collect(package: str, *kinds: type[T]) -> dict[str, T]:
    """Find every member of a family.

    Parameters
    ----------
    package : str
        Folder of the family below `tomarium`, e.g. "formats", "steps", "portal.pages".
    *kinds : type
        Classes whose instances are its members. Each module of the package is imported and its module-level
        instances of them are taken; then the entry points `tomarium.<package>` of other distributions, of which
        what cannot be used is left out with a warning and noted in `BROKEN`.

    Returns
    -------
    dict of str to kind
        Name → member, sorted by name.

    Raises
    ------
    RuntimeError
        Two members of ours share a name, or an alias.
    """
    return dict(_collect(package, kinds))


@cache
def _collect(package: str, kinds: tuple[type[T], ...]) -> dict[str, T]:
    members: dict[str, T] = {}
    home = import_module(f"tomarium.{package}")
    for info in walk_packages(home.__path__, f"{home.__name__}."):
        module = import_module(info.name)
        for member in vars(module).values():
            if isinstance(member, kinds):
                _add(members, member)
    for entry in entry_points(group=f"tomarium.{package}"):
        other = _load(entry, package, kinds, members)
        if other is not None:
            _add(members, other)
    return {name: member for name, member in sorted(members.items()) if name == member.name}


def of_name(package: str, name: str, *kinds: type[T]) -> T | None:
    """Find a member by its name, where a module of that name holds it: no other is imported.

    Parameters
    ----------
    package : str
        Folder of the family, as for `collect`.
    name : str
        Name of the member.
    *kinds : type
        Classes whose instances are members.

    Returns
    -------
    kind or None
        The member; None where no module has its name, or another thing: only `collect` tells then.
    """
    module = _modules(package).get(name)
    member = None if module is None else getattr(import_module(module), name, None)
    return member if isinstance(member, kinds) and member.name == name else None


@cache
def _modules(package: str) -> dict[str, str]:
    home = import_module(f"tomarium.{package}")
    found = walk_packages(home.__path__, f"{home.__name__}.")
    return {info.name.rpartition(".")[2]: info.name for info in found if not info.ispkg}


def _load(entry: EntryPoint, package: str, kinds: tuple[type[T], ...], members: dict[str, T]) -> T | None:
    """Load a member of another distribution; one that cannot be used stops nothing but itself."""
    try:
        member = entry.load()
        _ = getattr(member, "parameters", ())  # of a step: reads its signature, which may be wrong too
    except (Exception, SystemExit) as problem:
        why = f"{type(problem).__name__}: {problem}".removesuffix(": ")
        _leave_out(entry, package, why, traceback.format_exc())
        return None
    if not isinstance(member, kinds):
        *more, last = (kind.__name__ for kind in kinds)
        expected = f"{', '.join(more)} or {last}" if more else last
        _leave_out(entry, package, f"it is a {type(member).__name__}, but a {expected} was expected")
        return None
    names_taken = [name for name in _names(member) if members.get(name, member) is not member]
    if names_taken:
        _leave_out(entry, package, f"there is one called {names_taken[0]!r} already")
        return None
    return member


def _leave_out(entry: EntryPoint, package: str, why: str, details: str = "") -> None:
    name = entry.dist.name if entry.dist is not None else "unknown"
    why = " ".join(why.split())
    BROKEN[f"{package}/{entry.name} of {name}"] = f"{why}\n{details}"
    warnings.warn(
        TomariumWarning(
            f"package {name}: {entry.value}, one of its {package}, is left out: {why}; update or remove that package"
        ),
        stacklevel=2,
    )


BROKEN: dict[str, str] = {}
"""Family, name and package of each member of another distribution that is left out: why, and its traceback."""


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
    module = str(function.__module__)
    top = module.partition(".")[0]
    if top == "tomarium":
        return top, _version(top)
    # Installed in place (editable), a package lists no modules; several may share a namespace.
    provider = _providers().get(module)
    if provider is not None:
        return provider
    names = _distributions().get(top, [])
    return (names[0], _version(names[0])) if names else _providers().get(top, (module, "unknown"))


@cache
def _providers() -> dict[str, tuple[str, str]]:
    """Tell the distribution of each module that an entry point of ours names, and of its first part."""
    providers: dict[str, tuple[str, str]] = {}
    points = entry_points()
    for entry in (
        entry_point
        for group in points.groups
        if group.startswith("tomarium.")
        for entry_point in points.select(group=group)
    ):
        if entry.dist is not None:
            provider = entry.dist.name, entry.dist.version
            providers[entry.module] = provider
            providers.setdefault(entry.module.partition(".")[0], provider)
    return providers


@cache
def _distributions() -> dict[str, list[str]]:
    return {
        name: list(packages_distribution) for name, packages_distribution in packages_distributions().items()
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _names(member: Named) -> tuple[str, ...]:
    """Return what users may call a member: its name, and other names where it has some."""
    return member.name, *getattr(member, "aliases", ())


def _add(members: dict[str, T], member: T) -> None:
    for name in _names(member):
        if members.setdefault(name, member) is not member:
            raise RuntimeError(f"two members are called {name!r}: {members[name]!r} and {member!r}")
