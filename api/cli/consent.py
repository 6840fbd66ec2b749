"""`fansumer wallet consent`: what a fan allows, and takes back."""

from enum import StrEnum
from typing import Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, PayOwn, Program, Url, Wait, WalletFile

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
    str, typer.Option("--scope", help="A channel, a category or a partner's service; empty is all of it.")
]
To = Annotated[
    str | None, typer.Option("--to", help="Who may act, as 64 hexadecimal digits; by default the program itself.")
]


@app.command()
def grant(
    program: Program,
    purpose: For,
    scope: Scope = "",
    to: To = None,
    days: Annotated[int, typer.Option("--days", min=0, max=36_500, help="How long; 0 is until it is taken back.")] = 0,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Allow one purpose.

    \b
    Example:
      fansumer wallet consent grant 5f5f...5f --purpose personalise --days 365
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.wallet import OWN_FEE, POOL
    from ledger.types import ProgramId, Timestamp

    of_program = ProgramId(read_id(program, "PROGRAM"))
    grantee = None if to is None else read_id(to, "--to")
    with open_wallet(url, wallet) as opened:
        now = int(opened.client.chain()["time"])
        sent = opened.grant_consent(
            of_program,
            purpose=purpose.number,
            scope=scope,
            expires_at=Timestamp(now + days * 86_400 if days else 0),
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
    from api.cli.session import finish, open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    grantee = None if to is None else read_id(to, "--to")
    with open_wallet(url, wallet) as opened:
        sent = opened.revoke_consent(of_program, purpose=purpose.number, scope=scope, grantee=grantee)
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command("list")
def list_consents(program: Program, wallet: WalletFile = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show every consent that the account for a program ever gave, and whether it still holds.

    \b
    Example:
      fansumer wallet consent list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        rows = [
            {**row, "purpose": list(Purpose)[row["purpose"]].value}
            for row in opened.consents(of_program, int(opened.client.chain()["time"]))
        ]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)
