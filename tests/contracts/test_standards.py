"""Every metadata standard: what it exports is read back as the same record; any other text is refused."""

import json
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from string import ascii_lowercase, digits

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tomarium.errors import FormatError
from tomarium.model import FileEntry, Funding, Part, Person, Publication, Record, Related, Value
from tomarium.model.part import KINDS
from tomarium.model.publication import RELATIONS
from tomarium.registry import collect
from tomarium.standards.standard import Standard

STANDARDS = collect("standards", Standard)
READABLE = {name: standard for name, standard in STANDARDS.items() if standard.read}

# To draw a whole record takes 20 ms, and far more where the processor is shared.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
word = st.builds(
    str.__add__, st.sampled_from(ascii_lowercase), st.text(ascii_lowercase + digits + "_-", max_size=20)
)
number = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
scalar = st.none() | st.booleans() | number | text
tree = st.recursive(
    scalar, lambda part: st.lists(part, max_size=3) | st.dictionaries(text, part, max_size=3), max_leaves=8
)
value = st.builds(Value, tree, st.sampled_from(["read", "derived", "default", "user"]), text)
path = st.lists(
    st.from_regex(r"[^/\x00-\x1f\ud800-\udfff.][^/\x00-\x1f\ud800-\udfff]{0,9}", fullmatch=True),
    min_size=1,
    max_size=3,
)
entry = st.builds(
    FileEntry,
    path=st.builds(lambda parts, folder: "/".join(parts) + "/" * folder, path, st.booleans()),
    bytes=st.integers(0, 2**60),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    media_type=word,
    role=st.sampled_from(["volume", "preview", "protocol", "provenance", "manifest", "log", "other"]),
)
zone = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moment = st.datetimes(datetime(1895, 11, 8), datetime(2999, 1, 1), timezones=zone)
person = st.builds(Person, text, text, text, text)
axis = st.dictionaries(word, scalar, max_size=3)
part = st.builds(
    Part, st.sampled_from(KINDS), text, text, text, st.lists(axis, max_size=3).map(tuple),
    st.dictionaries(text, tree, max_size=3),
)  # fmt: skip
publication = st.builds(
    Publication, moment, text, moment, text, text, st.integers(1, 99), st.none() | moment, st.none() | moment, text
)  # fmt: skip
records = st.builds(
    Record,
    id=word,
    title=text,
    created=moment,
    description=text,
    creators=st.lists(person, max_size=3).map(tuple),
    keywords=st.lists(text, max_size=3).map(tuple),
    licence=st.sampled_from(["", "CC-BY-4.0", "CC0-1.0", "https://example.org/terms", "ask us first"]) | text,
    parameters=st.dictionaries(word, value, max_size=4),
    parts=st.lists(part, max_size=3).map(tuple),
    provenance=st.dictionaries(text, tree, max_size=3),
    files=st.lists(entry, max_size=4, unique_by=lambda entry: entry.path).map(tuple),
    publication=st.none() | publication,
    related=st.lists(st.builds(Related, st.sampled_from(RELATIONS), text), max_size=2).map(tuple),
    techniques=st.lists(text, max_size=2).map(tuple),
    specimen=text,
    funding=st.lists(st.builds(Funding, text, text), max_size=2).map(tuple),
    acknowledgement=text,
    disclosed=st.lists(text, max_size=2).map(tuple),
)


@pytest.mark.parametrize("standard", READABLE.values(), ids=READABLE)
@patient
@given(record=records)
def test_reads_back_what_it_exports(standard: Standard, record: Record) -> None:
    assert standard.read
    back = standard.read(standard.export(record))
    assert back == record
    assert back.created.utcoffset() == record.created.utcoffset()
    assert repr(back.parameters) == repr(record.parameters)  # 1, 1.0 and True are equal but not the same


@pytest.mark.parametrize("standard", READABLE.values(), ids=READABLE)
@given(content=st.text() | tree.map(json.dumps) | records.map(lambda record: record.title))
def test_refuses_any_other_text(standard: Standard, content: str) -> None:
    assert standard.read
    with pytest.raises(FormatError):
        standard.read(content)


@pytest.mark.parametrize("standard", READABLE.values(), ids=READABLE)
@patient
@given(record=records, data=st.data())
def test_refuses_or_reads_a_damaged_document(standard: Standard, record: Record, data: st.DataObject) -> None:
    assert standard.read
    document = standard.export(record)
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, len(document)))
    with suppress(FormatError):
        assert isinstance(standard.read(document[:start] + document[end:]), Record)


@settings(patient, max_examples=25)
@given(record=records)
def test_each_exports_any_record_or_refuses_it(record: Record) -> None:
    for standard in STANDARDS.values():
        with suppress(FormatError):
            standard.export(record, "https://example.org/records/a").encode()


@pytest.mark.parametrize("standard", STANDARDS.values(), ids=STANDARDS)
def test_refuses_what_json_cannot_hold(standard: Standard) -> None:
    moment = datetime.fromisoformat("2026-11-20T12:00:00+01:00")
    wrong = [
        Record("a", "A", moment, parameters={"energy_kev": Value(float("nan"), "read", "")}),
        Record("a", "A", moment, provenance={"deep": {"thing": object()}}),
        Record("a", "half a character \udcff", moment),
    ]
    for record in wrong:
        with pytest.raises(FormatError, match="JSON"):
            standard.export(record)
