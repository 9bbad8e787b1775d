"""A bucket of an S3 store: sizes, ranges, lists and whole puts, with errors that say what to do.

The endpoint and the keys come from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION …) and are kept nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from tomarium.errors import StoreUnavailable
from tomarium.optional_packages import optional_import

PIECE: Final = 8 << 20
"""Bytes of one request: so many that its way costs little, so few that a slow reader does not hold it for long."""

_AHEAD: Final = 3  # pieces that are fetched while one is handed on
_PART: Final = 16 << 20  # of an upload in parts, of which S3 takes 10 000
_MOST_PARTS: Final = 9000
_RETRIES: Final = 3
_PATIENCE: Final = timedelta(seconds=10)
_WHO: Final = re.compile(r"//[^/\s]*@")  # user and password of an address


@dataclass(frozen=True)
class ObjectState:
    """What a store tells of an object.

    Attributes
    ----------
    size : int
        Bytes.
    changed_ns : int
        When it was put, ns since 1970; what is below a second is drawn from `tag`, for stores tell whole seconds.
    tag : str
        Its ETag, without quotation marks: another content has another one.
    """

    size: int
    changed_ns: int
    tag: str

    @property
    def number(self) -> int:
        """A number drawn from the tag, in the place of the number that a disk gives a file."""
        return int.from_bytes(hashlib.sha256(self.tag.encode()).digest()[:7], "big")


@dataclass(frozen=True)
class ObjectStore:
    """One bucket.

    Attributes
    ----------
    bucket : str
        Its name.
    """

    bucket: str

    def state(self, key: str) -> ObjectState | None:
        """Return what is told of an object; None where there is none."""
        with self._asking(key):
            try:
                return _state(_obstore().head(self.client(), key))
            except FileNotFoundError:
                return None

    def objects(self, prefix: str) -> Iterator[tuple[str, ObjectState]]:
        """List all objects below a prefix, which is a folder."""
        with self._asking(prefix):
            for page in _obstore().list(self.client(), prefix or None):
                yield from ((str(entry["path"]), _state(entry)) for entry in page)

    def children(self, prefix: str) -> tuple[list[str], list[tuple[str, ObjectState]]]:
        """List the folders and the objects right below a prefix."""
        with self._asking(prefix):
            listing = _obstore().list_with_delimiter(self.client(), prefix or None)
            files = [(str(entry["path"]), _state(entry)) for entry in listing["objects"]]
            return [str(common_prefix) for common_prefix in listing["common_prefixes"]], files

    def has_below(self, prefix: str) -> bool:
        """Tell whether there is an object below a prefix."""
        return next(self.objects(prefix), None) is not None

    def read(self, key: str, first: int, stop: int, tag: str) -> Iterator[bytes]:
        """Read a range of an object, some pieces ahead.

        Parameters
        ----------
        key : str
            Of the object.
        first, stop : int
            Its first byte, and the first that is not wanted.
        tag : str
            Its ETag as `state` told; "" for whatever lies there.

        Yields
        ------
        bytes
            Of at most 8 MiB.

        Raises
        ------
        FileNotFoundError
            It is not there.
        OSError
            It is another one by now.
        StoreUnavailable
            The store does not answer.
        """
        waiting: deque[Future[bytes]] = deque()
        spans = iter([(low, min(low + PIECE, stop)) for low in range(first, stop, PIECE)])
        try:
            for low, high in spans:
                waiting.append(_threads().submit(self._piece, key, low, high, tag))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _piece(self, key: str, first: int, stop: int, tag: str) -> bytes:
        with self._asking(key):
            answer = _obstore().get(self.client(), key, options={"range": (first, stop)})
            content = bytes(answer.bytes())
            if (tag and _state(answer.meta).tag != tag) or len(content) != stop - first:
                raise OSError(f"s3://{self.bucket}/{key}: was replaced while it was read")
            return content

    def put(self, key: str, content: bytes | Path | Iterator[bytes], size: int) -> None:
        """Put an object of a known size, which is there whole or not at all; a large one in parts."""
        part = max(_PART, -(-size // _MOST_PARTS))
        with self._asking(key):
            _obstore().put(self.client(), key, content, use_multipart=size > part, chunk_size=part)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        for key in keys:
            with self._asking(key):
                try:
                    _obstore().delete(self.client(), key)
                except FileNotFoundError:
                    continue

    def client(self, prefix: str = "") -> Any:
        """Return the connection of obstore, below a prefix."""
        variables = tuple(
            sorted((name, text) for name, text in os.environ.items() if name.startswith("AWS_"))
        )
        return _client(self.bucket, prefix, variables)

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Turn what obstore raises into what a user can act on; its own texts may hold an address, but no key."""
        try:
            yield
        except _obstore().exceptions.BaseError as problem:
            raise self.explain(key, problem) from problem

    def explain(self, key: str, problem: Exception) -> StoreUnavailable:
        """Say why the store did not answer, and what to do."""
        text = _WHO.sub("//", str(problem))  # obstore writes the whole address
        place = f"s3://{self.bucket}/{key}"
        if "NoSuchBucket" in text:
            return StoreUnavailable(f"{place}: there is no bucket {self.bucket} at this endpoint; make it, or correct "
                                    f"its name or AWS_ENDPOINT_URL")  # fmt: skip
        denied = ("PermissionDenied", "Unauthenticated", "403 Forbidden", "AccessDenied", "401 Unauth")
        if any(word in text or word in type(problem).__name__ for word in denied):
            return StoreUnavailable(f"{place}: the store does not permit this; check AWS_ACCESS_KEY_ID, "
                                    f"AWS_SECRET_ACCESS_KEY and the rights of this key")  # fmt: skip
        if "non-partial response" in text:
            return StoreUnavailable(f"{place}: the endpoint answers a range with status 200 in place of 206; use "
                                    f"another server or a newer version of it")  # fmt: skip
        where = _endpoint(os.environ).rpartition("@")[2] or "the endpoint of AWS"
        return StoreUnavailable(f"{place}: {where} does not answer ({text.splitlines()[0][:200]}); check that it runs "
                                f"and AWS_ENDPOINT_URL, then try again")  # fmt: skip


def _endpoint(variables: Mapping[str, str]) -> str:
    return variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or ""


def _state(meta: Any) -> ObjectState:
    tag = str(meta["e_tag"] or "").strip('"')
    seconds = int(meta["last_modified"].timestamp())
    below = int(hashlib.sha256(tag.encode()).hexdigest()[:12], 16) % 1_000_000_000
    return ObjectState(int(meta["size"]), seconds * 1_000_000_000 + below, tag)


@cache
def _obstore() -> Any:
    module = optional_import("obstore", "s3")
    optional_import("obstore.store", "s3")
    optional_import("obstore.exceptions", "s3")
    return module


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(16, "object-store")


@lru_cache(maxsize=256)
def _client(bucket: str, prefix: str, variables: tuple[tuple[str, str], ...]) -> Any:
    variables_by_name = dict(variables)
    endpoint = _endpoint(variables_by_name)
    region = variables_by_name.get("AWS_REGION") or variables_by_name.get("AWS_DEFAULT_REGION") or "us-east-1"
    options: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    return _obstore().store.S3Store(
        bucket,
        prefix=prefix or None,
        region=region,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": "5s",
            "timeout": "60s",
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": _PATIENCE},
        **options,
    )
