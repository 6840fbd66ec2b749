"""`fansumer up` and `fansumer node`: running a node."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import node_operator
from api.cli.options import AsJson, parse_endpoint
from api.cli.settings_options import with_settings

if TYPE_CHECKING:
    from api.cli.node_settings import Settings
    from api.cli.up import UpOptions
    from ledger.finality.votes import Checkpoint
    from node.p2p.network import NetworkSettings

app = typer.Typer(no_args_is_help=True, help="Run a node: chain, API, and a miner if it is wanted.")

DEMO_OWN = ("network", "params", "database")
"""The demo's chain has these of its own, whatever the environment says."""


@with_settings
def up(
    demo: Annotated[bool, typer.Option("--demo", help="With a demo brand and four weeks of purchases.")] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Try everything in a temporary folder on a free port, then stop.")
    ] = False,
    *,
    config: str | None = None,
    typed: dict[str, Any],
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
    if (demo or smoke) and "database" in typed:
        raise typer.BadParameter("--demo and --smoke make a store of their own: leave --database out")
    console = Console()
    if smoke:
        running.run_smoke(console, workers=_settings({**typed, "network": "dev"}, config, "demo")["workers"])
    elif demo:
        running.run_demo(_options(_settings(typed, config, "demo"), leave_out=DEMO_OWN), console)
    else:
        running.run_up(_options(_settings(typed, config)), console)


@app.command()
@with_settings
def run(*, config: str | None = None, typed: dict[str, Any]) -> None:
    """Run a node. Ctrl-C stops it, and nothing is lost.

    What stands on the command line goes before the environment (FANSUMER_LISTEN), that before node.toml in the data folder.

    \b
    Examples:
      fansumer node run --network dev --payout dfan1p...
      fansumer node run --network dev --listen 0.0.0.0:8790 --peer node.example:8790
      fansumer node run --config node.toml
      fansumer node run --stratum 0.0.0.0:3333
      fansumer node run --peer node.example:8790 --sync snapshot --prune 1000
      fansumer node run --trust 1440:0000...5f2a
      fansumer node run --data-dir chain --params params.json
      fansumer node run --database postgresql://fansumer@localhost/ledger
      fansumer node run --models shop.models
    """
    from rich.console import Console

    from api.cli import up as running

    running.run_up(_options(_settings(typed, config)), Console())


@app.command()
@with_settings
def settings(
    as_json: AsJson = False,
    example: Annotated[bool, typer.Option("--example", help="Print a settings file with every setting in it.")] = False,
    *,
    config: str | None = None,
    typed: dict[str, Any],
) -> None:
    """What `node run` would work with, and where each setting is from; nothing is started.

    \b
    Examples:
      fansumer node settings
      fansumer node settings --example > node.toml
      fansumer node settings --config node.toml --json
    """
    from api.cli import node_settings
    from api.cli.output import print_json, print_rows

    if example:
        print(node_settings.example())
        return
    found = _settings(typed, config)
    if as_json:
        print_json({"file": None if found.file is None else str(found.file), "settings": found.rows()})
        return
    print(f"settings file: {found.file or 'none'}")
    print_rows(found.rows())


def _settings(typed: dict[str, Any], config: str | None, chain: str | None = None) -> "Settings":
    """What is in force. Raises UsageFault settings.*; names variables that look like settings and are none."""
    from api.cli.node_settings import load_settings, unknown_variables
    from api.cli.output import warn

    for name in unknown_variables():
        warn(f"{name} in the environment is no setting, and nothing reads it")
    return load_settings(typed, config, chain=chain)


def _network(found: "Settings") -> "NetworkSettings | None":
    """What was asked for of the network; None where nothing was."""
    from ledger.types import Work
    from node.p2p.address import read_peer_name, split_host_port
    from node.p2p.dialling import DialLimits
    from node.p2p.network import NetworkSettings

    if found["listen"] is None and not found["peer"]:
        return None
    tls = None if found["tls_certificate"] is None else (found["tls_certificate"], found["tls_key"])
    return NetworkSettings(
        listen=None if found["listen"] is None else split_host_port(found["listen"], is_zero_allowed=True),
        named=tuple(read_peer_name(name) for name in found["peer"]),
        minimum_work=Work(int(found["minimum_work"], 16)),
        limits=DialLimits(found["dialled_max"], found["taken_max"], found["taken_per_host_max"]),
        tls=tls,
        memory_bytes=found["network_memory"] * 2**20,
        begins_with_snapshot=found["sync"] == "snapshot",
    )


def _trusted(text: str | None) -> "Checkpoint | None":
    """The checkpoint that HEIGHT:HASH names, the hash as it is shown; its form was checked."""
    from ledger.finality.votes import Checkpoint
    from ledger.types import BlockHash, Height

    if text is None:
        return None
    height, _, shown = text.partition(":")
    return Checkpoint(Height(int(height)), BlockHash(bytes.fromhex(shown)[::-1]))


def _options(found: "Settings", leave_out: tuple[str, ...] = ()) -> "UpOptions":
    """What was asked for, checked against the chain. Raises Malformed params.file or UsageFault address.*."""
    from api.cli.chain_params import load_params
    from api.cli.session import parse_address
    from api.cli.up import UpOptions
    from node.mempool.policy import MempoolLimits

    own = {name: None if name in leave_out else found[name] for name in DEMO_OWN}
    network = own["network"] or "dev"
    prefix = load_params(network, own["params"], found.folder).address_prefix
    return UpOptions(
        data_dir=found.folder,
        database_url=own["database"],
        host=found["host"],
        port=found["port"],
        miner_workers=found["workers"],
        payout=None if found["payout"] is None else parse_address(prefix, found["payout"]),
        network=network,
        params_file=own["params"],
        origins=found["public_url"],
        stratum=None if found["stratum"] is None else parse_endpoint(found["stratum"]),
        network_settings=_network(found),
        keep_blocks=found["prune"],
        trusted=_trusted(found["trust"]),
        mempool_limits=MempoolLimits(found["mempool_weight"], found["mempool_author_max"]),
        rates=(found["read_rate"], found["write_rate"]),
        rent_price_cents=found["rent_price"],
        log_level=found["log_level"],
        models=found["models"],
        webhook_hosts=tuple(parse_endpoint(place) for place in found["webhook_host"]),
    )


for command in (node_operator.status, node_operator.peers, node_operator.ban, node_operator.unban):
    app.command()(command)
