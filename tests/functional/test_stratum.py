"""The Stratum port over real sockets: blocks, payouts, the book, floods, and what becomes of those who do not keep to it."""

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from starlette.testclient import TestClient

from api.cli import up
from api.http.app import create_app
from api.http.settings import HttpSettings
from bench_stratum import measure_jobs
from ledger.address import encode_address
from ledger.block import Commitment
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount, BlockHash, Height
from node.cookie import COOKIE_FILE
from node.errors import NodeError
from node.node import Node, NodeConfig
from node.stratum import server as serving
from node.stratum.book import MiningBook
from node.stratum.connection import UNREAD_BYTES_MAX, LineBudget, host_of
from node.stratum.server import StratumLimits, StratumServer, listen
from tests.node.stored_chain import StoredChain
from tests.node.watching import nothing_left_behind, wait_until
from tests.support.memory_chain import Scenario
from tests.support.shop import FAN, FRIEND
from tests.support.stratum_client import StratumClient, sha256d
from tests.support.stratum_world import ALICE, BOB, HARDER_PARAMS, PARAMS, START, StratumWorld, name_of, open_world


def payees_of(world: StratumWorld, height: int) -> dict[bytes, int]:
    with world.node.lock:
        block = world.node.chain.block_at(Height(height))
    assert block is not None
    return dict(Commitment.decode(block.commitment_bytes).payees)


@pytest.mark.parametrize("rolling", [False, True])
def test_a_hundred_blocks_by_a_miner_that_knows_nothing_of_this_chain(tmp_path: Path, *, rolling: bool) -> None:
    user = name_of(ALICE, "rig-1")
    with nothing_left_behind(), open_world(tmp_path) as world, world.connect(user, rolling=rolling) as client:
        assert [set(line) for line in client.first_lines[:1]] == [{"id", "result", "error"}]
        for _ in range(100):
            world.mine(client, user)
        assert world.height == 100
        figures = world.server.pool.figures
        assert (figures.blocks, figures.connections, figures.workers) == (100, 1, 1)
        for height in (1, 50, 100):
            assert payees_of(world, height) == {ALICE.address: PARAMS.subsidy_initial}


def test_what_waits_is_mined_and_a_new_tip_brings_a_job_at_once(tmp_path: Path) -> None:
    user = name_of(ALICE)
    scenario = Scenario(params=PARAMS)
    with open_world(tmp_path) as world, world.connect(user) as client:
        transfer = scenario.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
        world.node.submit_batch([transfer.raw])
        world.mine(client, user)
        assert client.mind.job.clean is True
        job = client.wait_for_job()
        assert job.clean is False, "the first job after a tip is empty; what waits follows"
        world.mine(client, user)
        with world.node.lock:
            blocks = [world.node.chain.block_at(Height(height)) for height in (1, 2)]
        assert [block.transactions for block in blocks if block is not None] == [(), (transfer.raw,)]


def test_a_block_from_elsewhere_makes_all_jobs_stale(tmp_path: Path) -> None:
    user = name_of(ALICE)
    store = StoredChain(tmp_path / "other.sqlite", PARAMS)
    with open_world(tmp_path / "node") as world, world.connect(user) as client, world.connect(name_of(BOB)) as other:
        stale = client.mind.find(user)
        world.node.accept_block(store.build(time=START - 30))
        job = client.wait_for_job(clean=True)
        other.wait_for_job(clean=True)
        assert client.submit(stale)["error"][0] == 21
        assert client.submit(client.mind.find(user, job=job))["error"] is None
    store.close()


def test_workers_share_a_reward_by_their_shares(tmp_path: Path) -> None:
    alice, bob = name_of(ALICE, "a"), name_of(BOB, "b")
    with open_world(tmp_path) as world, world.connect(alice) as first, world.connect(bob) as second:
        first.wait_for_job()
        second.wait_for_job()  # both are here now, and nobody has a claim
        world.mine(second, bob)
        assert payees_of(world, 1) == {
            ALICE.address: PARAMS.subsidy_initial // 2,
            BOB.address: PARAMS.subsidy_initial // 2,
        }
        world.mine(second, bob)
        first.wait_for_job(clean=True)
        while first.mind.job.previous != second.mind.job.previous:
            first.wait_for_job(clean=True)
        world.mine(first, alice)
        assert payees_of(world, 2) == payees_of(world, 3) == {BOB.address: PARAMS.subsidy_initial}
        while first.mind.job.previous == second.mind.job.previous:
            second.wait_for_job()
        world.mine(first, alice)
        shares = payees_of(world, 4)
        assert shares == {
            ALICE.address: PARAMS.subsidy_initial // 3,
            BOB.address: PARAMS.subsidy_initial - PARAMS.subsidy_initial // 3,
        }


