"""Which instruments are assigned to whom: their drafts are open to an instrument scientist."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.tables import account_instruments, facets
from tomarium.errors import InputError

LONGEST_INSTRUMENT: Final = 200


def change_instruments(
    connection: Connection,
    by: Reader,
    name: str,
    *,
    assign: tuple[str, ...] = (),
    release: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Assign instruments to an account, and take others from it.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    name : str
        Of the account. The instruments count while its role is instrument scientist.
    assign, release : tuple of str
        Names of instruments, exactly as records tell them.

    Returns
    -------
    tuple of str
        The instruments assigned to it now.

    Raises
    ------
    InputError
        There is no such account, an instrument to take is not assigned to it, or a name is none.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="assign instruments")
    account = account_named(connection, name)
    for text in assign:
        instrument = " ".join(text.split())
        if not instrument.isprintable() or not 0 < len(instrument) <= LONGEST_INSTRUMENT:
            raise InputError(
                f"{text[:60]!r} cannot be the name of an instrument; give it as records tell it, in 1 to "
                f"{LONGEST_INSTRUMENT} characters, such as BM05"
            )
        if instrument not in account.instruments:
            connection.execute(insert(account_instruments).values(account=name, instrument=instrument))
            note(connection, by, "assign instrument", account=name, instrument=instrument)
            account = account_named(connection, name)
    for instrument in release:
        if instrument not in account.instruments:
            names = ", ".join(account.instruments) or "none"
            raise InputError(
                f"the instrument {instrument[:60]!r} is not assigned to {name} (instruments: {names})"
            )
        condition = (account_instruments.c.account == name) & (account_instruments.c.instrument == instrument)
        connection.execute(delete(account_instruments).where(condition))
        note(connection, by, "release instrument", account=name, instrument=instrument)
    return account_named(connection, name).instruments


def known_instruments(connection: Connection) -> list[str]:
    """Return the names of the instruments of all records, for who assigns them.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    list of str
        In the order of the alphabet.
    """
    query = select(facets.c.value).where(facets.c.name == "instrument").distinct().order_by(facets.c.value)
    return list(connection.execute(query).scalars())
