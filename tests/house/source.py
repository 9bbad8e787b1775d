"""The source tree, as the house tests look at it."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import FunctionType, ModuleType

import tomarium

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tomarium"


def folders() -> list[str]:
    """Folders of the package, and its files beside them, by name."""
    return sorted(
        path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    )


def folder_of(module: str) -> str:
    """Tell in which folder of the package a module is."""
    return module.split(".")[1] if "." in module else "__init__"


def modules() -> Iterator[ModuleType]:
    """Every module of the package but the compiled one and the entry point."""
    for info in walk_packages(tomarium.__path__, "tomarium."):
        if (
            info.name not in {"tomarium._native", "tomarium.__main__"}
            and ".migrations.versions" not in info.name
        ):
            yield import_module(info.name)


def functions() -> Iterator[tuple[str, FunctionType]]:
    """Every public function, and every public method of a public class, by its full name."""
    for module in modules():
        if module.__name__.endswith(".env"):
            continue
        for name, member in vars(module).items():
            if name.startswith("_"):
                continue
            made_of = getattr(member, "function", None)  # a step is an object made of a function
            if isinstance(made_of, FunctionType) and made_of.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", made_of
            if getattr(member, "__module__", None) != module.__name__:
                continue
            if isinstance(member, FunctionType):
                yield f"{module.__name__}.{name}", member
            elif inspect.isclass(member):
                for method_name, method in vars(member).items():
                    if isinstance(method, FunctionType) and not method_name.startswith("_"):
                        yield f"{module.__name__}.{name}.{method_name}", method


def steps() -> dict[str, set[str]]:
    """Names of the steps, views, probes and tallies that each module makes."""
    return {
        module.__name__: {
            name
            for name, member in vars(module).items()
            if isinstance(getattr(member, "function", None), FunctionType)
            and member.function.__module__ == module.__name__
        }
        for module in modules()
        if module.__name__.startswith("tomarium.steps")
    }
