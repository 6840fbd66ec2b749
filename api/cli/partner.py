"""`fansumer partner`: what fans have granted to you."""

from enum import StrEnum
from typing import Annotated

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Limit, Program, Url, WalletFile

app = typer.Typer(no_args_is_help=True, help="A partner's reads: what fans share with you, and nothing else.")


class Scope(StrEnum):
    """What a partner may ask for."""

    STANDING = "standing"
    HISTORY = "history"
    RECEIPTS = "receipts"
    CAMPAIGNS = "campaigns"


@app.command()
def read(
    program: Program,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="The fan's address in this program.")],
    scope: Annotated[Scope, typer.Argument(help="What to read.")],
    limit: Limit = 50,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="`next_cursor` of the page before, as it came.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Read what a fan shares with your main account. The fan sees each read, also one that is refused.

    \b
    Example:
      fansumer partner read 5f5f...5f dfan1p... standing
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_account, read_id

    of_program = read_id(program, "PROGRAM")
    with open_wallet(url, wallet, account) as opened:
        fan = opened.address_text(read_account(opened, member))
        is_page = scope is not Scope.STANDING
        answer = opened.client.partner_read(
            opened.main_owner(),
            of_program,
            fan,
            scope.value,
            cursor=cursor if is_page else None,
            limit=limit if is_page else None,
        )
    print_answer(answer, as_json=as_json)
