"""LoopBack filters against a plain evaluation in Python, on both databases."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postgresql_server import Files
from tomarium.catalogue import ANYBODY, Catalogue, open_catalogue
from tomarium.catalogue.harvest_sources import add_source, begin_listing
from tomarium.catalogue.harvested import Item, keep
from tomarium.catalogue.panosc import count, find
from tomarium.catalogue.panosc_filter import filter_of
from tomarium.catalogue.panosc_rows import Question
from tomarium.standards.panosc_units import in_base

TITLES = ("Bone", "bone of a Bear", "BEAR_1", "50% of [it]", "a*b?", "back\\slash", "été", "")
NAMES = ("photon_energy", "temperature", "state")
UNITS = ("eV", "keV", "celsius", "kelvin", "", "foo")
VALUES = (1, 20, 25.5, 0.02, "solid", "20")
KEYWORDS = ("enamel", "Dentine", "%")


def _datasets() -> list[dict[str, Any]]:
    rnd = random.Random(17)
    told = []
    for number in range(50):
        one: dict[str, Any] = {"pid": f"10.1/{number:02d}", "isPublic": rnd.random() < 0.7}
        if title := rnd.choice(TITLES):
            one["title"] = title
        if rnd.random() < 0.8:
            one["size"] = rnd.choice([0, 1, 2.5, 10, 1e6])
        one["creationDate"] = f"20{rnd.randint(18, 22)}-0{rnd.randint(1, 9)}-01T00:00:00.000Z"
        one["parameters"] = [
            {"name": rnd.choice(NAMES), "unit": rnd.choice(UNITS), "value": rnd.choice(VALUES)}
            for _ in range(rnd.randint(0, 4))
        ]  # fmt: skip
        told.append(one)
    return told


DATASETS = _datasets()
DOCUMENTS: list[dict[str, Any]] = [
    {
        "pid": f"doc{number}",
        "type": ("proposal", "publication")[number % 2],
        "isPublic": True,
        "keywords": list(KEYWORDS[: number % 4]),
        "datasets": [{"pid": one["pid"]} for one in DATASETS[number * 5 : number * 5 + 7]],
    }
    for number in range(10)
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path_factory.mktemp("filters") / "catalogue.sqlite")) as opened:
        with opened.writing() as connection:
            source = add_source(connection, "panosc", "x", "X").number
            begin_listing(connection, source)
            keep(connection, source, [Item(one["pid"], content=one) for one in DATASETS])
            keep(connection, source, [Item(one["pid"], "document", content=one) for one in DOCUMENTS])
        yield opened


# --- What is asked. --------------------------------------------------------------------------------------------------

texts = st.sampled_from([*TITLES, "be", "nothing"])
patterns = st.sampled_from(
    ["%", "bo_e", "%bear%", "BEAR\\_1", "50\\%", "[it]", "a*b?", "_", "\\", "B%r", "é"]
)
numbers = st.sampled_from([0, 1, 2.5, 10, 20, 25.5, 293.15, 1e6, -3])
dates = st.sampled_from(["2019-01-01T00:00:00.000Z", "2020-05-01", "2021"])
truths = st.booleans()


def compared(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = st.sampled_from(["eq", "neq", "lt", "lte", "gt", "gte"])
    return st.one_of(
        values,
        st.tuples(one, values).map(lambda pair: {pair[0]: pair[1]}),
        st.lists(values, min_size=2, max_size=2).map(lambda pair: {"between": pair}),
        st.tuples(st.sampled_from(["inq", "nin"]), st.lists(values, max_size=3)).map(lambda pair: {pair[0]: pair[1]}),
    )  # fmt: skip


like = st.tuples(st.sampled_from(["like", "nlike", "ilike", "nilike"]), patterns).map(
    lambda pair: {pair[0]: pair[1]}
)
leaf = st.one_of(
    st.one_of(compared(texts), like, st.none()).map(lambda one: {"title": one}),
    st.one_of(compared(numbers), st.none()).map(lambda one: {"size": one}),
    compared(dates).map(lambda one: {"creationDate": one}),
    truths.map(lambda one: {"isPublic": one}),
    texts.map(lambda one: {"text": one}),
    st.one_of(texts, st.none()).map(lambda one: {"nothing": one}),
)


def dict_of(pair: tuple[str, Any]) -> dict[str, Any]:
    return {pair[0]: pair[1]}


def joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, max_size=3)).map(dict_of)


wheres = st.recursive(leaf, joined, max_leaves=4)


@st.composite
def measures(draw: st.DrawFn) -> dict[str, Any]:
    parts = [{"name": draw(st.sampled_from(NAMES))}]
    parts.append({"value": draw(st.one_of(compared(numbers), st.sampled_from(["solid", "20"])))})
    if draw(st.booleans()):
        parts.append({"unit": draw(st.sampled_from(UNITS))})
    return (
        {"and": parts}
        if draw(st.booleans())
        else {key: value for part in parts for key, value in part.items()}
    )


# --- What is to be answered. -----------------------------------------------------------------------------------------


def is_like(text: Any, pattern: str, *, fold: bool) -> bool:
    if not isinstance(text, str):
        return False
    written, signs = "", iter(pattern)
    for sign in signs:
        if sign == "\\":
            sign = next(signs, "\\")
            written += f"[{sign}]" if sign in "*?[" else sign
        else:
            written += {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}.get(sign, sign)
    ascii_lower = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
    if fold:
        text, written = text.translate(ascii_lower), written.translate(ascii_lower)
    return fnmatchcase(text, f"*{written}*")


def holds(value: Any, asked: Any, *, date: bool = False) -> bool:
    if not isinstance(asked, dict):
        asked = {"eq": asked}
    return all(_one(value, operator, operand, date) for operator, operand in asked.items())


def _one(value: Any, operator: str, operand: Any, date: bool) -> Any:
    if operator in ("like", "nlike", "ilike", "nilike"):
        return is_like(value, operand, fold="il" in operator) is not operator.startswith("n")
    if date:
        operand = [_date(one) for one in operand] if isinstance(operand, list) else _date(operand)
    if operator in ("eq", "neq"):
        return _same(value, operand) is (operator == "eq")
    if operator in ("inq", "nin"):
        return any(_same(value, one) for one in operand) is (operator == "inq")
    if operator == "between":
        return _one(value, "gte", operand[0], False) and _one(value, "lte", operand[1], False)
    if value is None or isinstance(value, str) is not isinstance(operand, str):
        return False
    return {"lt": value < operand, "lte": value <= operand, "gt": value > operand,
            "gte": value >= operand}[operator]  # fmt: skip


def _same(value: Any, operand: Any) -> bool:
    return bool(type(value) in (int, float)) == bool(type(operand) in (int, float)) and value == operand


def _date(told: Any) -> Any:
    return {"2020-05-01": "2020-05-01T00:00:00.000Z", "2021": "2021-01-01T00:00:00.000Z"}.get(told, told)


def meets(one: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(_part(one, key, asked) for key, asked in where.items())


def _part(one: dict[str, Any], key: str, asked: Any) -> bool:
    if key in ("and", "or"):
        return (all if key == "and" else any)(meets(one, part) for part in asked)
    if key == "text":
        pattern = "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in asked)
        return is_like(one.get("title"), pattern, fold=True)
    return holds(one.get(key), asked, date=key == "creationDate")


def measure_meets(parameter: dict[str, Any], where: dict[str, Any]) -> bool:
    parts = {key: value for part in where.get("and", [where]) for key, value in part.items()}
    unit = parts.get("unit", "")
    asked, value = parts["value"], parameter["value"]
    known = in_base(0.0, unit) if unit else None
    if parameter["name"] != parts["name"]:
        return False
    if known is None:
        return holds(value, asked) and (unit == parameter["unit"] if "unit" in parts else True)
    mine = in_base(0.0, parameter["unit"]) if parameter["unit"] and not isinstance(value, str) else None
    if mine is None or mine[1] != known[1]:
        return False

    def based(number: Any) -> Any:
        return [based(one) for one in number] if isinstance(number, list) else in_base(float(number), unit)[0]  # type: ignore[index]

    if asked == "solid":
        return False
    asked = {key: based(one) for key, one in asked.items()} if isinstance(asked, dict) else based(asked)
    return holds(in_base(float(value), parameter["unit"])[0], asked)  # type: ignore[index]


def ask(catalogue: Catalogue, model: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    with catalogue.reading() as connection:
        asked = Question(connection, ANYBODY)
        read = filter_of(model, {"limit": 1000, **wanted})
        found = find(asked, model, read)
        if "include" not in wanted:
            assert count(asked, model, read.where) == len(found)
    return found


SETTINGS = settings(max_examples=25, database=None, suppress_health_check=list(HealthCheck))


def test_each_operator_with_each_value(catalogue: Catalogue) -> None:
    sizes, dates_ = (
        (0, 1, 2.5, 10, 1e6),
        ("2019-01-01T00:00:00.000Z", "2020-05-01", DATASETS[7]["creationDate"]),
    )
    conditions = [
        {name: {operator: value}}
        for name, values in (("size", sizes), ("title", TITLES), ("creationDate", dates_))
        for operator in ("eq", "neq", "lt", "lte", "gt", "gte")
        for value in values
    ]
    signs = ("%", "bo_e", "%bear%", "BEAR\\_1", "50\\%", "[it]", "a*b?", "_", "\\", "B%r", "é")
    conditions += [{"title": {one: sign}} for one in ("like", "nlike", "ilike", "nilike") for sign in signs]
    conditions += [{"size": {"between": [low, high]}} for low in sizes for high in sizes]
    conditions += [
        {"size": {"inq": [1, None]}},
        {"size": {"nin": [1, 2.5]}},
        {"size": None},
        {"title": {"neq": None}},
    ]
    with catalogue.reading() as connection:
        asked = Question(connection, ANYBODY)
        counted = [count(asked, "Dataset", filter_of("Dataset", {"where": one}).where) for one in conditions]
    assert counted == [sum(meets(each, one) for each in DATASETS) for one in conditions]


@SETTINGS
@given(where=wheres)
def test_conditions_on_datasets(catalogue: Catalogue, where: dict[str, Any]) -> None:
    expected = sorted(one["pid"] for one in DATASETS if meets(one, where))
    assert sorted(one["pid"] for one in ask(catalogue, "Dataset", {"where": where})) == expected


@SETTINGS
@given(where=measures())
def test_conditions_on_parameters_in_any_unit(catalogue: Catalogue, where: dict[str, Any]) -> None:
    expected = {
        one["pid"]: kept for one in DATASETS
        if (kept := [each["name"] for each in one["parameters"] if measure_meets(each, where)])
    }  # fmt: skip
    wanted = {"include": [{"relation": "parameters", "scope": {"where": where}}]}
    found = {
        one["pid"]: [each["name"] for each in one["parameters"]] for one in ask(catalogue, "Dataset", wanted)
    }
    assert found == expected


@SETTINGS
@given(
    where=wheres,
    kind=st.sampled_from(["proposal", "publication"]),
    down=st.booleans(),
    skip=st.integers(0, 4),
)
def test_documents_by_their_datasets_in_order(
    catalogue: Catalogue, where: dict[str, Any], kind: str, down: bool, skip: int
) -> None:
    matching = {one["pid"] for one in DATASETS if meets(one, where)}
    expected = [
        (one["pid"], kept)
        for one in sorted(DOCUMENTS, key=lambda one: str(one["pid"]), reverse=down)
        if one["type"] == kind
        and (kept := [each["pid"] for each in one["datasets"] if each["pid"] in matching])
    ]  # fmt: skip
    wanted = {
        "where": {"type": kind},
        "include": [{"relation": "datasets", "scope": {"where": where}}],
        "order": f"pid {'DESC' if down else 'ASC'}",
        "skip": skip,
    }
    found = [
        (one["pid"], [each["pid"] for each in one["datasets"]]) for one in ask(catalogue, "Document", wanted)
    ]
    assert found == expected[skip:]


@pytest.mark.parametrize("word", [*KEYWORDS, "enam", "nothing"])
def test_one_of_several_keywords_is_enough(catalogue: Catalogue, word: str) -> None:
    found = {one["pid"] for one in ask(catalogue, "Document", {"where": {"keywords": word}})}
    assert found == {one["pid"] for one in DOCUMENTS if word in one["keywords"]}


def test_a_cost_that_no_pattern_makes_large(catalogue: Catalogue) -> None:
    """A pattern of many wildcards is answered as quickly as any other."""
    pattern = "%a" * 400 + "b"
    assert ask(catalogue, "Dataset", {"where": {"title": {"like": pattern}}}) == []
