"""Two real nodes in one process, on real sockets of the loopback interface: they find each other, sync, relay and part."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from bench_network import measure_sync
from bench_world import SMALLEST, World
from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.networks import NETWORKS
from ledger.params import Allocation
from ledger.types import Amount
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.mining.search import search_range
from node.node import Node, NodeConfig
from node.p2p.address import PeerName, make_address
from node.p2p.memory import KEY_FILE, PEERS_FILE, read_memory
from node.p2p.messages import Hello, decode_message
from node.p2p.network import Network, NetworkSettings
from tests.node.watching import nothing_left_behind, wait_until
from tests.support.memory_chain import Scenario
from tests.support.shop import FAN, FRIEND

PARAMS = replace(NETWORKS["sim"], allocations=(Allocation(FAN.address, Amount(10**12)),))
LOOPBACK = "127.0.0.1"
LONG_AGO = PARAMS.genesis_time
"""Blocks that are made at once are a second apart from here on, so that none is ahead of the clock."""


def mine(node: Node, blocks: int = 1) -> Block:
    """Mine blocks; the last one."""
    made: list[Block] = []
    with node.lock:
        for _ in range(blocks):
            transactions = node.mempool.select(PARAMS.block_weight_max)
            template = node.chain.build_template(transactions, pay_all_to(FRIEND.address), LONG_AGO)
            nonce = search_range(struct_prefix(template), template.target, 0, 100_000)
            assert nonce is not None
            block = with_nonce(template, nonce)
            node.chain.accept_block(block)
            made.append(block)
    return made[-1]


@contextmanager
def running(folder: Path, **settings: object) -> Iterator[tuple[Node, Network]]:
    """A node with its network."""
    with ExitStack() as stack:
        node = Node(NodeConfig(folder, PARAMS))
        stack.callback(node.close)
        network = Network(node, NetworkSettings(**{"listen": (LOOPBACK, 0), **settings}))  # type: ignore[arg-type] - a test's own
        stack.callback(network.close)
        network.start()
        yield node, network


def port_of(network: Network) -> int:
    assert network.port is not None
    return network.port


def ready(network: Network) -> int:
    return sum(peer.is_ready for peer in network.report().peers)


def test_nodes_sync_relay_and_come_back(tmp_path: Path) -> None:
    with nothing_left_behind(), running(tmp_path / "one") as (one, first):
        last = mine(one, 300)
        named = (PeerName(LOOPBACK, port_of(first)),)
        with running(tmp_path / "two", named=named, listen=None) as (two, second):
            wait_until(lambda: two.chain.tip.hash == last.hash, 60)
            assert two.chain.state_root == one.chain.state_root
            wait_until(lambda: ready(first) == ready(second) == 1)
            signed = Scenario(params=PARAMS).sign(
                "transfer", Transfer(ToAccount(FRIEND.address), Amount(10**6)), author=FAN, valid_from=250
            )
            two.submit_batch([signed.raw])
            wait_until(lambda: one.mempool.get(signed.txid) is not None, 30)
            block = mine(one)
            assert len(block.transactions) == 1
            wait_until(lambda: two.chain.tip.hash == block.hash, 10)
            back = mine(two)
            wait_until(lambda: one.chain.tip.hash == back.hash, 10)
        wait_until(lambda: ready(first) == 0, 10)
        ahead = mine(one, 3)
        with running(tmp_path / "two", named=named) as (two, _):
            wait_until(lambda: two.chain.tip.hash == ahead.hash, 30)
    assert (tmp_path / "two" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert read_memory(tmp_path / "two").rows != []


def test_a_restart_remembers_key_and_bans(tmp_path: Path) -> None:
    with running(tmp_path / "one") as (_, first):
        key = first.key
        first.ask(lambda peers: peers.ban(make_address("203.0.113.7", 1), 1_000, "because"))
    with running(tmp_path / "one") as (_, first):
        assert first.key == key
        wait_until(lambda: len(first.report().bans) == 1)
    (tmp_path / "one" / PEERS_FILE).write_bytes(b"damaged")
    with running(tmp_path / "one") as (_, first):
        wait_until(lambda: first.report().peers == () and not first.report().bans)


def test_strangers_are_heard_within_limits(tmp_path: Path) -> None:
    with running(tmp_path / "one") as (node, first):
        url = f"ws://{LOOPBACK}:{port_of(first)}/"
        with connect(url, proxy=None, compression=None) as socket:
            hello = decode_message(frame_of(socket))
            assert isinstance(hello, Hello) and hello.chain_id == node.chain.chain_id
            socket.send(bytes(70_000))
            ended(socket.recv)
        with connect(url, proxy=None, compression=None) as socket:
            socket.recv(10)
            socket.send("text")
            ended(socket.recv)
        with connect(url, proxy=None, compression=None) as socket:
            socket.recv(10)
            socket.send(b"garbage")
            assert decode_message(frame_of(socket)).tag == 2
            ended(socket.recv)
        with pytest.raises(WebSocketException):
            connect(url, proxy=None, origin="https://page.example").close()  # type: ignore[arg-type] - a plain text is an origin
        wait_until(lambda: first.report().peers == ())


def frame_of(socket: ClientConnection) -> bytes:
    found = socket.recv(10)
    assert isinstance(found, bytes)
    return found


def ended(receive: Callable[[float], object]) -> None:
    """The other side closes soon."""
    until = time.monotonic() + 10
    try:
        while time.monotonic() < until:
            receive(10)
    except WebSocketException:
        return
    raise AssertionError("the connection stayed open")


def test_a_port_that_is_taken_is_said_in_words(tmp_path: Path) -> None:
    with running(tmp_path / "one") as (_, first), nothing_left_behind():
        node = Node(NodeConfig(tmp_path / "two", PARAMS))
        network = Network(node, NetworkSettings(listen=(LOOPBACK, port_of(first))))
        with pytest.raises(Exception, match=r"p2p\.port"):
            network.start()
        network.close()
        node.close()


def test_sync_is_measured(tmp_path: Path) -> None:
    world = World(tmp_path / "bench", SMALLEST, lambda _: None)
    answer = measure_sync(world)
    assert answer["transactions"] > 0 and answer["disk_s"] > 0 and answer["sync_s"] > 0
