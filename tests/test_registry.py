"""Members of a family are found by looking."""

from dataclasses import dataclass
from types import ModuleType

import pytest

from tomarium import registry
from tomarium.formats.format import Format


def test_formats_are_found_and_sorted() -> None:
    found = registry.collect("formats", Format)
    assert {"data-exchange", "nxtomo", "tiff", "ome-zarr"} <= set(found)
    assert list(found) == sorted(found)
    assert all(name == member.name for name, member in found.items())


@dataclass(frozen=True)
class Leaf:
    name: str
    colour: str = "green"


def test_two_members_of_one_name_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    home = ModuleType("tomarium.leaves")
    home.__path__ = []
    monkeypatch.setattr(registry, "import_module", lambda name: home)
    entries = [_Entry(Leaf("oak")), _Entry(Leaf("oak", "red"))]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == "tomarium.leaves" else [])
    with pytest.raises(RuntimeError, match="two members are called 'oak'"):
        registry.collect("leaves", Leaf)


def test_other_packages_add_members_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    home = ModuleType("tomarium.twigs")
    home.__path__ = []
    monkeypatch.setattr(registry, "import_module", lambda name: home)
    monkeypatch.setattr(registry, "entry_points", lambda group: [_Entry(Leaf("elm"))])
    assert registry.collect("twigs", Leaf) == {"elm": Leaf("elm")}


@dataclass(frozen=True)
class _Entry:
    member: Leaf

    def load(self) -> Leaf:
        return self.member
