"""A node with a Stratum port on a chain of trivial work and a clock that stands still, and jobs of such a chain without a port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.address import encode_address
from ledger.params import Params
from ledger.reward import Payee
from ledger.types import Amount, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from node.stratum.jobs import Job
from node.stratum.payout import Claim, Window
from node.stratum.server import StratumLimits, StratumServer, listen
from tests.support.memory_chain import GENESIS_TIME, Signer, sim_params
from tests.support.shop import FAN
from tests.support.stratum_client import StratumClient

PARAMS = sim_params(FAN.address)
HARDER_BITS = 0x1F7FFFFF
"""2**9 hashes a block: shares are easier than blocks here, and both are found in milliseconds."""
HARDER_ERA = (0, 60, 6_000, HARDER_BITS, HARDER_BITS, 0)
HARDER_PARAMS = sim_params(FAN.address, eras=(HARDER_ERA,))
ALICE, BOB = Signer.named("alice"), Signer.named("bob")
START = GENESIS_TIME + 60


def name_of(signer: Signer, worker: str = "", *, prefix: str = PARAMS.address_prefix) -> str:
    """A user name."""
    return encode_address(prefix, signer.address) + (f".{worker}" if worker else "")


class StratumWorld:
    """An open node with its port."""

    def __init__(self, folder: Path, params: Params = PARAMS, limits: StratumLimits | None = None) -> None:
        self.clock = ManualClock(START)
        self.node = Node(NodeConfig(folder, params), self.clock)
        self.server = StratumServer(self.node, listen("127.0.0.1", 0), limits)
        self.node.stratum = self.server
        self.server.start()

    def connect(self, user: str | None = None, *, rolling: bool = False, timeout: float = 20) -> StratumClient:
        """A miner; with a user it has its first job."""
        client = StratumClient("127.0.0.1", self.server.port, timeout=timeout)
        if user is not None:
            client.log_in(user, rolling=rolling)
        return client

    def mine(self, client: StratumClient, user: str) -> None:
        """One block by a miner, at the next minute; it has its next job afterwards."""
        self.clock.set(self.clock.now() + 60)
        target = self.node.chain.build_template((), lambda _: ((ALICE.address, _),), Timestamp(0)).target
        while True:
            job = client.mind.job
            if client.submit(client.mind.find(user, job=job, target=target))["error"] is None:
                break
            while client.mind.job is job:  # a tip that came meanwhile
                client.read_notice()
        while client.mind.job.previous == job.previous:
            client.read_notice()

    @property
    def height(self) -> int:
        """Of the tip."""
        with self.node.lock:
            return self.node.chain.tip.height


@contextmanager
def open_world(folder: Path, params: Params = PARAMS, limits: StratumLimits | None = None) -> Iterator[StratumWorld]:
    """A world until the end of the block."""
    world = StratumWorld(folder, params, limits)
    try:
        yield world
    finally:
        world.node.close()


def make_job(node: Node, time: int, *, ahead_s_max: int = 200, is_complete: bool = True) -> Job:
    """A job on the tip that pays ALICE, without a pool."""
    paid = ((ALICE.address, Amount(0)),)

    def payees_of(reward: Amount) -> tuple[Payee, ...]:
        nonlocal paid
        paid = ((ALICE.address, reward),)
        return paid

    template = node.chain.build_template((), payees_of, Timestamp(time))
    window = Window(0, 0, (Claim(ALICE.address, 0, 0, 1),))
    return Job(template, window, paid, Timestamp(node.chain.tip.header.time + 1), ahead_s_max, is_complete)