def test_the_account_names_each_share_and_survives_a_restart(tmp_path: Path) -> None:
    alice, bob = name_of(ALICE, "a"), name_of(BOB, "b")
    with open_world(tmp_path, HARDER_PARAMS) as world:
        with world.connect(alice) as first, world.connect(bob) as second:
            for _ in range(3):
                world.mine(first, alice)
            second.wait_for_job(clean=True)
        pool = world.server.pool
        wait_until(lambda: pool.figures.blocks == 3)
        pool.flush()
        tip = world.node.chain.tip
        found = pool.book.block(BlockHash(tip.hash))
        assert found is not None and found.is_active and found.height == 3
        assert dict(found.payees) == payees_of(world, 3)
        listed = pool.book.shares_below(found.window.last + 1, 50)
        counted = [share for share in listed if share.number >= found.window.first]
        assert sum(share.weight for share in counted) == sum(claim.weight for claim in found.window.claims)
        assert {share.address for share in counted} == {claim.address for claim in found.window.claims if claim.shares}
        assert all(
            share.header.previous in {world.node.chain.header_at(Height(h)).hash for h in range(3)} for share in counted
        )
        before, last = pool.window(), pool.shares.last
    with open_world(tmp_path, HARDER_PARAMS) as world:
        again = world.server.pool
        assert (again.window(), again.shares.last) == (before, last)
        assert again.book.blocks_below(10**9, 10)[0][1] == found
        with world.connect(bob) as client:
            world.clock.set(world.clock.now() + 600)
            world.mine(client, bob)
        assert set(payees_of(world, 4)) == {ALICE.address}, "who worked before the restart is paid by the next block"


def test_a_block_that_leaves_the_chain_is_noted(tmp_path: Path) -> None:
    user = name_of(ALICE)
    store = StoredChain(tmp_path / "other.sqlite", PARAMS)
    branch = []
    for number in range(2):
        block = store.build(time=START + 60 * number)
        store.take(block)
        branch.append(block)
    with open_world(tmp_path / "node") as world:
        with world.connect(user) as client:
            world.mine(client, user)
        ours = world.node.chain.tip.hash
        world.clock.set(START + 600)
        for block in branch:
            world.node.accept_block(block)
        assert world.node.chain.tip.hash == branch[-1].hash
        known = world.server.pool.shares.block(ours)
        assert known is not None and not known.is_active
        world.server.pool.flush()
        assert world.server.pool.book.block(ours) == known
    store.close()


def test_of_many_blocks_for_one_tip_the_first_is_taken(tmp_path: Path) -> None:
    user = name_of(ALICE)
    with open_world(tmp_path) as world, world.connect(user) as client:
        target = world.node.chain.build_template((), lambda _: ((ALICE.address, _),), world.clock.now()).target
        found = [client.mind.find(user, target=target) for _ in range(20)]
        with world.node.lock:  # the chain is busy: all of them are shares of the same job
            assert [client.submit(one)["error"] for one in found] == [None] * 20
        wait_until(lambda: world.server.pool.figures.blocks + world.server.pool.figures.late_blocks == 20)
        assert (world.height, world.server.pool.figures.blocks) == (1, 1)


