"""`fansumer brand fan-history`: a fan's history at hand for service staff, as far as the fan opened it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Program, Url, WalletFile

COLUMNS = {
    "points": ("date", "name", "data.points"),
    "redemptions": ("date", "name", "data.reward", "data.quantity"),
    "receipts": ("date", "net_cents", "points", "lines"),
    "pledges": ("title", "status", "quantity", "tier"),
    "messages": ("ready_at", "topic", "texts.en"),
    "said": ("at", "stance", "score", "content", "replied_at"),
}
HEADINGS = {"said": "said: of the brand, to be answered; nothing else depends on it"}


def fan_history(
    program: Program,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="The fan's address in this program.")],
    why: Annotated[str, typer.Option("--why", help="Your reason: the fan reads it.")],
    staff: Annotated[str, typer.Option("--staff", help="What you are called: the fan reads it, too.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="Rows of each section, the latest.")] = 20,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Look at what a fan opened to your service staff. Each look stands in the fan's log, also one that is refused.

    \b
    The fan opens it: wallet consent grant PROGRAM --purpose personalise --scope service --minutes 30
    Example:
      fansumer brand fan-history 5f5f...5f dfan1p... --why "points of Saturday are missing" --staff "Desk 3, Mina"
    """
    from api.cli.output import print_answer, print_json
    from api.cli.session import open_wallet, read_account, read_id

    of_program = read_id(program, "PROGRAM")
    with open_wallet(url, wallet, account) as opened:
        fan = opened.address_text(read_account(opened, member))
        said = {"member": fan, "why": why, "staff": staff, "limit": limit}
        answer = opened.client.personal.look(opened.main_owner(), of_program, said)
    if as_json:
        print_json(answer)
        return
    print_answer({"member": answer["member"], "open": ", ".join(sorted(answer["parts"]))}, as_json=False)
    standing = answer["standing"]
    if standing is not None:
        names = ("joined_at", "left_at", "tier", "pending", "available", "held")
        print_answer({name: standing[name] for name in names}, as_json=False)
    for name, columns in COLUMNS.items():
        _print_section(name, answer[name], columns)


def _print_section(name: str, section: Mapping[str, Any] | None, columns: tuple[str, ...]) -> None:
    from api.cli.output import print_rows

    if section is None:
        typer.echo(f"{name}: not opened")
        return
    typer.echo(HEADINGS.get(name, name) + (" (the latest; --limit shows more)" if section["more"] else ""))
    print_rows(section["items"], columns)
