"""A till as a shop runs it: a process that is killed, a node that is away, a POS that sends everything three times."""

import json
import random
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from api.wallet.receipts import check_receipt
from ledger.domains.loyalty.receipts import decode_receipt
from tests.support.till_process import NodeOnSocket, Pos, TillProcess, open_node, till_of, wait_until
from tests.support.till_world import TILL

SALES = 400
TIMES = 3
CONNECTIONS = 12
KILLS = 5
SEED = 17


@pytest.fixture
def till(node: NodeOnSocket, tmp_path: Path) -> Iterator[TillProcess]:
    with till_of(node, tmp_path / "home") as found:
        yield found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeOnSocket]:
    with open_node(tmp_path / "node", days=3) as found:
        yield found


def handed_over(till: TillProcess) -> int:
    return till.status()["hand_over"]["handed_over"]


def test_400_sales_sent_three_times_each_are_400_receipts_whatever_is_killed(
    node: NodeOnSocket, till: TillProcess, tmp_path: Path
) -> None:
    moments = random.Random(SEED)
    till.start()
    wait_until(lambda: till.status()["signing"]["signs"], "the first contact")
    member = node.market.fan.address_text(node.market.member)
    bodies = [
        {"id": f"sale-{index % SALES}", "member": member, "net_cents": 100 + index % SALES}
        for index in range(SALES * TIMES)
    ]
    moments.shuffle(bodies)
    people = [Pos(till, bodies[start::CONNECTIONS]) for start in range(CONNECTIONS)]
    for pos in people:
        pos.start()
    for kill in range(KILLS):
        time.sleep(0.1 + moments.random() * 0.5)
        till.kill()
        if kill == 1:
            node.down()
        if kill == 3:
            node.up()
        till.start()
    for pos in people:
        pos.join(120)
        assert not pos.is_alive()
    answers = [answer for pos in people for answer in pos.answers]
    assert len(answers) == SALES * TIMES and sum(pos.tries for pos in people) > SALES * TIMES, f"seed {SEED}"
    by_sale: dict[str, set[str]] = {}
    for answer in answers:
        by_sale.setdefault(answer["sale"], set()).add(answer["receipt"])
    assert len(by_sale) == SALES and all(len(found) == 1 for found in by_sale.values()), f"seed {SEED}"
    receipts = [decode_receipt(b64decode(next(iter(found)))) for found in by_sale.values()]
    assert sorted(signed.receipt.sequence for signed in receipts) == list(range(1, SALES + 1)), f"seed {SEED}"
    check_receipt(receipts[0], node.market.fan.facts.chain_id, now=None)
    wait_until(lambda: handed_over(till) == SALES, "all are handed over")
    shown = till.status()
    assert shown["next_number"] == SALES + 1 and shown["hand_over"]["set_aside"] == 0
    export = till.command("till", "export", str(tmp_path / "out"), "--data-dir", str(till.folder))
    subprocess.run(export, check=True, env=till.environment(), timeout=60)
    exported = [decode_receipt(path.read_bytes()) for path in sorted((tmp_path / "out").iterdir())]
    assert sorted(exported, key=lambda signed: signed.receipt.sequence) == exported and len(exported) == SALES
    assert {signed.signature for signed in exported} == {signed.signature for signed in receipts}
    assert till.stop() == 0


def test_a_till_without_its_node_and_one_that_is_revoked(node: NodeOnSocket, till: TillProcess) -> None:
    node.down()
    till.start()
    refused = till.sell("a")
    assert (refused.status_code, refused.json()["code"]) == (503, "till.no_terms")
    node.up()
    wait_until(lambda: till.sell("a").status_code in (200, 201), "the node is found")
    node.down()
    assert till.sell("b").json()["number"] == 2
    till.kill()
    till.start()
    assert [till.sell(name).json()["number"] for name in ("a", "b", "c")] == [1, 2, 3]
    wait_until(lambda: till.status()["node"]["problem"] is not None, "it notices that nobody answers")
    second = subprocess.run(
        till.serve_command(), capture_output=True, text=True, env=till.environment(), timeout=60, check=False
    )
    assert (second.returncode, "store.in_use" in second.stderr) == (1, True), second.stderr
    node.up()
    wait_until(lambda: handed_over(till) == 3, "they are handed over")
    sent = node.market.owner.revoke_issuer(node.market.program, TILL)
    node.mine()
    assert node.market.node.client.transaction(sent.txid)["status"] == "confirmed"
    new = (f"after-{number}" for number in count())  # a sale that was signed before it heard keeps its receipt
    wait_until(lambda: till.sell(next(new)).status_code == 403, "it hears of its revocation")
    refused = till.sell(next(new))
    assert refused.json()["code"] == "till.revoked" and till.sell("c").status_code == 200
    assert till.status()["signing"]["code"] == "till.revoked"
    member = node.market.fan.address_text(node.market.member)
    sign = (
        "brand",
        "sign-receipt",
        node.market.program.hex(),
        "--member",
        member,
        "--net-cents",
        "1",
        "--out",
        "x.bin",
    )
    elsewhere = subprocess.run(
        till.command(*sign, "--wallet", str(till.home / "till.json"), "--url", node.url),
        capture_output=True,
        text=True,
        env=till.environment(),
        timeout=60,
        check=False,
    )
    assert (elsewhere.returncode, "sequence.served" in elsewhere.stderr) == (1, True), elsewhere.stderr
    assert till.stop() == 0


@pytest.fixture
def settling(node: NodeOnSocket, tmp_path: Path) -> Iterator[TillProcess]:
    with till_of(node, tmp_path / "home", "--settle", "--settle-delay-seconds", "0") as found:
        yield found


def test_settling_survives_kills_and_posts_nothing_twice(node: NodeOnSocket, settling: TillProcess) -> None:
    till = settling
    till.start()
    wait_until(lambda: till.status()["signing"]["signs"], "the first contact")
    yesterday = int(time.time()) - 129_600
    for index in range(5):
        assert till.sell(str(index), 3_000, time=yesterday + index).status_code == 201
    till.kill()
    pool = node.market.node.chain.node.mempool
    for _ in range(3):
        till.start()
        wait_until(lambda: len(pool) == 1, "a batch is sent")
        till.kill()
    node.mine()
    till.start()
    wait_until(lambda: till.status()["settlement"]["settled"] == 5, "the batch is found in its block")
    points = node.market.points()
    assert points["entries"] == 1
    (opening,) = (till.home / "openings" / node.market.program.hex()).iterdir()
    document = json.loads(opening.read_text())
    assert points["available"] + document["after"]["remainder"] == 1_500 and len(document["receipts"]) == 5
    assert till.status()["settlement"]["last_run"]["entries"] == 1
    assert till.stop() == 0