def test_where_the_parents_time_is_far_ahead_shares_count_and_the_block_waits(tmp_path: Path) -> None:
    user = name_of(ALICE)
    with open_world(tmp_path) as world, world.connect(user) as client:
        ahead_s = PARAMS.future_limit_seconds(Height(1))
        latest = f"{START + ahead_s:08x}"
        target = int(client.mind.job.target)
        found = client.mind.find(user, time=latest, target=target)
        while client.submit(found)["error"] is None and world.height == 0:
            found = client.mind.find(user, time=latest, target=target)
        wait_until(lambda: world.height == 1)
        assert world.node.chain.tip.header.time == START + ahead_s
        while client.mind.job.time != f"{START + ahead_s + 1:08x}":
            client.read_notice()
        assert client.submit(client.mind.find(user, time=f"{START + ahead_s + 2:08x}"))["error"][0] == 20
        for _ in range(3):
            assert client.submit(client.mind.find(user, target=target))["error"] is None
        figures = world.server.pool.figures
        wait_until(lambda: figures.blocks + figures.late_blocks >= 4)
        assert (world.height, len(world.node.waiting), figures.blocks) == (1, 1, 2)
        world.clock.set(START + 1)
        world.node.poll_waiting()
        assert world.height == 2
        assert client.wait_for_job(clean=True).time == f"{START + ahead_s + 2:08x}"


def test_floods_are_held_back_and_do_not_reach_the_others(tmp_path: Path) -> None:
    user = name_of(ALICE)
    with open_world(tmp_path) as world, world.connect(user) as client, world.connect() as flood:
        flood.send_bytes(b'{"id":1,"method":"mining.fly","params":[]}\n' * 2_000)
        started = time.monotonic()
        assert client.ask("mining.extranonce.subscribe", [])["result"] is True
        assert time.monotonic() - started < 10, "the flood has fifteen seconds to go"
        answered = [flood.read() for _ in range(600)]
        assert all(found is not None and found["error"][0] == 20 for found in answered)
        assert time.monotonic() - started > 0.5, "after 500 lines, a hundred a second"


