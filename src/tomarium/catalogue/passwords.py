"""Passwords: only ever kept as an Argon2id hash."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, Final

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from tomarium.catalogue import form_words
from tomarium.errors import InputError
from tomarium.model.sentence import Sentence

PARAMETERS: Parameters = RFC_9106_LOW_MEMORY
"""Cost of a hash, the second recommended choice of RFC 9106, section 4: 3 passes over 64 MiB by 4 threads."""
SHORTEST: Final = 12
LONGEST: Final = 1000
_AT_ONCE: Final = threading.BoundedSemaphore(4)  # 64 MiB each: many sign-ins at once must not take all memory


def demand_good(password: str, name: str = "") -> None:
    """Refuse a password that is guessed too easily.

    Parameters
    ----------
    password : str
        Any characters; nothing is demanded but its length, after NIST SP 800-63B, section 3.1.1.2.
    name : str
        Name of its account.

    Raises
    ------
    InputError
        It is shorter than `SHORTEST` characters, longer than `LONGEST`, is of few characters or holds the name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            Sentence(form_words.PASSWORD_LENGTH, count=len(password), least=SHORTEST, most=LONGEST)
        )
    if len(set(password)) < 5:
        raise InputError(Sentence(form_words.PASSWORD_REPEATS))
    if name and name in password.lower() and len(password) - len(name) < SHORTEST // 2:
        raise InputError(Sentence(form_words.PASSWORD_IS_NAME))


def hashed(password: str) -> str:
    """Return what is kept of a password.

    Parameters
    ----------
    password : str
        As it was given.

    Returns
    -------
    str
        Argon2id hash with its salt and parameters, as "$argon2id$v=19$…".
    """
    with _AT_ONCE:
        return PasswordHasher.from_parameters(PARAMETERS).hash(password)


def fits(kept: str, password: str) -> bool:
    """Tell whether a password is the right one; it takes as long where there is none.

    Parameters
    ----------
    kept : str
        What `hashed` returned, "" where the account has no password or does not exist.
    password : str
        As it was given.

    Returns
    -------
    bool
        Never True where `kept` is "".
    """
    if len(password) > LONGEST:  # no account has one; the work of hashing must not grow with what is sent
        password = password[:LONGEST]
        kept = ""
    with _AT_ONCE:
        nobody = _of_nobody()  # for each name alike, also when it is made for the first time
        try:
            return PasswordHasher().verify(kept or nobody, password) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Tell whether a hash was made with other parameters than those of today.

    Parameters
    ----------
    kept : str
        What `hashed` returned.

    Returns
    -------
    bool
        It should be made anew when the password is next given.
    """
    return PasswordHasher.from_parameters(PARAMETERS).check_needs_rehash(kept)


def _of_nobody() -> str:
    return _hash_of_nobody(tuple((name, getattr(PARAMETERS, name)) for name in Parameters.__slots__))


@lru_cache(maxsize=4)
def _hash_of_nobody(parameters: tuple[tuple[str, Any], ...]) -> str:
    return PasswordHasher.from_parameters(Parameters(**dict(parameters))).hash("the password of nobody")
