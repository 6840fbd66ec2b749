"""`fansumer till serve` as a process, a node on a socket for it, and a POS that does not give up."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from api.http.settings import HttpSettings
from api.service import Service, bind_port
from api.wallet.keystore import Content, Cost, save_keystore, seal_content
from api.wallet.mnemonic import read_entropy
from tests.support.market import Market
from tests.support.wallet_node import PHRASES, open_wallet_node

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "correct horse battery staple"
SECONDS_MAX = 60.0
CHEAP = Cost(memory_kib=8 * 1024, iterations=1, lanes=1)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Until something holds. Fails after a minute."""
    ends = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


class NodeOnSocket:
    """A market whose chain's time is now, with its node on a port that stays the same; it can be down."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._service: Service | None = None
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        """Where it is, also while it is down."""
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Answer."""
        self._service = Service(
            self.market.node.chain.node, bind_port("127.0.0.1", self._port), HttpSettings(rate_limited=False)
        )
        self._port = int(self._service.url.rpartition(":")[2])
        self._service.start()

    def down(self) -> None:
        """Answer nothing."""
        if self._service is not None:
            self._service.close()
            self._service = None

    def mine(self) -> None:
        """A block of now."""
        chain = self.market.node.chain
        chain.mine_block(max(int(time.time()), chain.time + 1))


@contextmanager
def open_node(folder: Path, *, days: int = 0) -> Iterator[NodeOnSocket]:
    """A market that was opened some days and an hour ago, and has a block of now."""
    with open_wallet_node(folder) as node:
        node.chain.mine_block(int(time.time()) - 3_600 - days * 86_400)
        market = Market(node)
        market.enrol()
        found = NodeOnSocket(market)
        found.mine()
        yield found
        found.down()


def make_wallet(path: Path, name: str) -> None:
    """Somebody's keystore, from its published phrase."""
    save_keystore(path, seal_content(Content(read_entropy(PHRASES[name])), PASSPHRASE, cost=CHEAP))


class TillProcess:
    """The service with a home of its own; it may be killed and started again on the same port."""

    def __init__(self, home: Path, node: NodeOnSocket, *more: str) -> None:
        self.home = home
        self.folder = home / "till"
        self._node = node
        self._more = more
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        home.mkdir(parents=True, exist_ok=True)
        make_wallet(home / "till.json", "till")

    def command(self, *words: str) -> list[str]:
        """A command of `fansumer`."""
        return [sys.executable, "-m", "api.cli.main", *words]

    def environment(self) -> dict[str, str]:
        """With its own home."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "COLUMNS": "200",
            "FANSUMER_HOME": str(self.home),
            "FANSUMER_PASSPHRASE": PASSPHRASE,
        }

    def serve_command(self) -> list[str]:
        """As a shop would type it."""
        options = ["--program", self._node.market.program.hex(), "--wallet", str(self.home / "till.json")]
        options += ["--data-dir", str(self.folder), "--node", self._node.url, "--port", str(self._port)]
        return self.command("till", "serve", *options, "--refresh-seconds", "0.2", *self._more)

    def start(self) -> None:
        """Until it says where it is."""
        log = (self.home / "log").open("a")
        self._process = subprocess.Popen(
            self.serve_command(), stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment()
        )
        log.close()
        assert self._process.stdout is not None
        lines = iter(self._process.stdout.readline, "")  # what it logs may come first
        found = next(filter(None, (re.search(r"till is at http://127\.0\.0\.1:(\d+)", line) for line in lines)), None)
        assert found is not None, (self.home / "log").read_text()
        self._port = int(found.group(1))

    def kill(self) -> None:
        """At once, as a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def stop(self) -> int:
        """As a supervisor does; its exit code."""
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=SECONDS_MAX)
        code = self._process.returncode
        self._process = None
        return code

    def pos(self) -> httpx2.Client:
        """A connection of the POS, with the token."""
        token = (self.folder / "token").read_text().strip()
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self._port}", headers={"authorization": f"Bearer {token}"}, timeout=10
        )

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        with self.pos() as pos:
            return pos.get("/status").json()

    def sell(self, name: str, cents: int = 1_000, **more: Any) -> httpx2.Response:
        """One sale."""
        market = self._node.market
        body = {"id": name, "member": market.fan.address_text(market.member), "net_cents": cents, **more}
        with self.pos() as pos:
            return pos.post("/sales?qr=none", json=body)


@contextmanager
def till_of(node: NodeOnSocket, home: Path, *more: str) -> Iterator[TillProcess]:
    """A till that does not outlive its test."""
    till = TillProcess(home, node, *more)
    try:
        yield till
    finally:
        till.kill()


class Pos(threading.Thread):
    """Sends sales one after the other, each until it is answered, whatever becomes of the till meanwhile."""

    def __init__(self, till: TillProcess, bodies: list[dict[str, Any]]) -> None:
        super().__init__(daemon=True)
        self._till = till
        self._bodies = bodies
        self.answers: list[dict[str, Any]] = []
        self.tries = 0

    def run(self) -> None:
        """All of them."""
        with self._till.pos() as pos:
            for body in self._bodies:
                self.answers.append(self._send(pos, body))

    def _send(self, pos: httpx2.Client, body: dict[str, Any]) -> dict[str, Any]:
        while True:
            self.tries += 1
            try:
                response = pos.post("/sales?qr=none", json=body)
                if response.status_code in (200, 201):
                    return response.json()
                assert response.status_code == 503, response.text
            except httpx2.TransportError:
                pass
            time.sleep(0.02)