def test_a_line_without_an_end_and_lines_of_rubbish_are_dropped(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        for rubbish in (
            b"x" * 70_000,
            b'{"id":1,"method":"' + b"y" * 5_000 + b'"}\n',
            b"rubbish\n" * 20,
            b"\x00\n" * 20,
        ):
            with world.connect() as client:
                client.send_bytes(rubbish)
                said = ""
                while (line := client.read()) is not None:
                    said = line["params"][0] if "method" in line else said
                assert said.startswith("closed: ") or len(rubbish) > 2**16, "as far as it could be sent"
        wait_until(lambda: world.server.pool.figures.connections == 0)
        assert world.server.pool.figures.dropped == 4


def test_who_reads_nothing_is_dropped(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, socket.create_connection(("127.0.0.1", world.server.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        request = b'{"id":"' + b"i" * 60 + b'","method":"mining.fly","params":[]}\n'
        deaf.settimeout(0.05)
        deadline = time.monotonic() + 60
        wait_until(lambda: world.server.pool.figures.connections == 1)
        connection = next(iter(world.server._connections))
        assert connection._transport is not None
        connection._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2_048)
        connection._lines = LineBudget(10**9, 100, 0)
        while world.server.pool.figures.dropped == 0:
            assert time.monotonic() < deadline, f"{UNREAD_BYTES_MAX} bytes stay unread for ever"
            try:
                deaf.sendall(request * 50)
            except OSError:
                time.sleep(0.01)
        wait_until(lambda: world.server.pool.figures.connections == 0)


def test_so_many_connections_and_no_more(tmp_path: Path) -> None:
    with open_world(tmp_path, limits=StratumLimits(connections_max=5, connections_of_host_max=3)) as world:
        clients = [world.connect(name_of(ALICE)) for _ in range(3)]
        with world.connect() as refused:
            assert refused.read() is None
        assert len({client.mind.extranonce1 for client in clients}) == 3
        clients.pop().close()
        wait_until(lambda: world.server.pool.figures.connections == 2)
        clients.append(world.connect(name_of(ALICE)))
        for client in clients:
            client.close()


def test_hosts_are_counted_by_network() -> None:
    assert host_of(("2001:db8::1", 5, 0, 0)) == host_of(("2001:db8::2", 6, 0, 0)) == "2001:db8::/64"
    assert host_of(("127.0.0.1", 5)) == "127.0.0.1" and host_of(("::ffff:10.0.0.1", 5)) == "10.0.0.1"
    assert host_of(None) == "" and host_of(("somewhere", 1)) == "somewhere"


def test_a_thousand_miners_hear_of_a_new_tip(tmp_path: Path) -> None:
    """Time is measured by the bench; here: everybody gets it, each with an extranonce of its own."""
    count = 300
    store = StoredChain(tmp_path / "other.sqlite", PARAMS)
    with open_world(tmp_path / "node") as world:
        clients = [world.connect(name_of(ALICE)) for _ in range(count)]
        assert len({client.mind.extranonce1 for client in clients}) == count
        block = store.build(time=START)
        world.node.accept_block(block)
        assert all(client.wait_for_job(clean=True).previous == clients[0].mind.job.previous for client in clients)
        for client in clients:
            client.close()
    store.close()


def test_a_fresh_job_comes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert serving.FRESH_JOB_MS < 30_000
    monkeypatch.setattr(serving, "FRESH_JOB_MS", 1)
    with open_world(tmp_path) as world, world.connect(name_of(ALICE)) as client:
        world.clock.set(START + 30)
        known = client.mind.job
        while (job := client.wait_for_job()).time == known.time:
            pass
        assert job.clean is False and job.time == f"{START + 30:08x}" and job.id != known.id
        assert client.submit(client.mind.find(name_of(ALICE), job=known))["error"] is None


def test_a_port_that_is_taken_and_one_that_is_none(tmp_path: Path) -> None:
    first = listen("127.0.0.1", 0)
    with pytest.raises(NodeError) as caught:
        listen("127.0.0.1", first.getsockname()[1])
    assert caught.value.code.name == "stratum.port_in_use"
    first.close()
    for host, port in (("127.0.0.1", 99_999), ("203.0.113.1", 1), ("no such host", 1)):
        with pytest.raises(NodeError) as caught:
            listen(host, port)
        assert caught.value.code.name == "stratum.not_bound"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_broken_invariant_in_the_servers_thread_is_never_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise AssertionError("two and two are five")

    with open_world(tmp_path) as world, world.connect() as client:
        monkeypatch.setattr(world.server, "after_line", break_down)
        client.send_bytes(b"\n")
        wait_until(world.node.health.is_broken.is_set)
        wait_until(lambda: not world.server.is_serving)
        with pytest.raises(NodeError):
            world.node.health.check()


def test_a_book_that_takes_nothing_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = name_of(ALICE)
    with open_world(tmp_path) as world, world.connect(user) as client:
        write = MiningBook.write

        def refuse(*_: object) -> None:
            raise NodeError(serving.NOT_STARTED, seconds=1)

        monkeypatch.setattr(MiningBook, "write", refuse)
        world.mine(client, user)
        world.server.pool.flush()
        assert world.server.pool.book.shares_below(10, 10) == []
        monkeypatch.setattr(MiningBook, "write", write)
        world.server.pool.flush()
        assert [share.number for share in world.server.pool.book.shares_below(10, 10)] == [1]
        assert len(world.server.pool.book.blocks_below(10, 10)) == 1


def test_a_node_without_a_port_closes_as_before(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, PARAMS))
    assert node.stratum is None
    server = StratumServer(node, listen("127.0.0.1", 0))
    node.stratum = server
    node.close()
    node.close()
    assert not server.is_serving and replace(node.config) == node.config


def test_everybody_can_do_the_arithmetic_of_a_payout_again_from_the_public_account(tmp_path: Path) -> None:
    alice, bob = name_of(ALICE, "a"), name_of(BOB)
    with open_world(tmp_path, HARDER_PARAMS) as world:
        app = create_app(world.node, HttpSettings(rate_limited=False, tip_age_seconds_max=None))
        with TestClient(app) as reader, world.connect(alice) as first, world.connect(bob) as second:
            empty = reader.get("/v1/mining").json()
            assert (empty["port"], empty["workers"], empty["first_share"]) == (world.server.port, 2, 0)
            assert [claim["claim"] for claim in empty["claims"]] == ["1", "1"]
            for _ in range(2):
                world.mine(second, bob)
            for _ in range(4):
                world.mine(first, alice)
            world.server.pool.flush()
            items = reader.get("/v1/mining/blocks", params={"limit": 2}).json()
            assert [item["height"] for item in items["items"]] == [6, 5]
            more = reader.get("/v1/mining/blocks", params={"cursor": items["next_cursor"]}).json()
            assert [item["height"] for item in more["items"]] == [4, 3, 2, 1]
            last = reader.get(f"/v1/mining/blocks/{items['items'][0]['hash']}").json()
            shares = reader.get("/v1/mining/shares", params={"from": last["last_share"]}).json()["items"]
            counted = [share for share in shares if share["number"] >= last["first_share"]]
            for claim in last["claims"]:
                mine = [share for share in counted if share["address"] == claim["address"]]
                assert len(mine) == claim["shares"] and sum(int(share["weight"]) for share in mine) == int(
                    claim["weight"]
                )
            for share in counted:
                found = int.from_bytes(sha256d(bytes.fromhex(share["header"])), "little")
                assert found < 2**256 // int(share["weight"]) * 101 // 100 and f"{found:064x}" == share["hash"]
            block = reader.get(f"/v1/blocks/{last['hash']}").json()
            paid = [{"address": c["address"], "amount": c["amount"]} for c in last["claims"] if c["amount"]]
            assert block["payees"] == paid and sum(payee["amount"] for payee in paid) == last["reward"]
            missing = reader.get(f"/v1/mining/blocks/{'00' * 32}")
            assert (missing.status_code, missing.json()["code"]) == (404, "mined_block.unknown")
            metrics = reader.get("/metrics").text
            assert "fansumer_stratum_connections 2.0" in metrics and "fansumer_stratum_blocks 6.0" in metrics


def test_node_run_says_how_to_point_a_miner_and_ends_with_everything_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = up.UpOptions(data_dir=tmp_path, port=0, network="sim", stratum=("127.0.0.1", 0), miner_workers=0)
    said: list[str] = []

    def drive(running: up.Running, console: Console, hints: Callable[[up.Running], list[str]]) -> None:
        running.start()
        try:
            said.extend([*hints(running), *up._hints_for_miners(running)])
            running.check()
            stratum = running.node.stratum
            assert stratum is not None
            user = encode_address("sfan", ALICE.address)
            with StratumClient("127.0.0.1", stratum.port) as client:
                client.log_in(user)
                while running.node.chain.tip.height == 0:
                    client.submit(client.mind.find(user))
            stratum.close()
            with pytest.raises(NodeError) as caught:
                running.check()
            assert caught.value.code.name == "stratum.stopped"
        finally:
            running.close()

    monkeypatch.setattr(up, "_serve", drive)
    with nothing_left_behind():
        up.run_up(options, Console(quiet=True))
    text = "\n".join(said)
    assert "stratum+tcp://127.0.0.1:" in text and "-u sfan1..." in text and f"{tmp_path / COOKIE_FILE}" in text
    assert not (tmp_path / COOKIE_FILE).exists()


def test_a_port_for_miners_that_is_taken_leaves_nothing_open(tmp_path: Path) -> None:
    taken = listen("127.0.0.1", 0)
    options = up.UpOptions(data_dir=tmp_path, port=0, network="sim", stratum=taken.getsockname()[:2])
    with nothing_left_behind(), pytest.raises(NodeError) as caught:
        up.Running(options, tmp_path, PARAMS, None)
    assert caught.value.code.name == "stratum.port_in_use" and not (tmp_path / COOKIE_FILE).exists()
    up.Running(up.UpOptions(port=0), tmp_path, PARAMS, None).close()
    taken.close()


def test_the_bench_of_jobs_runs() -> None:
    answer = measure_jobs(20, 2)
    assert 0 < answer["median_ms"] <= answer["worst_ms"]


def test_all_connections_of_a_host_share_its_lines() -> None:
    budget = LineBudget(3, 10, 0)
    assert [budget.take(0) for _ in range(4)] == [True, True, True, False]
    assert [budget.take(100), budget.take(100), budget.take(150), budget.take(200)] == [True, False, False, True]
    assert [budget.take(10**9) for _ in range(4)] == [True, True, True, False], "no more than at once"
