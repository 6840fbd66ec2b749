"""`fansumer chain`: what a node knows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import attestors, contributions, mining, proposals, reviews, texts, updates
from api.cli.options import (
    DEFAULT_URL,
    AsJson,
    Campaign,
    DatabaseUrl,
    DataDir,
    Force,
    Limit,
    ParamsFile,
    Program,
    Source,
    TransactionId,
    Url,
    WhoseAddress,
)

if TYPE_CHECKING:
    from api.wallet.client import Client
    from api.wallet.event_stream import StreamedEvent

app = typer.Typer(no_args_is_help=True, help="The chain as a node sees it: blocks, transactions, programs, campaigns.")

BLOCK_COLUMNS = ("height", "hash", "time", "transactions")
PROGRAM_COLUMNS = ("name", "unit", "members", "sunset.state", "id")
REWARD_COLUMNS = (
    "name",
    "price",
    "stock",
    "value_cents",
    "limit.total",
    "limit.count",
    "limit.days",
    "closes_at",
    "tier_min",
    "listed",
    "id",
)
CAMPAIGN_COLUMNS = {
    "title": "title",
    "status": "status",
    "unit.type": "in",
    "goal": "goal",
    "pledged": "pledged",
    "pledges": "pledges",
    "deadline_date": "deadline",
    "id": "id",
}
PLEDGE_COLUMNS = ("number", "backer", "quantity", "tier", "height", "vote", "would_get_back", "ended")
OF_BLOCKS = ("block.connected", "block.disconnected")

app.command("proposals")(proposals.list_proposals)
app.command("proposal")(proposals.show_proposal)
app.command("ballots")(proposals.list_ballots)
app.command("promises")(proposals.show_promises)
app.command("updates")(updates.list_updates)
app.command("text")(texts.show_text)
app.command("miners")(mining.show_miners)
app.command("mined")(mining.list_mined)
app.command("shares")(mining.list_shares)


@app.command()
def info(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the chain's name, id, height, and what a wallet must know.

    \b
    Example:
      fansumer chain info
    """
    from api.cli.output import print_answer
    from api.cli.session import connect

    with connect(url) as client:
        print_answer(client.chain(), as_json=as_json)


