"""The reference page of the Python interface: each public name with its signature, and what its docstring says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final

import tomarium

INTRODUCTION: Final = (
    "`import tomarium as tm`; `from tomarium import *` gives the same names. Everything else is inside and may change. "
    "Types are checked by whoever runs a type checker: the package is typed."
)


def public() -> dict[str, Any]:
    """List what `import tomarium` is for.

    Returns
    -------
    dict of str to object
        Name → function, class or step, by `tomarium.__all__`.
    """
    return {name: getattr(tomarium, name) for name in tomarium.__all__ if not name.startswith("_")}


def overview() -> str:
    """Write what stands before the names: a table of them.

    Returns
    -------
    str
        Markdown.
    """
    rows = [
        f"| [`{name}`](#tm{name.replace('.', '').lower()}) | {_summary(member)} |"
        for name, member in public().items()
    ]
    return f"{INTRODUCTION}\n\n| name | |\n|---|---|\n" + "\n".join(rows) + "\n"


def entry(name: str, member: Any) -> str:
    """Write all about a public name.

    Parameters
    ----------
    name : str
        As users write it behind `tm.`.
    member : object
        A function, a class or a step.

    Returns
    -------
    str
        Markdown: its signature, its docstring with tables of parameters, and the members of a class.
    """
    function = _function(member)
    parts = [f"## tm.{name}", f"```python\n{_signature(name, function)}\n```", *_sections(function)]
    if inspect.isclass(member):
        parts += _members(member)
    return "\n\n".join(parts) + "\n"


def _function(member: Any) -> Any:
    """Return what has the docstring: a step keeps the function it was made of."""
    return member if inspect.isclass(member) or inspect.isfunction(member) else member.function


def _summary(member: Any) -> str:
    return (inspect.getdoc(_function(member)) or "").splitlines()[0]


def _signature(name: str, function: Callable[..., Any], first: int = 0) -> str:
    """Write a signature, one parameter a line where it is long; types are told by the docstring, in words."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[first:]
    texts = [f"{parameter.name}{_default(parameter)}" for parameter in parameters]
    keyword_only = [i for i, parameter in enumerate(parameters) if parameter.kind is parameter.KEYWORD_ONLY]
    if keyword_only:
        texts.insert(keyword_only[0], "*")
    result = signature.return_annotation
    ending = "" if result is signature.empty or inspect.isclass(function) else f" -> {_type(result)}"
    line = f"{name}({', '.join(texts)}){ending}"
    return (
        line
        if len(line) <= 100
        else f"{name}(\n" + "".join(f"    {text},\n" for text in texts) + f"){ending}"
    )


def _default(parameter: inspect.Parameter) -> str:
    """Write a default; a function by its name, and what each object gets anew as "…"."""
    value = parameter.default
    if value is parameter.empty:
        return ""
    if inspect.isfunction(value):
        return f"={value.__name__}"
    return "=…" if repr(value).startswith("<") else f"={value!r}"


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _sections(documented: Any) -> Iterator[str]:
    """Write a docstring section by section; of a class, those of the classes it extends along."""
    from griffe import Docstring, DocstringSectionKind, parse_numpy

    classes = (
        [class_ for class_ in documented.__mro__ if class_ is not object]
        if inspect.isclass(documented)
        else [documented]
    )
    attributes: dict[str, str] = {}
    for class_ in reversed(classes):
        text = inspect.cleandoc(class_.__doc__ or "")
        for part in parse_numpy(Docstring(text), warnings=False):
            if part.kind is DocstringSectionKind.attributes:
                attributes |= {item.name: _table_row(item) for item in part.value}
            elif class_ is classes[0]:
                yield _section(part.kind.value, part)
    if attributes:
        yield _table("attribute", attributes.values())


def _section(kind: str, part: Any) -> str:
    if kind == "text":
        return str(part.value)
    if kind == "parameters":
        return _table("parameter", map(_table_row, part.value))
    if kind == "examples":
        return f"```pycon\n{''.join(text for _, text in part.value)}\n```"
    if kind == "admonition":
        return f"**{part.title}**\n\n{part.value.description}"
    if not isinstance(part.value, list):
        return str(part.value)
    rows = [f"- {_heading(item)}{' '.join(item.description.split())}" for item in part.value]
    return f"**{kind.capitalize()}**\n\n" + "\n".join(rows)


def _heading(item: Any) -> str:
    words = [str(word) for word in (getattr(item, "name", ""), item.annotation) if word]
    return f"`{' : '.join(words)}`: " if words else ""


def _table_row(item: Any) -> str:
    cells = (f"`{item.name}`", str(item.annotation or ""), " ".join(item.description.split()))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _table(title: str, rows: Any) -> str:
    return f"| {title} | type | meaning |\n|---|---|---|\n" + "\n".join(rows)


def _members(kind: type) -> list[str]:
    """Write the methods and properties of a class, each with its first line."""
    fields = getattr(kind, "__dataclass_fields__", {})
    lines = []
    for name, member in inspect.getmembers(kind):
        if name.startswith("_") or name in fields:
            continue
        if isinstance(member, property):
            lines.append(f"- `{name}`: {_summary(member.fget)}")
        elif inspect.isfunction(member):
            lines.append(f"- `{_signature(name, member, first=1)}`: {_summary(member)}")
    return ["**Members**", "\n".join(lines)] if lines else []
