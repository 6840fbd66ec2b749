"""`fansumer brand products`, `segments`, `plan`, `message-report`: a brand's products, and what it learns of groups of fans."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Program, Url, WalletFile

webhook_app = typer.Typer(
    no_args_is_help=True, help="Where messages go that fans let out, signed after Standard Webhooks."
)


@webhook_app.command("add")
def add_webhook(
    program: Program,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An https address on the public internet.")],
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Name a webhook; the secret that is printed is shown this once.

    \b
    Example:
      fansumer brand webhook add 5f5f...5f https://shop.example/fansumer
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id

    of_program = read_id(program, "PROGRAM")
    with open_wallet(url, wallet, account) as opened:
        answer = opened.client.personal.make_webhook(opened.main_owner(), of_program, address)
    print_answer(answer, as_json=as_json)


@webhook_app.command("list")
def list_webhooks(
    program: Program, wallet: WalletFile = None, account: Account = 0, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Show webhooks, and how many messages wait, arrived, or were lost.

    \b
    Example:
      fansumer brand webhook list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id

    of_program = read_id(program, "PROGRAM")
    with open_wallet(url, wallet, account) as opened:
        found = opened.client.personal.webhooks(opened.main_owner(), of_program)["items"]
    print_json(found) if as_json else print_rows(found)


@webhook_app.command("drop")
def drop_webhook(
    program: Program,
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id: 32 hexadecimal digits.")],
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Delete a webhook; what waits for it is deleted, too.

    \b
    Example:
      fansumer brand webhook drop 5f5f...5f 3e3e...3e
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id

    of_program = read_id(program, "PROGRAM")
    try:
        wanted = bytes.fromhex(webhook)
    except ValueError:
        raise typer.BadParameter("it is 32 hexadecimal digits", param_hint="WEBHOOK") from None
    with open_wallet(url, wallet, account) as opened:
        answer = opened.client.personal.drop_webhook(opened.main_owner(), of_program, wanted)
    print_answer(answer, as_json=as_json)


def products(
    program: Program,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help='JSON: {"zone": "Europe/Berlin", "products": [{"item": "...", ...}]}.'),
    ],
    add: Annotated[bool, typer.Option("--add", help="Keep products that the file does not name.")] = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Publish what your products are: names in English and Korean, categories, prices, stock, recalls. /docs has an example.

    \b
    Example:
      fansumer brand products 5f5f...5f products.json
    """
    from api.cli.output import UsageFault, print_answer
    from api.cli.session import BAD_FILE, open_wallet, read_id, read_text
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    try:
        found = json.loads(read_text(file))
        listed, zone = list(found["products"]), str(found.get("zone", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageFault(
            BAD_FILE, path=str(file), what="product feed", reason="it is no JSON object with `products`"
        ) from None
    with open_wallet(url, wallet, account) as opened:
        calls = opened.client.personal
        answer = calls.put_products(opened.main_owner(), of_program, listed, zone=zone, whole=not add)
    print_answer(answer, as_json=as_json)


def segments(
    program: Program, wallet: WalletFile = None, account: Account = 0, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Show groups of at least ten fans who let your program personalise; each fan sees that it was counted.

    \b
    Example:
      fansumer brand segments 5f5f...5f
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id

    of_program = read_id(program, "PROGRAM")
    with open_wallet(url, wallet, account) as opened:
        answer = opened.client.personal.segments(opened.main_owner(), of_program)
    print_answer(answer, as_json=as_json)


def plan(
    program: Program,
    topic: Annotated[str, typer.Argument(help="Of the messages: discovery, winning_back, offer_waiting, ...")],
    points: Annotated[int, typer.Option("--points", min=0, help="For each fan.")] = 0,
    budget: Annotated[int, typer.Option("--budget", min=0, help="In points, altogether.")] = 0,
    stage: Annotated[str | None, typer.Option("--stage", help="new, growing, loyal, cooling or gone.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="In which they buy most.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="en or ko.")] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show whom messages of a topic would reach and what they would cost. Nothing is sent.

    \b
    Example:
      fansumer brand plan 5f5f...5f winning_back --stage cooling --points 20 --budget 2000
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id

    of_program = read_id(program, "PROGRAM")
    said: dict[str, Any] = {"topic": topic, "points_each": points, "budget_points": budget}
    said |= {name: value for name, value in (("stage", stage), ("category", category), ("language", language)) if value}
    with open_wallet(url, wallet, account) as opened:
        answer = opened.client.personal.plan(opened.main_owner(), of_program, said)
    print_answer(answer, as_json=as_json)


def message_report(
    program: Program, wallet: WalletFile = None, account: Account = 0, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Show what messages brought by topic, against fans who were held out, and what opt-outs cost.

    \b
    Example:
      fansumer brand message-report 5f5f...5f
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id

    of_program = read_id(program, "PROGRAM")
    with open_wallet(url, wallet, account) as opened:
        answer = opened.client.personal.report(opened.main_owner(), of_program)
    print_answer(answer, as_json=as_json)
