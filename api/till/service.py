"""A till at work in one process: the HTTP edge, the visits to the node, the outbox, and where wanted the settling."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import structlog
import uvicorn

from api.service import NOT_STARTED, START_SECONDS_MAX, STOP_SECONDS_MAX, STOPPED, bind_port
from api.till.app import Till, create_app
from api.till.clock import SystemTillClock, TillClock
from api.till.desk import Desk, Signing
from api.till.enrolment import Counter
from api.till.errors import NOT_LOOPBACK, WORKER_DIED, TillRefused
from api.till.knowledge import Knowledge, visit_node
from api.till.member_book import MemberBook
from api.till.outbox import Outbox
from api.till.pruning import Pruning
from api.till.schedule import ScheduleOptions, SettlementSchedule
from api.till.store import TillStore
from api.till.tier_book import TierBook, quick_client
from api.till.token import load_token
from api.till.worker import Worker
from api.wallet.brand import Brand
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from api.wallet.mnemonic import MasterSeed
from api.wallet.sequence import hand_numbers_to
from api.wallet.settlement import Keep
from api.wallet.wallet import Wallet
from ledger import keys
from ledger.types import Address, ProgramId
from node.errors import NodeError
from node.store.engine import StoreLock

log = structlog.get_logger()

REFRESH_SECONDS: Final = 15.0
"""How often the node is asked for terms and grant: a revoked key stops signing so soon after its block."""
WORKER_STOP_SECONDS: Final = 3.0
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Settling:
    """Who settles: an account of a wallet that holds the scope, when, and where openings go."""

    master: MasterSeed
    account: int
    options: ScheduleOptions
    keep: Keep


@dataclass(frozen=True, slots=True)
class TillOptions:
    """What makes one till: program, key, node, and where it listens. `sequences` is the folder of the keys' counters."""

    program: ProgramId
    master: MasterSeed
    account: int
    data_dir: Path
    sequences: Path
    node_url: str
    host: str = "127.0.0.1"
    port: int = 0
    refresh_seconds: float = REFRESH_SECONDS
    settling: Settling | None = None


class Visits:
    """Asks the node again and again what holds, and writes down what time it is where it does not answer."""

    def __init__(
        self, knowledge: Knowledge, client: Client, program: ProgramId, till: Address, seconds: float, random: Random
    ) -> None:
        self._knowledge = knowledge
        self._client = client
        self._program = program
        self._till = till
        self._seconds = seconds
        self._random = random

    def work(self) -> float:
        """One visit; returns after how many seconds to come again. Raises NodeError store.*."""
        try:
            self._knowledge.learn(*visit_node(self._client, self._program, self._till))
        except (ClientProblem, TillRefused) as fault:
            self._miss(str(fault))
        except (KeyError, TypeError, ValueError) as fault:
            self._miss(f"the node's answer is not of this version: {type(fault).__name__} {fault}")
        return self._seconds * self._random.uniform(0.8, 1.2)

    def _miss(self, reason: str) -> None:
        if not self._knowledge.problem:
            log.warning("till.no_contact", reason=reason)
        self._knowledge.problem = reason
        self._knowledge.note_time()


class TillService:
    """A till from start to clean end. Raises NodeError store.in_use where another process serves from the folder."""

    def __init__(self, options: TillOptions, clock: TillClock | None = None) -> None:
        if options.host not in LOOPBACK_HOSTS:
            raise TillRefused(NOT_LOOPBACK, host=options.host)
        self._lock = StoreLock(options.data_dir)
        try:
            self._listener = bind_port(options.host, options.port)
            try:
                self._build(options, clock or SystemTillClock())
            except BaseException:
                self._listener.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        host, port = self._listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _build(self, options: TillOptions, clock: TillClock) -> None:
        token = load_token(options.data_dir)
        self._clients = [Client(options.node_url, attempts_max=1) for _ in range(2)]
        self._clients += [quick_client(options.node_url), Client(options.node_url, attempts_max=1)]
        brand = Brand(Wallet(options.master, self._clients[0], account=options.account))
        main = brand.wallet.main
        self.store = TillStore(
            options.data_dir,
            {"program": options.program.hex(), "key": keys.public_key_of(main.seed).hex()},
            lambda store: hand_numbers_to(options.sequences, options.program, main.address, store),
        )
        self.knowledge = Knowledge(self.store, clock)
        random = Random()
        outbox = Outbox(self.store, self._clients[1], clock, random_source=random)
        visits = Visits(
            self.knowledge, self._clients[0], options.program, main.address, options.refresh_seconds, random
        )
        handing = Worker("hand-over", outbox.work)
        self._workers = [Worker("contact", visits.work), handing]
        pruning = Pruning(self.store, self.knowledge, clock, is_settling=options.settling is not None)
        if options.settling is None:
            schedule = None
            self._workers.append(Worker("pruning", pruning.work))
        else:
            schedule = self._schedule(options, options.settling, clock, pruning)

        def on_new() -> None:
            if not outbox.is_in_trouble:
                handing.wake()

        self.till = Till(
            program=options.program,
            address=main.address,
            node_url=options.node_url,
            token=token,
            store=self.store,
            knowledge=self.knowledge,
            clock=clock,
            desk=Desk(Signing(self.store, self.knowledge, brand, options.program, clock), on_new),
            tiers=TierBook(self.store, self.knowledge, self._clients[2], options.program, clock),
            members=MemberBook(self.store, self.knowledge, self._clients[2], options.program, clock),
            counter=Counter(self.knowledge, options.program, main, self._clients[3]),
            outbox=outbox,
            schedule=schedule,
            pruning=pruning,
            on_retry=handing.wake,
        )
        config = uvicorn.Config(
            create_app(self.till),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX // 2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._listener]), name="http", daemon=True
        )

    def _schedule(
        self, options: TillOptions, settling: Settling, clock: TillClock, pruning: Pruning
    ) -> SettlementSchedule:
        """The settling, with a client whose waiting ends when the till stops; it prunes, too, since the book is its alone."""
        worker: Worker

        def sleep(seconds: float) -> None:
            worker.sleep(seconds)

        client = Client(options.node_url, sleep=sleep)
        self._clients.append(client)
        brand = Brand(Wallet(settling.master, client, account=settling.account))
        schedule = SettlementSchedule(
            self.store, brand, options.program, clock, keep=settling.keep, options=settling.options, pruning=pruning
        )
        worker = Worker("settlement", schedule.work)
        self._workers.append(worker)
        return schedule

    def start(self) -> None:
        """Serve and work; returns when requests are answered. Raises NodeError api.not_started."""
        for worker in self._workers:
            worker.start()
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise NodeError(NOT_STARTED, seconds=START_SECONDS_MAX)
            time.sleep(0.01)

    def check(self) -> None:
        """Raise what makes it pointless to go on: TillRefused till.worker_died, NodeError api.stopped."""
        for worker in self._workers:
            if worker.fault is not None:
                raise TillRefused(WORKER_DIED, name=worker.name, reason=repr(worker.fault)[:300])
        if not self._thread.is_alive():
            raise NodeError(STOPPED)

    def close(self) -> None:
        """Answer what was asked, stop working, close the store."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS_MAX)
        self.till.desk.close()
        for worker in self._workers:
            worker.stop(WORKER_STOP_SECONDS)
        for client in self._clients:
            client.close()
        self.store.close()
        self._listener.close()
        self._lock.release()
