"""A node in this process for wallets: no socket, and waiting for a block mines it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.settings import HttpSettings
from api.wallet.builder import Signer
from api.wallet.client import Client
from api.wallet.derivation import derive_main_seed
from api.wallet.mnemonic import MasterSeed, derive_master_seed
from tests.support.live_shop import LiveChain
from tests.support.memory_chain import sim_params

PHRASES = {
    "owner": "abandon " * 11 + "about",
    "fan": "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "till": "letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
}
"""Published vectors of BIP-39. The owner and the till hold coin at genesis, the fan none."""


def master_of(name: str) -> MasterSeed:
    """The root of somebody's keys."""
    return derive_master_seed(PHRASES[name])


def main_signer(name: str) -> Signer:
    """Somebody's first main account."""
    return Signer.of_seed(derive_main_seed(master_of(name)))


@dataclass(frozen=True)
class WalletNode:
    """A simulated chain with its API, and a client that mines whenever it waits."""

    chain: LiveChain
    client: Client

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks a minute apart."""
        self.chain.mine(blocks)


@contextmanager
def open_wallet_node(folder: Path) -> Iterator[WalletNode]:
    """A node that knows nothing but its genesis."""
    chain = LiveChain(folder, sim_params(main_signer("owner").address, main_signer("till").address))
    app = create_app(chain.node, HttpSettings(rate_limited=False, event_stream_seconds_max=0.05))
    with TestClient(app, base_url="http://node") as http:
        yield WalletNode(chain, Client("http://node", http=http, sleep=lambda _: chain.mine_block()))
    chain.node.close()
