"""Every public function is typed and has one good line; what users call, steps and kernels say all.

What `Format` says of `detect`, `read` and `write` is said there once; those of a format say what is their own.
"""

import ast
import inspect
import re
import textwrap
from types import FunctionType

import pytest

import tomarium
from house import source
from tomarium.formats.format import Format

FUNCTIONS = dict(source.functions())
PUBLIC_MODULES = {home.partition(":")[0] for home in tomarium._HOMES.values()}
STEPS = source.steps()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_function_is_documented(name: str) -> None:
    function = FUNCTIONS[name]
    text = inspect.getdoc(function) or ""
    assert text, "has no docstring"
    first = text.splitlines()[0]
    assert first.endswith("."), f"the first line is not a sentence: {first!r}"
    parameters = [p for p in inspect.signature(function).parameters if p not in {"self", "cls"}]
    untyped = [p for p in parameters if p not in function.__annotations__]
    assert not untyped, f"not typed: {untyped}"
    assert "return" in function.__annotations__, "the result is not typed"
    if _is_of_a_format(name, function):
        told = inspect.getdoc(Format) or ""
        unsaid = [p for p in parameters[2:] if f"`{p}`" not in text and f"`{p}`" not in told]
        assert not unsaid, f"neither here nor in Format: {unsaid}"
        return
    if not _is_for_users(name, function):
        return  # inside the house one good line is enough
    missing = [
        p for p in parameters if not re.search(rf"^\*{{0,2}}[\w, *]*\b{p}\b[\w, *]*(?: :|$)", text, re.M)
    ]
    assert not missing, f"not documented: {missing}"
    if function.__annotations__["return"] not in ("None", None, "Iterator[None]"):
        assert re.search(r"^(Returns|Yields)\n-+$", text, re.M), "its result is not documented"
    raised = _raised(function) - {"AssertionError", "AttributeError", "SystemExit", "KeyboardInterrupt"}
    assert not raised or "Raises\n------" in text, f"raises {raised}, which is not documented"


def _is_for_users(name: str, function: FunctionType) -> bool:
    """What users call and what computes: shapes, units, errors and sources are said in full."""
    short = name.removeprefix(f"{function.__module__}.")
    if "." in short:  # a method of a protocol or of a resource
        return False
    module = function.__module__
    return (
        module.startswith("tomarium.kernels")
        or (module.startswith("tomarium.steps") and short in STEPS.get(module, ()))
        or module in PUBLIC_MODULES
    )


def _is_of_a_format(name: str, function: FunctionType) -> bool:
    short = name.removeprefix(f"{function.__module__}.")
    return function.__module__.startswith("tomarium.formats") and short in {"detect", "read", "write"}


def test_what_all_formats_do_is_said_once() -> None:
    told = inspect.getdoc(Format) or ""
    for name in ("path", "match", "detect", "read", "write", "resume", "on_progress", "side_car", "lossy"):
        assert f"`{name}" in told, f"Format does not say what {name} is"
    for error in ("FormatError", "InputError", "StorageFull"):
        assert error in told, f"Format does not say when {error} is raised"


def _raised(function: FunctionType) -> set[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    }


def test_there_are_functions_to_look_at() -> None:
    assert len(FUNCTIONS) > 50
