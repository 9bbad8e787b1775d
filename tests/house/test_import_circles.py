"""No file imports another in a circle, not even inside a function."""

import ast
from collections.abc import Iterator
from pathlib import Path

import tomarium

HOME = Path(tomarium.__file__).parent


def modules() -> dict[str, Path]:
    names = {}
    for path in HOME.rglob("*.py"):
        parts = path.relative_to(HOME.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """What a file imports where it runs; not what it names for a type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unread = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_file_imports_another_in_a_circle() -> None:
    known = modules()
    left = {name: set(imported(path, known)) & set(known) - {name} for name, path in known.items()}
    assert len(left) > 400
    while left:
        free = {name for name, needed in left.items() if not needed & left.keys()}
        assert free, f"these import each other in a circle, or what does: {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}
