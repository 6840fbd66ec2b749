"""`fansumer up`: node, miner and API in one process; `--demo` with four weeks of a grocer's purchases, `--smoke` as a test."""

import json
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from rich.console import Console

from api.cli.logs import configure_log
from api.cli.session import data_folder
from api.demo.driver import STORE_FILE
from api.demo.hints import list_hints
from api.demo.households import open_household
from api.demo.journey import HouseholdId
from api.demo.replay import DEMO_WEEKS, ReplayOptions, demo_brand_master, run_replay
from api.demo.walk import Walk, WalkReport
from api.http.app import RECEIPTS_FILE
from api.http.operator import OperatorDesk
from api.http.settings import HttpSettings
from api.node_place import remove_url, write_url
from api.service import STOPPED, Service, bind_port, url_of
from api.wallet.builder import Signer
from api.wallet.client import Client
from api.wallet.derivation import derive_main_seed
from api.wallet.request_signing import AccountSigner
from api.wallet.whole_file import PUBLIC, write_whole
from ledger.address import encode_address
from ledger.errors import Code
from ledger.finality.reversal import RENT_PRICE_CENTS
from ledger.finality.votes import Checkpoint
from ledger.networks import NETWORKS
from ledger.params import Params, params_from_mapping, params_to_mapping
from ledger.types import Address, ProgramId
from node.audit import AuditReport, audit_store
from node.errors import NodeError
from node.mempool.policy import MempoolLimits
from node.mining.miner import MinerFigures
from node.node import Node, NodeConfig
from node.p2p.metrics import NetworkMetrics
from node.p2p.network import Network, NetworkSettings
from node.store.engine import STORE_FOLDER, StoreLock
from node.stratum.server import STOPPED as STRATUM_STOPPED
from node.stratum.server import StratumServer, listen

PARAMS_FILE = "params.json"
WILDCARDS = ("0.0.0.0", "::")
"""Hosts that stand for all addresses of this computer: a miner must be given one of them."""
REPORT_FILE = "replay.json"
BEGUN_FILE = "replay.begun"
"""Lies in the demo's folder while its chain is being made: only such a chain is made anew."""
DEFAULT_PORT = 8780
DEFAULT_HOST = "127.0.0.1"

SMOKE_FAILED = Code("smoke.failed", "the smoke run failed: {reason}", "Read the lines above; they say at which step.")
BAD_PARAMS_FILE = Code(
    "params.unreadable", "{path} is no params file: {reason}", "Write one with `fansumer chain params`."
)

