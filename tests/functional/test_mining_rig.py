"""A rig at a real port: shares, blocks, a server that goes and comes back, and one that does not want this miner."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.mining import rig as rigging
from api.mining.rig import Rig
from node.mining.search import NonceSearch
from node.stratum.server import StratumServer, listen
from tests.node.watching import nothing_left_behind, wait_until
from tests.support.stratum_world import ALICE, HARDER_PARAMS, StratumWorld, name_of, open_world

USER = name_of(ALICE, "rig-1", prefix=HARDER_PARAMS.address_prefix)


@contextmanager
def running(port: int, user: str = USER, workers: int = 0) -> Iterator[Rig]:
    """A rig that works until the end of the block."""
    rig = Rig("127.0.0.1", port, user, NonceSearch(workers))
    try:
        rig.start()
        yield rig
    finally:
        rig.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[StratumWorld]:
    with nothing_left_behind(), open_world(tmp_path, HARDER_PARAMS) as found:
        yield found


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rigging, "PAUSE_SECONDS_MIN", 0.05)


def test_it_finds_shares_and_blocks_and_follows_the_tip(world: StratumWorld) -> None:
    with running(world.server.port) as rig:
        for height in range(1, 4):
            world.clock.set(world.clock.now() + 60)
            wait_until(lambda height=height: world.height >= height, seconds=30)
        wait_until(lambda: len(rig.figures.tally.blocks) >= 3, seconds=30)
        figures = rig.figures
    with world.node.lock:
        tip = world.node.chain.tip.hash
    assert tip[::-1].hex() in figures.tally.blocks
    assert figures.is_connected and not figures.fault
    assert figures.tally.accepted >= 3 and figures.tally.refused == 0
    assert figures.hashes > 0 and figures.engines == ("hashlib",)
    assert world.server.pool.figures.shares >= figures.tally.accepted
    assert figures.block_target is not None and figures.share_difficulty is not None


def test_processes_hash_for_it(world: StratumWorld) -> None:
    with running(world.server.port, workers=1) as rig:
        world.clock.set(world.clock.now() + 60)
        wait_until(lambda: rig.figures.engines == ("kernel",), seconds=60)
        wait_until(lambda: rig.figures.tally.accepted >= 1, seconds=30)


def test_a_server_that_goes_and_comes_back(world: StratumWorld) -> None:
    port = world.server.port
    with running(port) as rig:
        wait_until(lambda: rig.figures.tally.accepted >= 1, seconds=30)
        world.server.close()
        wait_until(lambda: bool(rig.figures.fault) and not rig.figures.is_connected)
        before = rig.figures.tally.accepted
        world.server = world.node.stratum = StratumServer(world.node, listen("127.0.0.1", port))
        world.server.start()
        world.clock.set(world.clock.now() + 60)
        wait_until(lambda: rig.figures.tally.accepted > before, seconds=30)
        assert rig.figures.fault == ""


def test_a_user_that_the_server_does_not_know_ends_it(world: StratumWorld) -> None:
    with running(world.server.port, "somebody") as rig:
        wait_until(lambda: rig.refused is not None)
        assert rig.refused is not None
        assert rig.refused.code.name == "mining.refused"


def test_a_server_that_is_no_miners_port_and_one_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            for _ in range(2):
                opened, _address = listener.accept()
                with opened:
                    opened.sendall(b"HTTP/1.1 400 Bad Request\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with running(port) as rig:
            wait_until(lambda: "not Stratum" in rig.figures.fault)
        thread.join(timeout=10)
    with running(port) as rig:
        wait_until(lambda: "refused" in rig.figures.fault)
        assert rig.figures.hashes == 0
