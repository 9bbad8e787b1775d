"""A place in S3 is a `Path` of its own kind on every version of Python, though the inside of pathlib differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tomarium.catalogue.object_store import ObjectState, ObjectStore
from tomarium.catalogue.store import place_at
from tomarium.errors import InputError

HELD = {"some/rec/a.txt": b"hello", "some/rec/v.zarr/0/c": b"x", "some/rec/v.zarr/zarr.json": b"{}"}
SECOND = 1_000_000_000


@pytest.fixture
def rec(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record in a bucket that is kept in memory."""
    held = dict(HELD)

    def state(_store: ObjectStore, key: str) -> ObjectState | None:
        return ObjectState(len(held[key]), 7 * SECOND, key) if key in held else None

    def objects(store: ObjectStore, prefix: str) -> Iterator[tuple[str, ObjectState | None]]:
        return iter([(key, state(store, key)) for key in held if key.startswith(f"{prefix}/")])

    def children(store: ObjectStore, prefix: str) -> tuple[list[str], list[tuple[str, ObjectState | None]]]:
        below = [key[len(prefix) + 1 :] for key in held if key.startswith(f"{prefix}/")]
        folders = sorted({f"{prefix}/{one.split('/')[0]}" for one in below if "/" in one})
        files = [f"{prefix}/{one}" for one in below if "/" not in one]
        return folders, [(key, state(store, key)) for key in files]

    def read(_store: ObjectStore, key: str, first: int, stop: int, _tag: str) -> Iterator[bytes]:
        return iter([held[key][first:stop]])

    def put(_store: ObjectStore, key: str, content: bytes, _size: int) -> None:
        held[key] = content

    def delete(_store: ObjectStore, keys: list[str]) -> None:
        for key in keys:
            held.pop(key, None)

    for one in (state, objects, children, read, put, delete):
        monkeypatch.setattr(ObjectStore, one.__name__, one)
    return place_at("s3://bucket/some") / "rec"


def test_it_is_named_as_a_path(rec: Path) -> None:
    assert (str(rec), f"{rec}") == ("s3://bucket/some/rec", "s3://bucket/some/rec")
    assert rec.parts == ("s3:", "bucket", "some", "rec")
    assert rec == place_at("s3://bucket/some/rec")
    assert len({rec, place_at("s3://bucket/some/rec")}) == 1
    for made, address in (
        (rec.parent, "s3://bucket/some"),
        (rec.parents[0], "s3://bucket/some"),
        (rec.with_name("x"), "s3://bucket/some/x"),
        (rec.joinpath("a", "b"), "s3://bucket/some/rec/a/b"),
        (rec.resolve(), "s3://bucket/some/rec"),
        (rec.absolute(), "s3://bucket/some/rec"),
    ):
        assert (str(made), type(made)) == (address, type(rec))
    assert (rec / "v.zarr" / "0").relative_to(rec).as_posix() == "v.zarr/0"
    assert (rec / "a").is_relative_to(rec)
    assert not rec.is_relative_to(rec / "a")
    assert ((rec / "a.txt").suffix, (rec / "a.txt").name) == (".txt", "a.txt")


def test_it_is_asked_as_a_path(rec: Path) -> None:
    file = rec / "a.txt"
    assert (file.is_file(), file.is_dir(), rec.is_dir(), rec.is_file()) == (True, False, True, False)
    assert not (rec / "absent").exists()
    assert not rec.is_symlink()
    assert [one.name for one in sorted(rec.iterdir())] == ["a.txt", "v.zarr"]
    assert [one.name for one in rec.glob("*.zarr")] == ["v.zarr"]
    assert [one.name for one in rec.rglob("zarr.json")] == ["zarr.json"]
    assert sorted(str(one) for one in rec.rglob("*")) == [f"s3://bucket/{key}" for key in sorted(HELD)]
    assert (file.read_text(encoding="utf-8"), file.read_bytes()) == ("hello", b"hello")
    with file.open("rb") as stream:
        assert stream.read() == b"hello"
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (5, 7 * SECOND)
    with pytest.raises(FileNotFoundError, match="s3://bucket/some/rec/absent"):
        (rec / "absent").stat()


def test_it_is_written_whole_and_nothing_else_can_be_done(rec: Path) -> None:
    (rec / "new").write_bytes(b"1")
    assert (rec / "new").read_bytes() == b"1"
    (rec / "new").unlink()
    assert not (rec / "new").exists()
    for refused in (
        rec.mkdir,
        rec.touch,
        lambda: rec.rename("x"),
        lambda: (rec / "a.txt").write_text("x"),
        lambda: open(rec / "a.txt"),  # noqa: PTH123, SIM115
    ):
        with pytest.raises(InputError, match="lies in S3, where this cannot be done"):
            refused()
