"""Conditions of queries, tried at arrays in memory, so that who may see what is told by one predicate there, too."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BindParameter, ColumnClause, Null
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    AsBoolean,
    BinaryExpression,
    BooleanClauseList,
    False_,
    Grouping,
    True_,
)

_COMPARISONS: Final[Mapping[Any, Callable[[Any, Any], Any]]] = {
    operators.eq: operator.eq,
    operators.ne: operator.ne,
    operators.lt: operator.lt,
    operators.le: operator.le,
    operators.gt: operator.gt,
    operators.ge: operator.ge,
}


class NotTried(Exception):
    """A condition asks for what arrays do not tell, or in a way that is not known here."""


def tried(condition: object, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Tell which rows meet a condition.

    Parameters
    ----------
    condition : ColumnElement of bool
        Comparisons of columns with values, joined by "and" and "or".
    columns : Mapping of str to NDArray
        Name of a column → its values, one a row; NaN stands for NULL.

    Returns
    -------
    NDArray of bool
        One a row.

    Raises
    ------
    NotTried
        It asks for another column, for another query, or for anything else.
    """
    size = len(next(iter(columns.values())))
    if isinstance(condition, (True_, False_)):
        return np.full(size, isinstance(condition, True_))
    if isinstance(condition, AsBoolean) and isinstance(condition.element, (True_, False_)):
        if condition.operator not in (operators.is_true, operators.is_false):
            raise NotTried(str(condition))
        return np.full(
            size, isinstance(condition.element, True_) == (condition.operator is operators.is_true)
        )
    if isinstance(condition, Grouping):
        return tried(condition.element, columns)
    if isinstance(condition, BooleanClauseList) and condition.operator in (operators.and_, operators.or_):
        join = np.logical_and if condition.operator is operators.and_ else np.logical_or
        told: NDArray[np.bool_] = join.reduce([tried(one, columns) for one in condition.clauses])
        return told
    if isinstance(condition, BinaryExpression):
        return _compared(condition, columns)
    raise NotTried(type(condition).__name__)


def _compared(condition: BinaryExpression[Any], columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    left, right, how = condition.left, condition.right, condition.operator
    if not isinstance(left, ColumnClause) or left.name not in columns:
        raise NotTried(str(left))
    column = columns[left.name]
    if isinstance(right, Null) and how is operators.is_not:
        return np.ones(len(column), bool) if column.dtype.kind != "f" else ~np.isnan(column)
    if not isinstance(right, BindParameter) or right.value is None:
        raise NotTried(str(right))
    if how is operators.in_op:
        alike = [np.zeros(len(column), bool), *(column == one for one in right.value)]
        return np.asarray(np.logical_or.reduce(alike), bool)
    # NaN is unequal to anything, NULL is neither; who compares so has to say what is meant of NULL.
    if how not in _COMPARISONS or (how is operators.ne and column.dtype.kind == "f"):
        raise NotTried(str(condition))
    return np.asarray(_COMPARISONS[how](column, right.value), bool)
