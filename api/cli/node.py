"""`fansumer up` and `fansumer node`: running a node."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import node_operator
from node.keeping import PRUNE_KEEP_MIN

if TYPE_CHECKING:
    from api.cli.up import UpOptions
    from node.p2p.network import NetworkSettings

app = typer.Typer(no_args_is_help=True, help="Run a node: chain, API, and a miner if it is wanted.")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The chain's folder; by default one for each network in your data folder."),
]
Host = Annotated[str, typer.Option("--host", help="The address that the API listens on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="The API's port; 0 takes a free one.")]
Network = Annotated[str, typer.Option("--network", help="Which network: main, test, dev or sim.")]
ParamsFile = Annotated[
    Path | None,
    typer.Option(
        "--params", help="A private chain's params file; by default params.json in the folder, if it is there."
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=0, max=256, help="Processes that mine; 0 is none.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        "--database-url",
        envvar="FANSUMER_DATABASE",
        metavar="URL",
        help=(
            "The store: postgresql://USER@HOST:PORT/DATABASE, a password best in PGPASSWORD or ~/.pgpass. "
            "By default an SQLite file in the chain's folder."
        ),
    ),
]
Payout = Annotated[
    str | None, typer.Option("--payout", metavar="ADDRESS", help="Whom mined blocks pay. Without it nothing is mined.")
]
PublicUrl = Annotated[
    list[str] | None,
    typer.Option(
        "--public-url",
        metavar="URL",
        help="What clients call this node, such as https://node.example; signed requests for other names are refused.",
    ),
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="Take connections of other nodes there, such as 0.0.0.0:8790. Port 0 takes a free one.",
    ),
]
PeerNames = Annotated[
    list[str] | None,
    typer.Option("--peer", metavar="HOST:PORT", help="Another node, to be connected to always. May be given often."),
]
Stratum = Annotated[
    str | None,
    typer.Option(
        "--stratum",
        metavar="HOST:PORT",
        help="Let ordinary miners (Stratum v1) work here; 0.0.0.0:3333 lets other computers in. Off unless named.",
    ),
]
Sync = Annotated[
    str,
    typer.Option(
        "--sync",
        metavar="full|snapshot",
        help=(
            "How an empty folder comes to the chain: by all blocks (full), or with a snapshot of the state that other nodes "
            "offer, whose history is verified behind it (snapshot)."
        ),
    ),
]
Prune = Annotated[
    int | None,
    typer.Option(
        "--prune",
        metavar="KEEP",
        min=PRUNE_KEEP_MIN,
        help="Delete blocks when so many stand on them, and those whose transactions may not come again. All are kept by default.",
    ),
]
MinimumWork = Annotated[
    str | None,
    typer.Option(
        "--minimum-work",
        metavar="HEX",
        help="No chain with less work is followed: what somebody whom you trust sees as `work` in `fansumer node status`.",
    ),
]
HEX_WORK = re.compile("(0x)?[0-9a-fA-F]{1,64}")
PUBLIC_URL = re.compile(r"https?://[^/?#@\s]{1,200}")
ENDPOINT = re.compile(r"(\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<host>[^:/\[\]\s]{1,253})):(?P<port>[0-9]{1,5})")


def up(
    ctx: typer.Context,
    demo: Annotated[bool, typer.Option("--demo", help="With a demo brand and four weeks of purchases.")] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Try everything in a temporary folder on a free port, then stop.")
    ] = False,
    network: Network = "dev",
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database: Database = None,
    host: Host = "127.0.0.1",
    port: Port = 8780,
    workers: Workers = 1,
    payout: Payout = None,
    public_url: PublicUrl = None,
    stratum: Stratum = None,
) -> None:
    """Start a node with API and miner. Ctrl-C stops it, and nothing is lost.

    \b
    Examples:
      fansumer up --demo
      fansumer up --smoke
      fansumer up --payout dfan1p...
    """
    from rich.console import Console

    from api.cli import up as running

    if demo and smoke:
        raise typer.BadParameter("name either --demo or --smoke")
    source = ctx.get_parameter_source("database")
    if (demo or smoke) and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("--demo and --smoke make a store of their own: leave --database out")
    console = Console()
    if smoke:
        running.run_smoke(console, workers=workers)
        return
    chain = "demo" if demo else network
    store = None if demo else database
    options = _options(
        network, params, data_dir, store, host, port, workers, payout, public_url or [], stratum, chain=chain
    )
    if demo:
        running.run_demo(options, console)
    else:
        running.run_up(options, console)


@app.command()
def run(
    network: Network = "dev",
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database: Database = None,
    host: Host = "127.0.0.1",
    port: Port = 8780,
    workers: Workers = 1,
    payout: Payout = None,
    public_url: PublicUrl = None,
    listen: Listen = None,
    peer: PeerNames = None,
    sync: Sync = "full",
    minimum_work: MinimumWork = None,
    prune: Prune = None,
    stratum: Stratum = None,
) -> None:
    """Run a node. Ctrl-C stops it, and nothing is lost.

    \b
    Examples:
      fansumer node run --network dev --payout dfan1p...
      fansumer node run --network dev --listen 0.0.0.0:8790 --peer node.example:8790
      fansumer node run --stratum 0.0.0.0:3333
      fansumer node run --peer node.example:8790 --sync snapshot --prune 1000
      fansumer node run --data-dir chain --params params.json
      fansumer node run --database postgresql://fansumer@localhost/ledger
    """
    from rich.console import Console

    from api.cli import up as running

    options = _options(
        network, params, data_dir, database, host, port, workers, payout, public_url or [], stratum, chain=network
    )
    settings = _network(listen, peer or [], sync, minimum_work)
    running.run_up(replace(options, network_settings=settings, keep_blocks=prune), Console())


def _network(listen: str | None, peers: list[str], sync: str, minimum_work: str | None) -> "NetworkSettings | None":
    """What was asked for of the network; None where nothing was. Raises `p2p.address`."""
    from ledger.types import Work
    from node.p2p.address import split_host_port
    from node.p2p.network import NetworkSettings

    if sync not in ("full", "snapshot"):
        raise typer.BadParameter("--sync is full or snapshot")
    if minimum_work is not None and not HEX_WORK.fullmatch(minimum_work):
        raise typer.BadParameter("--minimum-work is 1 to 64 hexadecimal digits")
    if listen is None and not peers:
        if sync == "snapshot" or minimum_work is not None:
            raise typer.BadParameter("--sync snapshot and --minimum-work need other nodes: name --peer or --listen")
        return None
    place = None if listen is None else split_host_port(listen, is_zero_allowed=True)
    return NetworkSettings(
        listen=place,
        named=tuple(split_host_port(name) for name in peers),
        minimum_work=Work(int(minimum_work or "0", 16)),
        begins_with_snapshot=sync == "snapshot",
    )


def _options(
    network: str,
    params: Path | None,
    data_dir: Path | None,
    database: str | None,
    host: str,
    port: int,
    workers: int,
    payout: str | None,
    public_urls: list[str],
    stratum: str | None,
    *,
    chain: str,
) -> "UpOptions":
    """What was asked for, checked; `chain` names the folder by default.

    Raises Malformed params.file or UsageFault address.*.
    """
    from api.cli.chain_params import load_params
    from api.cli.session import parse_address
    from api.cli.up import UpOptions, default_folder

    origins = tuple(url.rstrip("/") for url in public_urls)
    if not all(PUBLIC_URL.fullmatch(origin) for origin in origins):
        raise typer.BadParameter("--public-url is http:// or https:// and a name, without a path")
    folder = data_dir or default_folder(chain)
    prefix = load_params(network, params, folder).address_prefix
    return UpOptions(
        data_dir=folder,
        database_url=database,
        host=host,
        port=port,
        miner_workers=workers,
        payout=None if payout is None else parse_address(prefix, payout),
        network=network,
        params_file=params,
        origins=origins,
        stratum=None if stratum is None else parse_endpoint(stratum),
    )


def parse_endpoint(text: str) -> tuple[str, int]:
    """Host and port of a place for miners, HOST:PORT; an IPv6 host stands in brackets. Raises typer.BadParameter."""
    found = ENDPOINT.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise typer.BadParameter("--stratum is HOST:PORT, such as 0.0.0.0:3333 or [::]:3333")
    return found["v6"] or found["host"], int(found["port"])


for command in (node_operator.status, node_operator.peers, node_operator.ban, node_operator.unban):
    app.command()(command)
