"""What each check of the doctor can say, taken from its own source, so that the page never says anything else."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import getsource, isfunction
from typing import Any, Final

_SEVERITIES: Final = ("error", "warning", "info")
_ORDER: Final = ("where", "found", "expected", "mend")
_NUMBER: Final = "…"


@dataclass(frozen=True)
class Saying:
    """One finding a check can make, with "…" where its numbers come.

    Attributes
    ----------
    severity : str
        "error", "warning", "info", or "error or warning" where the numbers decide.
    found, expected, mend : str
        As in `Finding`.
    """

    severity: str
    found: str
    expected: str
    mend: str


def sayings(function: Callable[..., Any]) -> list[Saying]:
    """List what a check can say.

    Parameters
    ----------
    function : callable
        The function of a check.

    Returns
    -------
    list of Saying
        The worst first; those of the functions of its module that it leaves the saying to come along.
    """
    distinct = dict.fromkeys(_sayings(function, set()))
    ranked = ("error", "error or warning", "warning", "warning or info", "info")
    return sorted(
        distinct, key=lambda saying: ranked.index(saying.severity) if saying.severity in ranked else 0
    )


def _sayings(function: Callable[..., Any], seen: set[str]) -> Iterator[Saying]:
    tree = ast.parse(textwrap.dedent(getsource(function)))
    assigned = _assignments(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        severity = _severity(node.func, assigned)
        if severity:
            texts = dict(zip(_ORDER, (_spell_out(arg, assigned) for arg in node.args), strict=False))
            texts |= {
                keyword.arg: _spell_out(keyword.value, assigned)
                for keyword in node.keywords
                if keyword.arg in _ORDER
            }
            yield Saying(severity, *(texts.get(name, "") for name in _ORDER[1:]))
        elif isinstance(node.func, ast.Name) and node.func.id.startswith("_") and node.func.id not in seen:
            other = getattr(sys.modules[function.__module__], node.func.id, None)
            if isfunction(other):
                # What is handed over as text is known here alone.
                handed = dict(zip(_parameters(other), node.args, strict=False))
                handed |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
                yield from _sayings_of_called(other, handed, assigned, seen | {node.func.id})


def _sayings_of_called(
    function: Callable[..., Any], handed: dict[str, ast.expr], assigned: dict[str, ast.expr], seen: set[str]
) -> Iterator[Saying]:
    texts = {name: _spell_out(value, assigned) for name, value in handed.items()}
    inserts = {name: text for name, text in texts.items() if text.strip(_NUMBER)}
    for saying in _sayings(function, seen):
        yield Saying(
            saying.severity, *(_fill(part, inserts) for part in (saying.found, saying.expected, saying.mend))
        )


def _fill(text: str, inserts: dict[str, str]) -> str:
    for name, value in inserts.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(function.__code__.co_varnames[: function.__code__.co_argcount])


def _assignments(tree: ast.AST) -> dict[str, ast.expr]:
    """List what names stand for, where it is said once; a parameter stands for itself, in braces."""
    assigned: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for arg in node.args.args:
                assigned[arg.arg] = ast.Constant(f"{{{arg.arg}}}")
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name):
                assigned.setdefault(target.id, value)
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for name, item in zip(target.elts, value.elts, strict=False):
                    if isinstance(name, ast.Name):
                        assigned.setdefault(name.id, item)
    return assigned


def _severity(node: ast.expr, assigned: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Name) and node.id in _SEVERITIES:
        return node.id
    if isinstance(node, ast.Name) and isinstance(assigned.get(node.id), ast.IfExp):
        node = assigned[node.id]
    if isinstance(node, ast.IfExp):
        both = [_severity(expr, {}) for expr in (node.body, node.orelse)]
        return " or ".join(sorted(both, key=_SEVERITIES.index)) if all(both) else ""
    return ""


def _spell_out(node: ast.expr, assigned: dict[str, ast.expr]) -> str:
    """Spell a text out, "…" for what the data decide."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else _NUMBER
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _spell_out(part.value, assigned)
            if isinstance(part, ast.FormattedValue)
            else _spell_out(part, assigned)
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _spell_out(node.left, assigned) + _spell_out(node.right, assigned)
    if isinstance(node, ast.IfExp):
        both = [
            text for expr in (node.body, node.orelse) if (text := _spell_out(expr, assigned)).strip(_NUMBER)
        ]
        return " / ".join(dict.fromkeys(both)) or _NUMBER
    if isinstance(node, ast.Name) and node.id in assigned:
        remaining = {name: value for name, value in assigned.items() if name != node.id}
        return _spell_out(assigned[node.id], remaining)
    return _NUMBER
