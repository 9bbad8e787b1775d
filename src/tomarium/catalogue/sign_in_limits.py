"""How often a sign-in may fail: counted in the database, so that it holds over all processes of a portal."""

from __future__ import annotations

import ipaddress
import time
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from tomarium.catalogue.tables import failed_sign_ins as failed

WINDOW_S: Final = 15 * 60.0
PER_NAME_AND_ADDRESS: Final = 5
PER_ADDRESS: Final = 20
PER_NAME: Final = 100
"""High, so that strangers do not easily keep somebody out: 9600 guesses a day at most, and passwords are long."""


def begin(connection: Connection, name: str, address: str, now: float | None = None) -> float:
    """Ask whether a sign-in may be tried, and count it as failed until `succeed` is told.

    Counting before the password is looked at keeps many tries at once from passing together.

    Parameters
    ----------
    connection : Connection
        That may write.
    name : str
        As it was given; counted alike whether there is such an account or not.
    address : str
        Of the machine that asks; of IPv6 the network of 64 bits counts, for one machine has all of it.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    float
        Seconds to wait; 0 where it may be tried.
    """
    moment = time.time() if now is None else now
    connection.execute(delete(failed).where(failed.c.moment_utc < moment - WINDOW_S))
    name, address = name[:80], network(address)
    by_name, by_address = failed.c.name == name, failed.c.address == address
    waits_s = (
        _wait(connection, by_name & by_address, PER_NAME_AND_ADDRESS, moment),
        _wait(connection, by_address, PER_ADDRESS, moment),
        _wait(connection, by_name, PER_NAME, moment),
    )
    if not any(waits_s):
        connection.execute(insert(failed).values(name=name, address=address, moment_utc=moment))
    return max(waits_s)


def succeed(connection: Connection, name: str, address: str) -> None:
    """Forget the failures of a name from an address.

    Parameters
    ----------
    connection : Connection
        That may write.
    name, address : str
        As `begin` had them.
    """
    condition = (failed.c.name == name[:80]) & (failed.c.address == network(address))
    connection.execute(delete(failed).where(condition))


def network(address: str) -> str:
    """Return what one machine cannot change of its address.

    Parameters
    ----------
    address : str
        IPv4 or IPv6; any text.

    Returns
    -------
    str
        The address; of IPv6 its network of 64 bits.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:80]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _wait(connection: Connection, which: ColumnElement[bool], most: int, now: float) -> float:
    count, oldest = connection.execute(select(func.count(), func.min(failed.c.moment_utc)).where(which)).one()
    return float(max(oldest + WINDOW_S - now, 1.0)) if count >= most else 0.0
