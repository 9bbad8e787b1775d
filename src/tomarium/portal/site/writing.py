"""The files of a site: each is whole or not there, and what is as it was is not written again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_json
from tomarium.errors import InputError
from tomarium.portal.languages import ENGLISH, LANGUAGES

STATE: Final = ".tomarium-site.json"
OWN: Final = (
    *("assets", "static", "records", "about", "glossary", "pages", "news", "events", "publications"),
    *(language for language in LANGUAGES if language != ENGLISH),
)
"""Folders, besides those of entities, in which nothing but the site's files may lie."""


class Target:
    """The folder of a site while it is written.

    Parameters
    ----------
    folder : Path
        Absent, empty, or a site that was written before.

    Raises
    ------
    InputError
        It holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = self.kept = self.removed = self.bytes = 0
        self._here: set[str] = set()
        state = folder / STATE
        if folder.exists() and not folder.is_dir():
            raise InputError(
                f"{folder} is a file; give a folder that is new, empty, or a site written before"
            )
        if folder.is_dir() and any(folder.iterdir()) and not state.is_file():
            raise InputError(
                f"{folder} is not empty and holds no site of tomarium (no {STATE}); give a new or an empty folder, "
                f"or the folder of a site that `tomarium site build` wrote"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._tags: dict[str, str] = _tags(state)
        self._new_tags: dict[str, str] = {}
        write_json(state, {"made by": "tomarium site build", "tags": self._tags})

    def has_now(self, path: str) -> bool:
        """Tell whether a file is written, or found as it was, in this run."""
        return path in self._here

    def has(self, path: str, tag: str, size: int | None = None) -> bool:
        """Tell whether a file was written before with a tag, and has that size; if so it counts as kept."""
        place = self.folder / path
        if path in self._here:
            return True
        if not tag or self._tags.get(path) != tag or not place.is_file():
            return False
        length = place.stat().st_size
        if not length or size not in (None, length):
            return False
        self._keep(path, tag, length)
        return True

    def write(self, path: str, content: bytes) -> None:
        """Write a file of the site, unless it is there with this content.

        Parameters
        ----------
        path : str
            Below the site's folder.
        content : bytes
            All of it.
        """
        if path in self._here:
            return
        place = self.folder / path
        if place.is_file() and place.stat().st_size == len(content) and place.read_bytes() == content:
            self._keep(path, "", len(content))
            return
        with self.file(path) as put_bytes:
            put_bytes(content)

    @contextmanager
    def file(self, path: str, tag: str = "") -> Iterator[Callable[[bytes], Any]]:
        """Write a file piece by piece; it gets its name when all is written."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            with draft.open("wb") as file:
                yield file.write
            size = draft.stat().st_size
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
        self.written += 1
        self._note(path, tag, size)

    def finish(self, owned: tuple[str, ...]) -> None:
        """Remove what an earlier run wrote and this one did not, such as a record that was withdrawn.

        Parameters
        ----------
        owned : tuple of str
            Further folders that are the site's own.
        """
        for name in (*OWN, *owned):
            for place in sorted((self.folder / name).rglob("*"), reverse=True):
                path = place.relative_to(self.folder).as_posix()
                if place.is_dir() and not place.is_symlink():
                    if not any(place.iterdir()):
                        place.rmdir()
                elif path not in self._here:
                    place.unlink()
                    self.removed += 1
        for name in ("feed.atom", "news.atom", "sitemap.xml", "logo.svg", "logo.png", "logo.webp"):
            if name not in self._here and (self.folder / name).is_file():
                (self.folder / name).unlink()
                self.removed += 1
        write_json(self.folder / STATE, {"made by": "tomarium site build", "tags": self._new_tags})

    def _keep(self, path: str, tag: str, size: int) -> None:
        self.kept += 1
        self._note(path, tag, size)

    def _note(self, path: str, tag: str, size: int) -> None:
        self._here.add(path)
        self.bytes += size
        if tag:
            self._new_tags[path] = tag


def _tags(state: Path) -> dict[str, str]:
    try:
        tags = json.loads(state.read_text(encoding="utf-8"))["tags"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {str(path): str(tag) for path, tag in tags.items()} if isinstance(tags, dict) else {}