FOLDER_IN_USE = Code(
    "demo.folder_in_use",
    "the folder {folder} holds a chain that is not the demo's",
    "Name a folder of the demo's own with --data-dir.",
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class UpOptions:
    """Where and how to run. `data_dir` None: the user's data folder. Port 0 takes a free one.

    `stratum` None: no port for miners. `database_url` None: a file in the folder. `rates`: of reads and of writes.
    `keep_blocks`: how many blocks it can take back; None keeps all.
    """

    data_dir: Path | None = None
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    miner_workers: int = 1
    payout: Address | None = None
    network: str = "dev"
    params_file: Path | None = None
    origins: tuple[str, ...] = ()
    stratum: tuple[str, int] | None = None
    database_url: str | None = field(default=None, repr=False)
    network_settings: NetworkSettings | None = None
    keep_blocks: int | None = None
    trusted: Checkpoint | None = None
    mempool_limits: MempoolLimits = field(default_factory=MempoolLimits)
    rates: tuple[str, str] | None = None
    rent_price_cents: int = RENT_PRICE_CENTS
    log_level: str = "info"
    models: Path | None = None
    webhook_hosts: tuple[tuple[str, int], ...] = ()


def default_folder(name: str) -> Path:
    """The user's data folder for the chain called `name`."""
    return data_folder() / name


def read_params_file(path: Path) -> Params:
    """The params in a JSON file. Raises `params.unreadable` or what is wrong with them."""
    try:
        return params_from_mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as fault:
        raise NodeError(BAD_PARAMS_FILE, path=str(path), reason=str(fault)) from fault


def find_params(options: UpOptions, folder: Path) -> Params:
    """The params file that was named, else the folder's own, else the network's."""
    own = folder / PARAMS_FILE
    if options.params_file is not None:
        return read_params_file(options.params_file)
    return read_params_file(own) if own.exists() else NETWORKS[options.network]


class Running:
    """A node with its miner and API, from start to clean end."""

    def __init__(self, options: UpOptions, folder: Path, params: Params, payout: Address | None) -> None:
        listener = bind_port(options.host, options.port)
        try:
            chosen = NodeConfig(
                folder,
                params,
                options.database_url,
                options.mempool_limits,
                keep_blocks=options.keep_blocks,
                trusted=options.trusted,
            )
            self.node = Node(chosen)
        except BaseException:
            listener.close()
            raise
        self._folder = folder
        self.network: Network | None = None
        with ExitStack() as undone_on_failure:
            undone_on_failure.callback(listener.close)
            undone_on_failure.callback(self.node.close)
            registry = CollectorRegistry()
            try:
                if options.network_settings is not None:
                    self.network = Network(self.node, options.network_settings)
                    NetworkMetrics(self.network, registry)
                write_url(folder, url_of(listener))
            except OSError as fault:
                raise NodeError(STORE_FOLDER, path=str(folder), reason=fault.strerror or str(fault)) from fault
            undone_on_failure.callback(remove_url, folder)
            desk = OperatorDesk(self.node, self.network)
            settings = HttpSettings(
                tip_age_seconds_max=None,
                origins=options.origins,
                rent_price_cents=options.rent_price_cents,
                models=options.models,
                webhook_hosts=options.webhook_hosts,
            )
            if options.rates is not None:
                read_rate, write_rate = options.rates
                settings = settings.model_copy(update={"read_rate": read_rate, "write_rate": write_rate})
            self.service = Service(self.node, listener, settings, registry=registry, operator=desk)
            undone_on_failure.pop_all()
        self.url = self.service.url
        self.node.payout = payout
        if payout is not None and options.miner_workers:
            self.node.start_miner(payout, options.miner_workers)
        if options.stratum is not None:
            try:
                self.node.stratum = StratumServer(self.node, listen(*options.stratum))
            except BaseException:
                self.close()
                raise

    def start(self) -> None:
        """Answer requests, talk to other nodes, and mine. Raises `api.not_started` or `p2p.port`."""
        self.service.start()
        if self.network is not None:
            self.network.start()
        if self.node.stratum is not None:
            self.node.stratum.start()
        if self.node.miner is not None:
            self.node.miner.start()

    def check(self) -> None:
        """Raise what makes it pointless to go on: `node.broken`, `snapshot.history_invalid`, `api.stopped`, `stratum.stopped`."""
        self.node.health.check_unbroken()
        if self.node.stratum is not None and not self.node.stratum.is_serving:
            raise NodeError(STRATUM_STOPPED)
        if not self.service.is_serving:
            raise NodeError(STOPPED)

    def close(self) -> None:
        """Stop answering, stop mining, close the store: in this order nothing is lost."""
        remove_url(self._folder)
        self.service.close()
        if self.network is not None:
            self.network.close()
        self.node.close()


def run_up(options: UpOptions, console: Console) -> None:
    """Run a node until it is told to stop (Ctrl-C or SIGTERM)."""
    configure_log(options.log_level)
    folder = options.data_dir or default_folder(options.network)
    params = find_params(options, folder)
    running = Running(options, folder, params, options.payout)
    if options.params_file is not None:
        _keep_params(folder, params)
    _serve(running, console, _hints_for_node)


def _keep_params(folder: Path, params: Params) -> None:
    """Leave a private chain's params beside its store, so that the next start and an audit need not be told."""
    own = folder / PARAMS_FILE
    if not own.exists():
        write_whole(own, (json.dumps(params_to_mapping(params), indent=2) + "\n").encode(), mode=PUBLIC)


def run_demo(options: UpOptions, console: Console) -> None:
    """The demo: makes its chain once, then runs it."""
    configure_log("warning")
    folder = options.data_dir or default_folder("demo")
    prepare_demo(folder, console)
    payout = demo_owner().address
    running = Running(options, folder, read_params_file(folder / PARAMS_FILE), payout)
    _serve(running, console, partial(list_hints_for_demo, folder))


def demo_owner() -> Signer:
    """The demo brand's main account, whose phrase is public."""
    return Signer.of_seed(derive_main_seed(demo_brand_master()))


def prepare_demo(folder: Path, console: Console) -> None:
    """Replay the last four weeks into `folder` unless that was done before; a broken-off replay is made anew.

    Raises `demo.folder_in_use` where another chain lies there, `store.in_use` where another process makes one.
    """
    done, begun = folder / REPORT_FILE, folder / BEGUN_FILE
    if done.exists():
        console.print(f"The demo chain is in {folder} already.", soft_wrap=True)
        return
    lock = StoreLock(folder)
    try:
        stale = [path for name in (STORE_FILE, RECEIPTS_FILE) for path in folder.glob(f"{name}*")]
        if stale and not begun.exists():
            raise NodeError(FOLDER_IN_USE, folder=str(folder))
        begun.touch()
        for path in stale:
            path.unlink()
    finally:
        lock.release()
    console.print(
        f"Replaying {DEMO_WEEKS} weeks of a grocer's purchases (simulated from real shopping patterns) into {folder} ...",
        soft_wrap=True,
    )
    summary = run_replay(ReplayOptions(weeks=DEMO_WEEKS, data_dir=None, as_of=None, folder=folder), console=console)
    write_whole(done, json.dumps(summary.to_mapping()).encode(), mode=PUBLIC)
    begun.unlink()


def _serve(running: Running, console: Console, hints: Callable[[Running], list[str]]) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        running.start()
        console.print(
            f"The API is at [bold]{running.url}[/bold] (docs: {running.url}/docs). Ctrl-C stops.", soft_wrap=True
        )
        for hint in [*hints(running), *_hints_for_miners(running)]:
            console.print(hint, highlight=False, soft_wrap=True)
        is_told = False
        while not stop.wait(0.5):
            running.check()
            miner = running.node.miner
            if miner is not None and not is_told and miner.figures.is_settled:
                is_told = True
                console.print(f"The miner hashes with {list_engines(miner.figures)}.", highlight=False, soft_wrap=True)
            running.node.poll_waiting()
        console.print("Stopping ...")
    finally:
        running.close()
    console.print("Stopped; nothing is lost.")


def list_engines(figures: MinerFigures) -> str:
    """What the miner's processes hash with, and how many of them."""
    counted = Counter(figures.engines)
    return "; ".join(f"{engine}, in {count} process{'es'[: 2 * (count > 1)]}" for engine, count in counted.items())


def _hints_for_node(running: Running) -> list[str]:
    listening = (
        [f"Takes other nodes on port {running.network.port}."] if running.network and running.network.port else []
    )
    miner = running.node.miner
    mining = "not mining (name a --payout address)" if miner is None else f"mining with {list_engines(miner.figures)}"
    return [f"Chain {running.node.chain.params.name}, height {running.node.chain.tip.height}, {mining}.", *listening]


def _hints_for_miners(running: Running) -> list[str]:
    """How to point hash power at this node."""
    node = running.node
    cookie = running.service.cookie_path
    lines = [f"Miners that ask for blocks (getblocktemplate): {running.url}/rpc with the cookie in {cookie}"]
    stratum = node.stratum
    if stratum is not None:
        host = f"[{stratum.host}]" if ":" in stratum.host else stratum.host
        host = "THIS_COMPUTER" if stratum.host in WILDCARDS else host
        place = f"stratum+tcp://{host}:{stratum.port}"
        lines = [
            f"Miners are taken at [bold]{place}[/bold]; the user name is the address to be paid, the password anything:",
            f"  minerd -a sha256d -o {place} -u {node.chain.params.address_prefix}1... -p x",
            f"Shares and payouts, for everybody: {running.url}/v1/mining",
            *lines,
        ]
    return lines


def list_hints_for_demo(folder: Path, running: Running) -> list[str]:
    """What to try at the demo that runs on `folder`."""
    owner = encode_address(running.node.chain.params.address_prefix, demo_owner().address)
    return list_hints(read_report(folder), running.url, owner)


def read_report(folder: Path) -> Mapping[str, Any]:
    """What the replay of the demo in `folder` reported."""
    return json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))


