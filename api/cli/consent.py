"""`fansumer wallet consent`: what a fan allows, and takes back."""

import time
from enum import StrEnum
from string import hexdigits
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, PayOwn, Program, Url, Wait, WalletFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.wallet.client import Answer
    from api.wallet.errors import ClientProblem
    from api.wallet.wallet import Sent, Wallet
    from ledger.types import ProgramId

ID_DIGITS = 64
NOTED = "noted"
ALL_COLUMNS = ("program", "purpose", "scope", "grantee")
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
    """Take a consent back, without a fee; all of them: `revoke-all`.

    \b
    Example:
      fansumer wallet consent revoke 5f5f...5f --purpose personalise
    """
    from api.cli.output import print_answer
    from api.cli.session import finish, open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        grantee = read_grantee(opened, to, purpose)
        sent = _send_revocation(opened, of_program, purpose, scope, grantee)
        if sent is None:
            print_answer({"status": NOTED}, as_json=as_json)
        else:
            finish(opened, sent, wait=wait, as_json=as_json)


@app.command()
def revoke_all(
    program: Annotated[
        str | None, typer.Argument(metavar="[PROGRAM]", help="Of the account for this program; by default of all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before taking them back.")] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take back every consent that anybody may act on now, without a fee: of one program's account, or of all of yours.

    \b
    Each is a transaction of its own, and counts once the node has it. What could not be sent is listed: say it again, and only
    that is sent. A grant that still waits for its block is not among them.
    Examples:
      fansumer wallet consent revoke-all 5f5f...5f
      fansumer wallet consent revoke-all --yes
    """
    from api.cli.output import print_answer, print_rows, say
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    wanted = None if program is None else ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        found = [{"program": one.hex(), **row} for one, row in opened.obeyed_consents(wanted)]
        if not found:
            say("nobody may act on anything of yours here")
        elif not yes:
            print_rows(found, ALL_COLUMNS)
            typer.confirm(f"Take back all {len(found)}?", abort=True, err=True)
        sent, remain, fault = _revoke_rows(opened, found)
        revoked: list[dict[str, object]] = []
        for row, one in sent:
            status = NOTED
            if one is not None:
                status, fault = _await_block(opened, one, wait=wait, fault=fault)
            revoked.append({**row, "status": status})
    print_answer({"revoked": revoked, "remain": remain}, as_json=as_json)
    if remain:
        say(f"{len(remain)} of {len(found)} may remain as they were: give the command again")
    if fault is not None:
        raise fault


def _await_block(
    wallet: "Wallet", sent: "Sent", *, wait: bool, fault: "ClientProblem | None"
) -> "tuple[str, ClientProblem | None]":
    """What became of a revocation that the node has, and the first fault; after one nothing is waited for."""
    from api.cli.session import settle
    from api.wallet.errors import ClientProblem

    try:
        return str(settle(wallet, sent, wait=wait and fault is None)["status"]), fault
    except ClientProblem as problem:
        return "unconfirmed", problem


def _revoke_rows(
    wallet: "Wallet", rows: "Sequence[Answer]"
) -> "tuple[list[tuple[Answer, Sent | None]], list[Answer], ClientProblem | None]":
    """Send a revocation of each; what was sent, what was not and why, and the first fault. Ends where the node is gone."""
    from api.wallet.errors import ClientProblem, Unreachable
    from ledger.types import ProgramId

    sent: list[tuple[Answer, Sent | None]] = []
    remain: list[Answer] = []
    first: ClientProblem | None = None
    for row in rows:
        shown = {name: row[name] for name in ALL_COLUMNS}
        if isinstance(first, Unreachable):
            remain.append({**shown, "code": first.code})
            continue
        purpose = Purpose(row["purpose"])
        grantee = read_grantee(wallet, row["grantee"], purpose)
        try:
            of_program = ProgramId(bytes.fromhex(row["program"]))
            sent.append((shown, _send_revocation(wallet, of_program, purpose, row["scope"], grantee)))
        except ClientProblem as problem:
            remain.append({**shown, "code": problem.code})
            first = problem if first is None or isinstance(problem, Unreachable) else first
    return sent, remain, first


def _send_revocation(
    wallet: "Wallet", program: "ProgramId", purpose: Purpose, scope: str, grantee: bytes | None
) -> "Sent | None":
    """Send one; None: the node had no room for it, obeys it, and sends it on by itself."""
    from api.cli.output import say
    from api.wallet.errors import ClientProblem

    try:
        return wallet.revoke_consent(program, purpose=purpose.number, scope=scope, grantee=grantee)
    except ClientProblem as problem:
        if not problem.code.startswith("mempool.") or not _is_noted(wallet, program, purpose, scope, grantee):
            raise
        say(f"The node has no room for it ({problem.code}). It obeys it already, and sends it on by itself.")
    return None


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
