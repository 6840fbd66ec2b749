"""`fansumer wallet reads`, `export-data`, `delete-data`: what a node holds on a fan, and who was shown some of it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, Limit, Program, Url, WalletFile

READ_COLUMNS = ("date", "reader", "scope", "given", "times", "code", "staff", "why")
COUNTED = ("receipts", "reads", "records", "events", "transactions", "pending", "revocations")


def reads(
    program: Program,
    limit: Limit = 100,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show who read what of your account for a program, and who was refused, the newest first; of service staff also why.

    \b
    Example:
      fansumer wallet reads 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        page = opened.client.own_reads(opened.owner(of_program), limit=limit)
    if as_json:
        print_json(page["items"])
    else:
        print_rows(page["items"], READ_COLUMNS)


def export_data(
    program: Program,
    out: Annotated[Path, typer.Option("--out", help="The file to write. It is yours: keep it like your receipts.")],
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Get everything that the node holds on your account for a program, as JSON.

    \b
    Example:
      fansumer wallet export-data 5f5f...5f --out my-data.json
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id, refuse_keystore, write_file
    from api.wallet.client import BAD_ANSWER
    from api.wallet.errors import Unreachable
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    refuse_keystore(out)
    with open_wallet(url, wallet) as opened:
        content = opened.client.export_own(opened.owner(of_program))
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("complete") is not True:
        raise Unreachable.of_code(BAD_ANSWER, url=url, reason="the export was cut off")
    write_file(out, content)
    counts = {name: len(document[name]) for name in COUNTED}
    print_answer({"file": str(out), "account": document["account"], **counts}, as_json=as_json)


def delete_data(
    program: Program,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Delete what the node may delete of your account for a program, and read what is gone, what remains and why.

    \b
    Points stay. Receipts that were not settled are easier to contest with your own copies: `export-data` first.
    Example:
      fansumer wallet delete-data 5f5f...5f
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        if not yes:
            typer.confirm(
                "Delete your receipts with their lines, gift marks and the log of reads from this node?",
                abort=True,
                err=True,
            )
        report = opened.client.delete_own(opened.owner(of_program))
    print_answer(report, as_json=as_json)