# --- smoke ---------------------------------------------------------------------------------------------------------------


def run_smoke(console: Console, *, workers: int = 1) -> None:
    """The demo in a temporary folder on a free port, a fan's walk, and an audit. Raises where anything is not as promised."""
    configure_log("warning")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fansumer-smoke-") as name:
        folder = Path(name)
        prepare_demo(folder, console)
        params = read_params_file(folder / PARAMS_FILE)
        options = UpOptions(data_dir=folder, port=0, miner_workers=workers)
        running = Running(options, folder, params, demo_owner().address)
        try:
            running.start()
            console.print(f"API at {running.url}; a new fan walks through it:")
            with Client(running.url) as client:
                walk = Walk(client, demo_brand_master(), lambda line: console.print(f"  {line}")).run()
                console.print(
                    f"a fan of the demo is told: {read_message(client, read_report(folder))}", highlight=False
                )
        finally:
            running.close()
        tip, root = running.node.chain.tip, running.node.chain.state_root
        console.print("Replaying the chain from genesis ...")
        audit = audit_store(folder, params)
        if not audit.is_good or audit.state_root != root or audit.tip != tip.hash:
            raise NodeError(SMOKE_FAILED, reason="; ".join(f.text for f in audit.findings) or "the roots differ")
        _print_smoke(console, walk, audit, time.perf_counter() - started)


def read_message(client: Client, report: Mapping[str, Any]) -> str:
    """What the demo's shown fan is told first. Raises `smoke.failed` where it is told nothing."""
    program, household = ProgramId(bytes.fromhex(report["program"])), report["shown_fans"]["agreeing"]
    if household is None:
        raise NodeError(SMOKE_FAILED, reason="no fan of the demo has the app and agreed")
    fan = open_household(HouseholdId(household), program)
    address = encode_address(str(client.chain()["address_prefix"]), fan.address)
    shown = client.personal.messages(AccountSigner(fan, address), program)["items"]
    if not shown:
        raise NodeError(SMOKE_FAILED, reason="a fan of the demo is told nothing")
    return str(shown[0]["text"])


def _print_smoke(console: Console, walk: WalkReport, audit: AuditReport, seconds: float) -> None:
    console.print(
        f"smoke: good. height {audit.height}, {audit.transactions} transactions, {audit.entries} entries; "
        f"fan earned {walk.earned}, redeemed and backed {walk.redeemed}, has {walk.available}; "
        f"campaign {walk.campaign_status}; root {audit.state_root.hex()} from genesis; {seconds:.0f} s",
        highlight=False,
    )
