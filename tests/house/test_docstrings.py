"""Every public function is typed and has one good line; what users call, steps and kernels say all.

What `Format` says of `detect`, `read` and `write` is said there once; those of a format say what is their own.
"""

import ast
import inspect
import re
import textwrap
from functools import cache
from types import FunctionType

import pytest

import tomarium
from house import source
from tomarium.formats.format import Format

PUBLIC_MODULES = {home.partition(":")[0] for home in tomarium._HOMES.values()}
FOLDERS = source.folders()


@cache
def functions() -> dict[str, FunctionType]:
    """Every public function by its full name; looked for when it is asked for, not when tests are collected."""
    return dict(source.functions())


@cache
def steps() -> dict[str, set[str]]:
    """Names of the steps of each module."""
    return source.steps()


@pytest.mark.parametrize("folder", FOLDERS)
def test_public_functions_are_documented(folder: str) -> None:
    """One test for all functions of a folder: there are thousands of them, and each takes no time."""
    problems = {
        name: found
        for name, function in functions().items()
        if source.folder_of(function.__module__) == folder and (found := problem(name, function))
    }
    assert not problems


def test_every_function_is_in_a_folder() -> None:
    assert {source.folder_of(function.__module__) for function in functions().values()} <= set(FOLDERS)


def problem(name: str, function: FunctionType) -> str:
    """Say what is missing of a function's documentation; "" where nothing is."""
    text = inspect.getdoc(function) or ""
    if not text:
        return "has no docstring"
    first = text.splitlines()[0]
    if not first.endswith("."):
        return f"the first line is not a sentence: {first!r}"
    parameters = [p for p in inspect.signature(function).parameters if p not in {"self", "cls"}]
    if untyped := [p for p in parameters if p not in function.__annotations__]:
        return f"not typed: {untyped}"
    if "return" not in function.__annotations__:
        return "the result is not typed"
    if _is_of_a_format(name, function):
        told = inspect.getdoc(Format) or ""
        unsaid = [p for p in parameters[2:] if f"`{p}`" not in text and f"`{p}`" not in told]
        return f"neither here nor in Format: {unsaid}" if unsaid else ""
    if not _is_for_users(name, function):
        return ""  # inside the house one good line is enough
    return _unsaid_to_users(function, text, parameters)


def _unsaid_to_users(function: FunctionType, text: str, parameters: list[str]) -> str:
    if missing := [
        p for p in parameters if not re.search(rf"^\*{{0,2}}[\w, *]*\b{p}\b[\w, *]*(?: :|$)", text, re.M)
    ]:
        return f"not documented: {missing}"
    returned = function.__annotations__["return"]
    unsaid = not re.search(r"^(Returns|Yields)\n-+$", text, re.M)
    if unsaid and returned not in ("None", None, "Iterator[None]"):
        return "its result is not documented"
    raised = _raised(function) - {"AssertionError", "AttributeError", "SystemExit", "KeyboardInterrupt"}
    return f"raises {raised}, which is not documented" if raised and "Raises\n------" not in text else ""


def _is_for_users(name: str, function: FunctionType) -> bool:
    """What users call and what computes: shapes, units, errors and sources are said in full."""
    short = name.removeprefix(f"{function.__module__}.")
    if "." in short:  # a method of a protocol or of a resource
        return False
    module = function.__module__
    return (
        module.startswith("tomarium.kernels")
        or (module.startswith("tomarium.steps") and short in steps().get(module, ()))
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
    assert len(functions()) > 50
