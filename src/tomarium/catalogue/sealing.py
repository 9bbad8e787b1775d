"""Secrets that stand sealed in the database: who has the database, or a backup of it, and not the key reads none.

The key is a file of the catalogue's home, for its owner alone, and in no backup. Sealed by Fernet (AES-128-CBC and
HMAC-SHA-256, https://github.com/fernet/spec); each line of the file is a key, of which the first one seals.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tomarium.errors import InputError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_FILE: Final = "secrets.key"
SEALED: Final = "sealed:"
"""What a sealed text begins with; what was kept before secrets were sealed stands open until it is used."""


class KeyUnusable(InputError):
    """The key is gone, is another one, or may be read by others: what was sealed with it cannot be read."""


def seal(home: Path, text: str, *, makes_key: bool = False) -> str:
    """Seal a text.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    text : str
        What nobody is to read without the key.
    makes_key : bool
        Whether a key is made where there is none; only right where nothing is sealed yet.

    Returns
    -------
    str
        Letters, digits, "-", "_", "=" and ":".

    Raises
    ------
    KeyUnusable
        There is no key, or it may be read by others.
    """
    if makes_key and not (home / KEY_FILE).exists():
        _write_keys(home, [_new_key()], first=True)
    return SEALED + _box(_keys(home)).encrypt(text.encode()).decode()


def is_sealed(text: str) -> bool:
    """Tell whether a text was sealed."""
    return text.startswith(SEALED)


def unseal(home: Path, text: str) -> str:
    """Read a text that was sealed; one that stands open is returned as it is.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    text : str
        As it stands in the database.

    Returns
    -------
    str
        What was sealed.

    Raises
    ------
    KeyUnusable
        There is no key, it is another one than that which sealed it, or it may be read by others.
    """
    from cryptography.fernet import InvalidToken

    if not is_sealed(text):
        return text
    try:
        return _box(_keys(home)).decrypt(text.removeprefix(SEALED).encode()).decode()
    except InvalidToken as problem:
        raise KeyUnusable(
            f"{home / KEY_FILE}: is another key than that which the second factors were sealed with; put the file back "
            f"that was kept beside the backup, or switch them off with: tomarium user second-factor NAME --off"
        ) from problem


def add_key(home: Path) -> None:
    """Make a new key, which seals from now on; those before are kept and still read, until `drop_old_keys`."""
    keys_before = _keys(home) if (home / KEY_FILE).exists() else []
    _write_keys(home, [_new_key(), *keys_before])


def drop_old_keys(home: Path) -> None:
    """Forget all keys but the one that seals."""
    _write_keys(home, _keys(home)[:1])


def _new_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _box(keys: list[str]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def _keys(home: Path) -> list[str]:
    path = home / KEY_FILE
    try:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            raise KeyUnusable(f"{path}: may be read by others than its owner; say: chmod 600 {path}")
        keys = path.read_text(encoding="ascii").split()
        _box(keys)
    except OSError as problem:
        raise KeyUnusable(
            f"{path}: the key of the second factors cannot be read ({problem.strerror or problem}); put the file back "
            f"that was kept beside the backup, or switch them off with: tomarium user second-factor NAME --off"
        ) from problem
    except ValueError as problem:
        raise KeyUnusable(
            f"{path}: holds no key; put the file back that was kept beside the backup"
        ) from problem
    return keys


def _write_keys(home: Path, keys: list[str], *, first: bool = False) -> None:
    """Write the file whole, for its owner alone; of two that make the first one the other's is kept."""
    path = home / KEY_FILE
    draft = home / f".{KEY_FILE}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("\n".join(keys) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if not first:
            draft.replace(path)
            return
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
