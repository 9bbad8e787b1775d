"""What `import tomarium` is for: the names, their types for a type checker, and their page."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tomarium as tm
from tomarium.cli.reference import pages

NAMES = [name for name in tm.__all__ if name != "__version__"]


def test_a_star_imports_the_public_names() -> None:
    found: dict[str, object] = {}
    exec("from tomarium import *", found)
    assert set(tm.__all__) <= set(found)
    assert found["open"] is tm.open
    assert dir(tm) == sorted(tm.__all__) == tm.__all__


def test_the_version_is_that_of_the_package() -> None:
    assert tm.__version__ == version("tomarium")


def test_every_name_has_one_home() -> None:
    assert set(tm._HOMES) == set(NAMES)
    with pytest.raises(AttributeError, match=r"has no attribute 'opne'; it has LiveWriter, Scan"):
        tm.opne  # noqa: B018


def test_a_type_checker_knows_them(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kept = getattr(request.config, "cache", None)  # what mypy knows of files that have not changed since
    known = kept.mkdir("mypy") if kept is not None else tmp_path / "mypy"
    assert (Path(tm.__file__).parent / "py.typed").is_file()
    code = "\n".join(["from tomarium import *", *(f"reveal_type({name})" for name in tm.__all__)])
    (tmp_path / "use.py").write_text(code + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(known), "--follow-imports=silent", "use.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    told = [line.partition("Revealed type is ")[2] for line in done.stdout.splitlines() if "Revealed" in line]
    assert len(told) == len(tm.__all__)
    assert not any(line in ('"Any"', '"builtins.object"') for line in told), told


@pytest.fixture(scope="module")
def page() -> str:
    return pages()["python.md"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_every_parameter(name: str, page: str) -> None:
    assert f"| [`{name}`](#tm{name.lower()}) | " in page
    entry = page.split(f"## tm.{name}\n")[1].split("\n## ")[0]
    member = getattr(tm, name)
    code = getattr(member, "function", member)
    for parameter in code.__annotations__ if not isinstance(code, type) else ():
        if parameter != "return":
            assert f"| `{parameter}` |" in entry, parameter
    assert "<" not in entry.split("```")[1]