@app.command()
def blocks(limit: Limit = 20, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the newest blocks.

    \b
    Example:
      fansumer chain blocks --limit 5
    """
    from api.cli.session import connect

    with connect(url) as client:
        _print_page(client.blocks(limit=limit), BLOCK_COLUMNS, as_json=as_json)


@app.command()
def block(
    wanted: Annotated[str, typer.Argument(metavar="HEIGHT|HASH", help="Which block.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show one block and its transactions.

    \b
    Example:
      fansumer chain block 12
    """
    from api.cli.output import print_answer
    from api.cli.session import connect

    with connect(url) as client:
        print_answer(client.block(wanted), as_json=as_json)


@app.command()
def tx(
    txid: TransactionId,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show a transaction: unconfirmed, in a block, or dropped and why; how safe it is, and about what reversing it would cost now.

    \b
    Example:
      fansumer chain tx e4e4...e4
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, read_id
    from ledger.types import TxId

    with connect(url) as client:
        print_answer(client.transaction(TxId(read_id(txid, "TXID"))), as_json=as_json)


@app.command()
def account(
    address: WhoseAddress,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show an account: coin, and points of each program.

    \b
    Example:
      fansumer chain account dfan1p...
    """
    from api.cli.output import print_answer
    from api.cli.session import connect

    with connect(url) as client:
        print_answer(client.account(address), as_json=as_json)


@app.command()
def programs(limit: Limit = 50, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List programs.

    \b
    Example:
      fansumer chain programs
    """
    from api.cli.session import connect

    with connect(url) as client:
        _print_page(client.programs(limit=limit), PROGRAM_COLUMNS, as_json=as_json)


@app.command()
def program(program: Program, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show a program: its terms, and what it owes.

    \b
    Example:
      fansumer chain program 5f5f...5f
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, read_id

    wanted = read_id(program, "PROGRAM")
    with connect(url) as client:
        shown, owed = client.program(wanted), client.liability(wanted)
    liability = {name: value for name, value in owed.items() if name != "books"}  # they stand in the program's answer
    print_answer({**shown, "liability": liability}, as_json=as_json)


@app.command()
def rewards(program: Program, limit: Limit = 50, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List what a program's points buy.

    \b
    Example:
      fansumer chain rewards 5f5f...5f
    """
    from api.cli.session import connect, read_id

    with connect(url) as client:
        _print_page(client.rewards(read_id(program, "PROGRAM"), limit=limit), REWARD_COLUMNS, as_json=as_json)


@app.command()
def campaigns(limit: Limit = 50, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List campaigns.

    \b
    Example:
      fansumer chain campaigns
    """
    from api.cli.session import connect

    with connect(url) as client:
        _print_page(client.campaigns(limit=limit), CAMPAIGN_COLUMNS, as_json=as_json)


@app.command()
def pledges(
    campaign: Campaign,
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List the pledges to a campaign by their numbers; `proof pledge` proves one.

    \b
    Example:
      fansumer chain pledges c3c3...c3
    """
    from api.cli.session import connect, read_id

    with connect(url) as client:
        _print_page(client.pledges(read_id(campaign, "CAMPAIGN"), limit=limit), PLEDGE_COLUMNS, as_json=as_json)


@app.command()
def watch(
    account: Annotated[str | None, typer.Option("--account", metavar="ADDRESS", help="Only this account's.")] = None,
    program: Annotated[str | None, typer.Option("--program", metavar="PROGRAM", help="Only this program's.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="NAME", help="Only events of this name, such as points.earned.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="ID", help="Go on after the event with this id; by default from now."),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many; by default Ctrl-C.")] = None,
    with_blocks: Annotated[
        bool | None,
        typer.Option(
            "--blocks/--no-blocks",
            help="Every block, too; by default only where nothing is filtered. That blocks were taken back is always told.",
            show_default=False,
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Watch what happens, one line each: blocks, events in them, and blocks that were taken back. With --account,
    --program or --kind only what concerns these.

    \b
    Examples:
      fansumer chain watch
      fansumer chain watch --account dfan1p... --json
      fansumer chain watch --account dfan1p... --blocks
    """
    import json

    from api.cli.session import connect, read_id

    wanted = None if program is None else read_id(program, "--program")
    are_shown = (account, program, kind) == (None,) * 3 if with_blocks is None else with_blocks
    with connect(url) as client:
        filters = {"account": account, "program": wanted, "kind": kind}
        for event in _choose_events(client, after, count, filters, with_blocks=are_shown):
            if as_json:
                typer.echo(json.dumps({"id": event.id, "event": event.name, **event.data}))
            else:
                typer.echo(_event_line(event.name, event.data))


def _choose_events(
    client: "Client", after: str | None, count: int | None, filters: Mapping[str, Any], *, with_blocks: bool
) -> "Iterator[StreamedEvent]":
    """`count` events that are to be shown, or all that ever come."""
    left = count
    while left is None or left > 0:
        for event in client.events(after=after, limit=left, **filters):
            after = event.id
            if with_blocks or event.name not in OF_BLOCKS:
                yield event
                left = None if left is None else left - 1


def _event_line(name: str, data: Mapping[str, Any]) -> str:
    """An event as a person reads it: when, what, and its own fields."""
    shown = data.get("data") or {key: data[key] for key in data if key not in ("date", "time", "previous")}
    fields = " ".join(f"{key}={value}" for key, value in shown.items() if value is not None)
    return f"{data.get('date') or '-':<20}  {name:<20}  {fields}"


@app.command()
def params(
    network: Annotated[str, typer.Option("--network", help="Which network's: main, test, dev or sim.")] = "dev",
) -> None:
    """Print a network's params file as JSON; a private chain begins with a changed copy. No node is asked.

    \b
    Example:
      fansumer chain params --network dev > params.json
    """
    from api.cli.chain_params import load_params
    from api.cli.output import print_json
    from ledger.params import params_to_mapping

    print_json(params_to_mapping(load_params(network)))


@app.command()
def dump(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; a name in .gz or .xz compresses it.")],
    source: Source = None,
    network: Annotated[
        str | None, typer.Option("--network", help="Whose params: by default what lies with the source, or dev.")
    ] = None,
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write the chain into one file, which anybody can keep, send on and verify by `fansumer audit verify`.

    A running node may go on meanwhile. Nothing is checked here: who reads the dump checks it.

    \b
    Examples:
      fansumer chain dump chain.dump.xz --data-dir chain
      fansumer chain dump chain.dump http://127.0.0.1:8780
    """
    from api.cli.audit_sources import SourceOptions, open_source, write_source
    from api.cli.file_kinds import DUMP
    from api.cli.output import print_answer
    from api.cli.session import refuse_overwriting

    refuse_overwriting(file, DUMP, force=force)
    with open_source(SourceOptions(source, network, params, data_dir, database_url, None)) as opened:
        head = write_source(opened, file)
    facts = {"file": str(file), "chain_id": head.chain_id.hex(), "height": head.height, "tip": head.tip[::-1].hex()}
    print_answer({**facts, "bytes": file.stat().st_size}, as_json=as_json)


def _print_page(page: Mapping[str, Any], columns: Sequence[str] | Mapping[str, str], *, as_json: bool) -> None:
    from api.cli.output import print_json, print_rows

    if as_json:
        print_json(page)
    else:
        print_rows(page["items"], columns)


app.command("finality")(attestors.finality)
app.command("reviews")(reviews.list_reviews)
app.command("contributions")(contributions.list_contributions)
