"""`fansumer mine`: hash for a node, and watch what it brings."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Url, WalletFile
from ledger.errors import Code

if TYPE_CHECKING:
    from api.wallet.client import Client

PORT_CLOSED = Code(
    "mining.port_closed",
    "the node at {url} takes no miners",
    "Start it with --stratum 127.0.0.1:3333, or name another node's port with --stratum HOST:PORT.",
)
SECONDS_MAX: Final = 10**9


def mine(
    payout: Annotated[
        str | None,
        typer.Option("--payout", metavar="ADDRESS", help="Whom it pays. By default your wallet's main account."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that hash, one a core.")] = 1,
    stratum: Annotated[
        str | None,
        typer.Option(
            "--stratum", metavar="HOST:PORT", help="Where to mine. By default the node's own port for miners."
        ),
    ] = None,
    worker: Annotated[str, typer.Option("--worker", metavar="NAME", help="This computer's name in the account.")] = "",
    plain: Annotated[
        bool, typer.Option("--hashlib", help="Hash with hashlib, also where the faster kernel is to be had.")
    ] = False,
    seconds: Annotated[
        int | None, typer.Option("--seconds", min=1, max=SECONDS_MAX, help="Stop after so long; else at Ctrl-C.")
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=1, max=3_600, help="Seconds between two lines, where there is no terminal.")
    ] = 10,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Mine for a node: hash rate, shares, blocks, earnings, difficulty, and the fans whose transactions it carried.

    At a terminal a table that renews itself; else a line now and then, with --json as objects. Ctrl-C stops.

    \b
    Examples:
      fansumer mine --payout dfan1p...
      fansumer mine --workers 2 --stratum 192.0.2.7:3333 --worker laptop
    """
    from api.cli.mine_view import watch
    from api.cli.options import parse_endpoint
    from api.cli.session import connect, open_wallet, parse_address
    from api.mining.earnings import EarningsWatch
    from api.mining.rig import Rig
    from ledger.address import encode_address
    from node.mining.search import NonceSearch
    from node.stratum.session import WORKER

    if worker and not WORKER.fullmatch(worker):
        raise typer.BadParameter("--worker is 1 to 32 of A-Z a-z 0-9 _ -")
    endpoint = None if stratum is None else parse_endpoint(stratum)
    with connect(url) as client:
        prefix = str(client.chain()["address_prefix"])
        if payout is not None:
            address = parse_address(prefix, payout)
        else:
            with open_wallet(url, wallet, account) as opened:
                address = opened.main.address
        host, port = endpoint or _find_port(client, url)
        shown = encode_address(prefix, address)
        earnings = EarningsWatch(client, shown)
        earnings.begin()
        user = f"{shown}.{worker}" if worker else shown
        rig = Rig(host, port, user, NonceSearch(workers, wants_kernel=not plain))
        watch(rig, earnings, seconds_max=seconds, every=every, as_json=as_json)


def _find_port(client: "Client", url: str) -> tuple[str, int]:
    """Where the node itself takes miners. Raises UsageFault mining.port_closed."""
    from urllib.parse import urlsplit

    from api.cli.output import UsageFault

    port = client.mining.standing()["port"]
    host = urlsplit(url).hostname
    if port is None or host is None:
        raise UsageFault(PORT_CLOSED, url=url)
    return host, int(port)
