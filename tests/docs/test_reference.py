"""The reference pages are what the program says now, and every page's links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN = [
    path.name
    for path in sorted((ROOT / "docs" / "reference").glob("*.md"))
    if path.read_text(encoding="utf-8").startswith("<!-- Written by `make docs`")
]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write the pages in a process of their own, which no plugin of another test has reached."""
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run([sys.executable, "-m", "tomarium", "docs", str(folder)], check=True, capture_output=True)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_reference_page_is_written(told: dict[str, str]) -> None:
    assert sorted(told) == WRITTEN


@pytest.mark.parametrize("name", WRITTEN)
def test_a_reference_page_is_up_to_date(name: str, told: dict[str, str]) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == told[name], "write it anew with: make docs"


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    broken = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
    assert broken == []


def test_every_format_and_finding_is_explained() -> None:
    """Each format has traps and commands that exist, each check what it says and what to do then."""
    from tomarium.cli import commands
    from tomarium.cli.reference_checks import sayings
    from tomarium.cli.reference_formats import TOLD
    from tomarium.doctor import all_checks
    from tomarium.formats import formats

    assert set(TOLD) == set(formats())
    for name, (lines, traps) in TOLD.items():
        assert lines, name
        assert traps, name
        words = [line.split() for line in lines if not line.startswith("pip install")]
        assert {line[0] for line in words} == {"tomarium"}, name
        assert {line[1] for line in words} <= set(commands()), name
    for name, one in all_checks().items():
        said = sayings(one.function)
        assert said, name
        assert all(saying.expected for saying in said), name
        assert any(saying.mend for saying in said), name


def test_the_readme_names_every_command() -> None:
    from tomarium.cli import commands

    told = "\n".join(page.read_text(encoding="utf-8") for page in DOCUMENTS)
    assert [name for name in commands() if f"tomarium {name}" not in told and f"`{name}`" not in told] == []
