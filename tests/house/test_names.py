"""Files are named by what they know, and each holds one idea."""

from pathlib import Path

from house import source

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "core", "tools", "stuff"}
LONGEST = 500  # lines; a longer file does more than one thing


def _files() -> list[Path]:
    return [path for path in source.SOURCE.rglob("*.py") if "versions" not in path.parts]


def test_no_file_has_a_vague_name() -> None:
    assert [path.name for path in _files() if path.stem in VAGUE] == []


def test_no_file_is_a_maze() -> None:
    sizes = {path.relative_to(source.SOURCE): len(path.read_text("utf-8").splitlines()) for path in _files()}
    assert {str(path): size for path, size in sizes.items() if size > LONGEST} == {}


def test_every_package_and_module_says_what_it_is() -> None:
    assert [module.__name__ for module in source.modules() if not (module.__doc__ or "").strip()] == []
