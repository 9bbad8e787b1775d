"""The page on doors for programs: its Python runs against a portal, and its addresses answer."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from portal.cutting_portal import served
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.cli import execute
from tomarium.model import Person
from tomarium.registry import collect
from tomarium.standards.standard import Standard

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "machine-readable-doors.md").read_text(
    encoding="utf-8"
)
EXAMPLE = "https://data.example.org"


@pytest.fixture(scope="module")
def portal(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[tuple[str, Path]]:
    home = tmp_path_factory.mktemp("doors")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        make_volume(home / "tooth" / "volume.ome.zarr", size=96)
        file_record(home / "tooth", title="Tooth", id="tooth")
        ingest(catalogue, home / "tooth")
        edit(
            catalogue, LOCAL_OWNER, "tooth", Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
        )
        publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0"))
        with served(catalogue) as (address, _):
            yield address, home


@pytest.mark.parametrize("number", range(4))
def test_the_python_runs(portal: tuple[str, Path], number: int, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert len(blocks) == 4
    exec(blocks[number].replace(EXAMPLE, portal[0]), {})
    assert capsys.readouterr().out.strip()


def test_the_addresses_answer(portal: tuple[str, Path]) -> None:
    for line in re.findall(rf"^    curl .*?({EXAMPLE}\S+)", PAGE, re.M):
        with urlopen(line.replace(EXAMPLE, portal[0])) as answer:
            assert answer.status == 200, line


def test_the_commands_run(portal: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(portal[1])
    for line in re.findall(r"^    tomarium (.*)", PAGE, re.M):
        assert execute([*line.split(), "--catalogue", "catalogue.sqlite"]) == 0, line


def test_every_standard_is_named() -> None:
    told = PAGE.partition("with `ro-crate`")[2].partition("as STANDARD")[0] + "`ro-crate`"
    assert set(re.findall(r"`([a-z-]+)`", told)) == set(collect("standards", Standard))
