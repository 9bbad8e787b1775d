"""The second factor of one's own account: whether it is on, and the forms that change it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastapi import HTTPException
from markupsafe import Markup

from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.second_factor import app_address, factor_of, lacks_factor, pending_secret
from tomarium.catalogue.settings import all_settings
from tomarium.portal import refusals
from tomarium.portal.identity import identify
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext

NO_KEY: Final = (
    "Codes of apps cannot be checked now: the key of this catalogue is missing. Use a recovery code, and tell an "
    "administrator."
)


@dataclass(frozen=True)
class SecondFactorPage:
    """Content of the page.

    Attributes
    ----------
    title, name : str
        Of the page, and of the account.
    on : bool
        Whether signing in asks for a code.
    codes : int
        Recovery codes that are left.
    demanded : bool
        Whether the account counts as a member until it is on.
    has_account, has_password : bool
        Whether who asks has an account, which the owner of this machine needs not, and signs in to it with a password.
    problem, told : str
        What went wrong, or was done.
    secret : str
        Of a second factor that is being set up, in groups of four; "" else.
    picture : Markup
        The QR code of it, SVG.
    shown : tuple of str
        Recovery codes that were just made; they are shown this once.
    """

    title: str
    name: str
    on: bool
    codes: int
    demanded: bool
    has_account: bool
    has_password: bool
    problem: str = field(default="", metadata=FOR_PEOPLE)
    told: str = field(default="", metadata=FOR_PEOPLE)
    secret: str = field(default="", metadata=FOR_PEOPLE)
    picture: Markup = field(default=Markup(), metadata=FOR_PEOPLE)
    shown: tuple[str, ...] = field(default=(), metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> SecondFactorPage:
    """Tell whether a second factor is on, and how many recovery codes are left."""
    return content_of(request_context)


def content_of(
    context: RequestContext,
    *,
    problem: str = "",
    told: str = "",
    setting_up: bool = False,
    shown: tuple[str, ...] = (),
) -> SecondFactorPage:
    """Tell what there is, to who signed in.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    problem, told, shown : str, str, tuple of str
        As `SecondFactorPage` has them.
    setting_up : bool
        Whether the secret that was made is shown.

    Returns
    -------
    SecondFactorPage
        For the template.

    Raises
    ------
    HTTPException
        401: nobody signed in.
    """
    identity = identify(context.request)
    if identity.way == "owner":
        return SecondFactorPage("Second factor", identity.reader.name, False, 0, False, False, False)
    if identity.way != "session":
        raise HTTPException(401, refusals.SIGN_IN_FIRST)
    name = identity.reader.name
    with context.catalogue.reading() as connection:
        account = account_named(connection, name)
        factor = factor_of(connection, name)
        secret = pending_secret(connection, context.catalogue.home, name) if setting_up else ""
        portal = all_settings(connection)["name"]
        demanded = account.has_password and lacks_factor(connection, name, account.role)
    return SecondFactorPage(
        title="Second factor",
        name=name,
        on=factor.on,
        codes=factor.codes,
        demanded=demanded,
        has_account=True,
        has_password=account.has_password,
        problem=problem,
        told=told,
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        picture=_qr_code(app_address(secret, portal, name)) if secret else Markup(),
        shown=shown,
    )


def _qr_code(address: str) -> Markup:
    """Draw a QR code, black on white whatever the page's colours are."""
    import segno

    code = segno.make_qr(address, error="m")
    return Markup(
        code.svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    )


SECOND_FACTOR = Page(
    name="account.second_factor",
    path="/account/second-factor",
    json_path="/account/second-factor.json",
    template="second_factor.html",
    content=content,
)
