"""A node that is behind its peers gives nobody work on its old tip, says so, and gives work by itself when it has their tip."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.cli.up import Running, UpOptions
from api.http.app import create_app
from api.http.settings import HttpSettings
from ledger.address import encode_address
from node.behind import BEHIND
from node.cookie import read_cookie
from node.errors import NodeError
from node.node import Node
from node.p2p.address import PeerName
from node.p2p.snapshot_files import SnapshotHeights
from node.stratum import server as serving
from tests.api.cli.conftest import Terminal
from tests.functional.test_two_networks import LOOPBACK, PARAMS, mine, port_of, running
from tests.node.stored_chain import StoredChain
from tests.node.watching import wait_until
from tests.support.stratum_world import ALICE, BOB, HARDER_PARAMS, START, name_of, open_world
from tests.support.stratum_world import PARAMS as STRATUM_PARAMS
from tests.support.template_client import call

LAG = "1234 blocks to come above block 7"


class Switch:
    """Says that a node is behind, or not."""

    def __init__(self, node: Node, lag: str = LAG) -> None:
        self.lag = lag
        node.behind.follow(lambda: self.lag)


def test_miners_that_come_meanwhile_are_told_and_get_a_job_afterwards(tmp_path: Path) -> None:
    user = name_of(ALICE)
    with open_world(tmp_path) as world, world.connect() as client:
        switch = Switch(world.node)
        _, client.mind.extranonce1, client.mind.extranonce2_size = client.ask_well("mining.subscribe", [])
        client.ask_well("mining.authorize", [user, "x"])
        client.read_notice()
        assert client.mind.jobs == [] and LAG in client.mind.told[0] and "downloading" in client.mind.told[0]
        switch.lag = ""
        client.wait_for_job()
        world.mine(client, user)
        assert world.height == 1


def test_work_that_was_given_out_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = name_of(ALICE)
    with open_world(tmp_path) as world, world.connect(user) as client:
        share = client.mind.find(user)
        switch = Switch(world.node)
        client.read_notice()
        assert LAG in client.mind.told[0]
        answer = client.submit(share)
        assert answer["error"][0] == 21 and LAG in answer["error"][1]
        assert world.server.pool.build(complete=True) is None
        monkeypatch.setattr(serving, "FRESH_JOB_MS", 500)
        client.read_notice()
        assert len(client.mind.told) == 2, "it hears of it again, so that it does not hang up"
        switch.lag = ""
        client.wait_for_job()
        assert client.submit(client.mind.find(user))["error"] is None


def test_a_new_tip_brings_no_job_meanwhile(tmp_path: Path) -> None:
    store = StoredChain(tmp_path / "other.sqlite", STRATUM_PARAMS)
    with open_world(tmp_path / "node") as world, world.connect(name_of(BOB)) as client:
        switch = Switch(world.node)
        client.read_notice()
        jobs = len(client.mind.jobs)
        for number in range(3):
            block = store.build(time=START - 30 + number)
            store.chain.accept_block(block)
            world.node.accept_block(block)
        assert client.refusal("mining.extranonce", []) == 20 and len(client.mind.jobs) == jobs
        switch.lag = ""
        job = client.wait_for_job()
        assert job.clean and world.height == 3
    store.close()


def test_getblocktemplate_says_that_it_is_downloading(tmp_path: Path) -> None:
    with running(tmp_path) as (node, _):
        node.payout = ALICE.address
        switch = Switch(node)
        with TestClient(create_app(node, HttpSettings(tip_age_seconds_max=None))) as client:
            cookie = read_cookie(node.config.data_dir)

            def ask(*params: Any) -> dict[str, Any]:
                return client.post("/rpc", json=call("getblocktemplate", *params), auth=cookie).json()

            for params in ((), ({"longpollid": f"{node.chain.tip.hash[::-1].hex()}:x"},)):
                error = ask(*params)["error"]
                assert error["code"] == -10 and "is downloading" in error["message"] and LAG in error["message"]
            switch.lag = ""
            assert ask()["result"]["height"] == 1


def test_fansumer_mine_says_that_it_waits(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home")
    found = Running(
        UpOptions(port=0, miner_workers=0, stratum=("127.0.0.1", 0)), tmp_path / "node", HARDER_PARAMS, None
    )
    found.start()
    try:
        switch = Switch(found.node)
        there = ("mine", "--url", found.url, "--payout", encode_address(HARDER_PARAMS.address_prefix, ALICE.address))
        said = terminal.run(*there, "--seconds", 2, "--hashlib")
        assert "state: waiting for work" in said and "downloading blocks" in said and LAG in said
        shown = terminal.run(*there, "--seconds", 2, "--hashlib", "--json")
        last = [json.loads(line) for line in shown.splitlines() if line.startswith("{")][-1]
        assert last["is_waiting"] is True and LAG in last["told"] and last["hashes"] == 0
        switch.lag = ""
        assert "state: working" in terminal.run(*there, "--seconds", 2, "--hashlib")
    finally:
        found.close()


def test_the_nodes_own_miner_waits(tmp_path: Path) -> None:
    found = Running(UpOptions(port=0, miner_workers=1), tmp_path, HARDER_PARAMS, ALICE.address)
    switch = Switch(found.node)
    found.start()
    try:
        wait_until(lambda: found.node.miner is not None and found.node.miner._thread is not None)
        found.check()
        assert found.node.chain.tip.height == 0 and found.node.miner is not None
        assert found.node.miner.figures.hashes == 0
        switch.lag = ""
        wait_until(lambda: found.node.chain.tip.height > 0, 60)
    finally:
        found.close()


# --- how a node knows it ---


def lag_of(node: Node) -> str:
    fault = node.behind.find()
    return "" if fault is None else str(fault.fields["progress"])


def test_while_it_looks_for_a_snapshot(tmp_path: Path) -> None:
    heights = SnapshotHeights(every=20, depth=10)
    with running(tmp_path, snapshots=heights, begins_with_snapshot=True) as (node, _):
        assert lag_of(node) in ("starting", "headers")
        with pytest.raises(NodeError) as caught:
            node.behind.check()
        assert caught.value.code is BEHIND


def test_while_it_looks_for_those_whom_it_was_told_of_but_not_for_ever(tmp_path: Path) -> None:
    with running(tmp_path / "alone") as (node, _):
        assert lag_of(node) == "", "it was told of nobody"
    with running(tmp_path, named=(PeerName(LOOPBACK, 9),), listen=None) as (node, _):
        assert lag_of(node) == "looking for its peers"
        wait_until(lambda: not lag_of(node), 20)


def test_while_it_fetches_blocks_of_others(tmp_path: Path) -> None:
    with running(tmp_path / "one") as (one, first):
        last = mine(one, 600)
        named = (PeerName(LOOPBACK, port_of(first)),)
        with running(tmp_path / "two", named=named, listen=None) as (two, _):
            wait_until(lambda: bool(lag_of(two)) or two.chain.tip.hash == last.hash)
            assert two.chain.tip.hash == last.hash or lag_of(two)
            wait_until(lambda: two.chain.tip.hash == last.hash, 60)
            wait_until(lambda: not lag_of(two), 10)
            assert two.chain.params == PARAMS
