"""`fansumer wallet consent`: what a fan allows, and takes back."""

import time
from enum import StrEnum
from string import hexdigits
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, PayOwn, Program, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.wallet import Wallet
    from ledger.types import ProgramId

ID_DIGITS = 64
LIST_COLUMNS = ("purpose", "scope", "grantee", "state", "obeyed", "expires_at")

app = typer.Typer(no_args_is_help=True, help="What others may do with what you did; every consent can be taken back.")


class Purpose(StrEnum):
    """What for; the ledger's numbers in their order."""

    PERSONALISE = "personalise"
    SHARE = "share"
    PUBLISH = "publish"
    CONTACT = "contact"

    @property
    def number(self) -> int:
        """As the ledger has it."""
        return list(Purpose).index(self)


For = Annotated[Purpose, typer.Option("--purpose", help="What it is for.")]
Scope = Annotated[
    str,
    typer.Option(
        "--scope",
        help="To share: standing, history, receipts, gifts or campaigns. To personalise: receipts, receipts/CATEGORY, behaviour, "
        "standing, campaigns, voice, linked; service, or service/PART (standing, receipts, campaigns, voice, messages), opens your "
        "history to the brand's staff for 30 days at most. To contact: webhook. Empty is all but gifts, linked and service.",
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="Who may act: an address, or a program's 64 hexadecimal digits. By default the program itself, but to share.",
    ),
]
SHARED = ("", "standing", "history", "receipts", "gifts", "campaigns")
"""Scopes that a node gives to partners."""


PERSONAL = (
    *("receipts", "receipts/CATEGORY", "behaviour", "standing", "campaigns", "voice", "linked", "service"),
    *(f"service/{part}" for part in ("standing", "receipts", "campaigns", "voice", "messages")),
)
"""Scopes by which a node reads a fan for its program (spec PER-1, PER-8)."""


def opens_something(scope: str) -> bool:
    """Whether a node reads anything by a scope of `personalise`."""
    parent, slash, category = scope.partition("/")
    return not scope or scope in PERSONAL or bool(parent == "receipts" and slash and category)


def read_grantee(wallet: "Wallet", text: str | None, purpose: Purpose) -> bytes | None:
    """Whom a consent is for; None is the program. Raises UsageFault address.*, cli.bad_id."""
    from api.cli.session import read_account, read_id

    if text is None:
        if purpose is Purpose.SHARE:
            raise typer.BadParameter("name the partner, by its address", param_hint="--to")
        return None
    is_id = len(text) == ID_DIGITS and all(character in hexdigits for character in text)
    return read_id(text, "--to") if is_id else read_account(wallet, text)


@app.command()
def grant(
    program: Program,
    purpose: For,
    scope: Scope = "",
    to: To = None,
    days: Annotated[int, typer.Option("--days", min=0, max=36_500, help="How long; 0 is until it is taken back.")] = 0,
    minutes: Annotated[
        int,
        typer.Option(
            "--minutes", min=0, max=1_440, help="The same in minutes, from now: for one call at a service desk."
        ),
    ] = 0,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Allow one purpose.

    \b
    Examples:
      fansumer wallet consent grant 5f5f...5f --purpose personalise --days 365
      fansumer wallet consent grant 5f5f...5f --purpose share --to dfan1p... --scope standing
      fansumer wallet consent grant 5f5f...5f --purpose personalise --scope service --minutes 30
    """
    from api.cli.output import warn
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.wallet import OWN_FEE, POOL
    from ledger.types import ProgramId, Timestamp

    of_program = ProgramId(read_id(program, "PROGRAM"))
    if days and minutes:
        raise typer.BadParameter("name days or minutes, not both", param_hint="--minutes")
    if purpose is Purpose.SHARE and scope not in SHARED:
        warn(f"a node gives a partner nothing for the scope {scope!r}; it knows {', '.join(SHARED[1:])}")
    if purpose is Purpose.PERSONALISE and not opens_something(scope):
        warn(f"a node reads nothing by the scope {scope!r}; it knows {', '.join(PERSONAL)}")
    with open_wallet(url, wallet) as opened:
        grantee = read_grantee(opened, to, purpose)
        # the last block may be as old as the consent is short, and the next one must not find it over
        now = max(int(opened.client.chain()["time"]), int(time.time()) if minutes else 0)
        lasts = days * 86_400 + minutes * 60
        sent = opened.grant_consent(
            of_program,
            purpose=purpose.number,
            scope=scope,
            expires_at=Timestamp(now + lasts if lasts else 0),
            grantee=grantee,
            payment=OWN_FEE if pay_own else POOL,
        )
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command()
def revoke(
    program: Program,
    purpose: For,
    scope: Scope = "",
    to: To = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take a consent back, without a fee.

    \b
    Example:
      fansumer wallet consent revoke 5f5f...5f --purpose personalise
    """
    from api.cli.output import print_answer, say
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.errors import ClientProblem
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        grantee = read_grantee(opened, to, purpose)
        try:
            sent = opened.revoke_consent(of_program, purpose=purpose.number, scope=scope, grantee=grantee)
        except ClientProblem as problem:
            if not problem.code.startswith("mempool.") or not _is_noted(opened, of_program, purpose, scope, grantee):
                raise
            say(f"The node has no room for it ({problem.code}). It obeys it already, and sends it on by itself.")
            print_answer({"status": "noted"}, as_json=as_json)
            return
        finish(opened, sent, wait=wait, as_json=as_json)


def _is_noted(wallet: "Wallet", program: "ProgramId", purpose: Purpose, scope: str, grantee: bytes | None) -> bool:
    """Whether the node obeys a revocation that it had no room for."""
    from ledger.types import Address

    named = program.hex() if grantee in (None, program) else wallet.address_text(Address(grantee or b""))
    return any(
        row["state"] == "revocation_received"
        for row in wallet.consents(program)
        if (row["purpose"], row["scope"], row["grantee"]) == (purpose.value, scope, named)
    )


@app.command("list")
def list_consents(program: Program, wallet: WalletFile = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show every consent that the account for a program ever gave, and whether the node obeys it now.

    \b
    A revocation counts from the moment in which the node received it.
    Example:
      fansumer wallet consent list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        rows = opened.consents(of_program)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, LIST_COLUMNS)
