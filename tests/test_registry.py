"""Members of a family are found by looking."""

from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest

from tomarium import registry
from tomarium.errors import TomariumWarning
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
    home.one, home.two = Leaf("oak"), Leaf("oak", "red")  # type: ignore[attr-defined]
    monkeypatch.setattr(registry, "import_module", lambda name: home)
    monkeypatch.setattr(registry, "walk_packages", lambda *_: [SimpleNamespace(name="tomarium.leaves.oak")])
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    with pytest.raises(RuntimeError, match="two members are called 'oak'"):
        registry.collect("leaves", Leaf)


def test_a_member_of_another_package_does_not_take_the_place_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    home = ModuleType("tomarium.needles")
    home.__path__ = []
    monkeypatch.setattr(registry, "import_module", lambda name: home)
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [_Entry(Leaf("fir")), _Entry(Leaf("fir", "red"))]
    )
    with pytest.warns(
        TomariumWarning, match="package woods: .* is left out: there is one called 'fir' already"
    ):
        assert registry.collect("needles", Leaf) == {"fir": Leaf("fir")}
    assert "needles/entry of woods" in registry.BROKEN


def test_a_broken_member_of_another_package_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(_Entry):
        def load(self) -> Leaf:
            raise ImportError("no module named bark")

    home = ModuleType("tomarium.barks")
    home.__path__ = []
    monkeypatch.setattr(registry, "import_module", lambda name: home)
    monkeypatch.setattr(registry, "entry_points", lambda group: [Broken(Leaf("ash")), _Entry(Leaf("elm"))])
    with pytest.warns(
        TomariumWarning, match="ImportError: no module named bark; update or remove that package"
    ):
        assert list(registry.collect("barks", Leaf)) == ["elm"]


def test_other_packages_add_members_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    home = ModuleType("tomarium.twigs")
    home.__path__ = []
    monkeypatch.setattr(registry, "import_module", lambda name: home)
    monkeypatch.setattr(registry, "entry_points", lambda group: [_Entry(Leaf("elm"))])
    assert registry.collect("twigs", Leaf) == {"elm": Leaf("elm")}


@dataclass(frozen=True)
class _Entry:
    member: Leaf
    name: str = "entry"
    value: str = "woods:leaf"
    dist: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(name="woods"))

    def load(self) -> Leaf:
        return self.member
