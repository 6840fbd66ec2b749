"""What everybody can read of those who mine at a node: `fansumer chain miners`, `mined`, `shares`."""

from typing import Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, Limit, Url

BLOCK_COLUMNS = {
    "height": "height",
    "is_active": "in the chain",
    "reward": "reward",
    "first_share": "first share",
    "last_share": "last share",
    "hash": "hash",
}
SHARE_COLUMNS = ("number", "time", "address", "worker", "weight", "hash")


def show_miners(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show who mines at this node, and what a block found now would pay them.

    \b
    Example:
      fansumer chain miners
    """
    from api.cli.output import print_answer
    from api.cli.session import connect

    with connect(url) as client:
        print_answer(client.mining.standing(), as_json=as_json)


def list_mined(
    block: Annotated[
        str | None, typer.Argument(metavar="[HASH]", help="One block: whom it paid, and for which shares.")
    ] = None,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List the blocks that were found at this node, or show the account of one.

    \b
    Example:
      fansumer chain mined --limit 5
    """
    from api.cli.output import print_answer, print_json, print_rows
    from api.cli.session import connect, read_id

    with connect(url) as client:
        if block is not None:
            print_answer(client.mining.block(read_id(block, "HASH")), as_json=as_json)
            return
        page = client.mining.blocks(limit=limit)
    if as_json:
        print_json(page)
    else:
        print_rows(page["items"], BLOCK_COLUMNS)


def list_shares(
    first: Annotated[int | None, typer.Option("--from", min=1, help="The number to begin with, downwards.")] = None,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List the shares that counted at this node, the newest first.

    \b
    Example:
      fansumer chain shares --from 120 --limit 50
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect

    with connect(url) as client:
        page = client.mining.shares(first=first, limit=limit)
    if as_json:
        print_json(page)
    else:
        print_rows(page["items"], SHARE_COLUMNS)
