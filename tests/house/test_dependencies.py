"""What tomarium needs at run time: versions that pyproject.toml demands, under licences that fit BSD."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FREE = re.compile(
    r"BSD|MIT|Apache|PSF|Python Software Foundation|ISC|HPND|Historical Permission|MPL|Mozilla|zlib|Unlicense|CC0|0BSD"
)
STRICT = re.compile(
    r"\b(A?GPL|Affero|SSPL|BUSL|Commons Clause)|(?<!L)(?<!Lesser )General Public", re.IGNORECASE
)
EXCEPTIONS = {
    "hdf5plugin": "MIT, and BSD-like ones of the filters in it; its metadata do not say it",
    "ducc0": "GPL-2.0-or-later: a library that is called, and no part of what is given out",
}
IMPORTED_AS = {"PIL", "argon2", "google_crc32c", "griffe", "markdown_it", "yaml"}
"""What is needed and imported by another name than it is installed by."""


def needed() -> dict[str, tuple[Requirement, Distribution]]:
    """Return what is demanded for running, and what that demands itself."""
    todo = [Requirement(one) for one in PROJECT["dependencies"]]
    found: dict[str, tuple[Requirement, Distribution]] = {}
    while todo:
        one = todo.pop()
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        if name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = one, distribution(one.name)
        except PackageNotFoundError as problem:
            raise AssertionError(f"{one} is not installed") from problem
        todo += [Requirement(text) for text in found[name][1].requires or ()]
    return found


def licence_of(package: Distribution) -> str:
    """Return what a package says of its licence: the expression, else the classifiers, else the first line."""
    told = package.metadata.get_all("Classifier") or []
    return (
        package.metadata.get("License-Expression")
        or "; ".join(one for one in told if one.startswith("License ::"))
        or (package.metadata.get("License") or "").strip().partition("\n")[0]
    )


def test_what_is_installed_is_what_is_demanded_under_licences_that_fit() -> None:
    packages = needed()
    assert len(packages) > 30
    wrong = {
        name: package.version
        for name, (demand, package) in packages.items()
        if not demand.specifier.contains(package.version, prereleases=True)
    }
    assert wrong == {}
    strange = {name: licence_of(package) for name, (_, package) in packages.items() if name not in EXCEPTIONS}
    assert {
        name: told for name, told in strange.items() if not FREE.search(told) or STRICT.search(told)
    } == {}


def test_every_demand_has_a_lower_bound() -> None:
    demands = [
        *PROJECT["dependencies"],
        *(one for group in PROJECT["optional-dependencies"].values() for one in group),
    ]
    assert [one for one in demands if ">=" not in one] == []


def test_what_an_extra_installs_is_imported_where_it_is_used() -> None:
    """A file that imports it at the top would stop every command of who installed tomarium alone."""
    there = {"tomarium", *IMPORTED_AS, *sys.stdlib_module_names} | {
        name.replace("-", "_") for name in needed()
    }
    at_top = {
        (path.name, name)
        for path in (ROOT / "src/tomarium").rglob("*.py")
        if path.parent.name != "ewoks"  # which ewoks alone imports
        for name in re.findall(r"^(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(at_top) > 1000
    assert {(file, name) for file, name in at_top if name not in there} == set()
