"""An attestor at a node: it votes when it may, says what it does once, and waits for a node that does not answer."""

import threading
from pathlib import Path
from typing import Any

import pytest

from api.attesting import AttestorRun, Lease
from api.wallet.attestor_calls import read_sight
from api.wallet.errors import ClientProblem, Unreachable
from ledger.finality.votes import SignedVote, sign_vote
from node.attest.attestor import KEY_IN_USE, Sight
from node.attest.disk import IN_USE, FileDisk
from node.attest.record import NO_RECORD, make_record
from node.errors import NodeError
from tests.node.attest.power import CHAIN, INTERVAL, KEY, SEED, checkpoint, link
from tests.support.refusal import refused


class FakeClient:
    """A node that shows what a test wants."""

    url = "http://node.example"

    def __init__(self) -> None:
        self.attesting = self
        self.height, self.source = 0, 0
        self.known: list[SignedVote] = []
        self.faults: list[Exception] = []

    def chain(self) -> dict[str, Any]:
        return {"chain_id": CHAIN.hex()}

    def standing(self) -> dict[str, Any]:
        source, target = checkpoint(self.source), checkpoint(self.height // INTERVAL * INTERVAL)
        return {
            "chain_id": CHAIN.hex(),
            "interval_blocks": INTERVAL,
            "height": self.height,
            "is_fresh": True,
            "source": {"height": source.height, "hash": source.hash[::-1].hex()},
            "target": {"height": target.height, "hash": target.hash[::-1].hex()},
            "set_number": 0,
            "is_member": True,
            "votes": [{"raw": vote.encode().hex()} for vote in self.known],
        }

    def sight(self, key: bytes) -> Sight:
        if self.faults:
            raise self.faults.pop(0)
        return read_sight(self.standing())

    def vote(self, signed: SignedVote) -> dict[str, Any]:
        if self.faults:
            raise self.faults.pop(0)
        self.known.append(signed)
        return {}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    keystore, record = tmp_path / "attestor.json", tmp_path / "record.json"
    keystore.write_text("{}")
    make_record(FileDisk(record), KEY)
    return keystore, record


def make_run(client: FakeClient, files: tuple[Path, Path]) -> tuple[AttestorRun, list[str]]:
    said: list[str] = []
    node: Any = client
    return AttestorRun(node, SEED, Lease.take(*files, KEY), said.append), said


def test_it_listens_votes_and_says_so_once(files: tuple[Path, Path]) -> None:
    client = FakeClient()
    run, said = make_run(client, files)
    for height in range(45):
        client.height = height
        run.look()
    assert [vote.vote.target.height for vote in client.known] == [40]
    assert run.votes == 1
    assert len(said) == 3
    assert "its first vote can be for height 40" in said[0]
    assert said[2] == "Voted for height 40, from 0."


def test_a_node_that_is_away_is_waited_for_and_told_of_once(files: tuple[Path, Path]) -> None:
    client = FakeClient()
    run, said = make_run(client, files)
    run.look()
    client.height = 40
    away = Unreachable("client.unreachable", "no node answers", "")
    client.faults += [away, away, KeyError("height")]
    for _ in range(3):
        assert run.look() is None
    assert run.look() is not None
    assert [line for line in said if "node" in line and "listens" not in line] == [
        "The node can't be used now, and is tried on: no node answers",
        "The node answers again.",
    ]


def test_a_vote_that_was_refused_is_handed_over_again(files: tuple[Path, Path]) -> None:
    client = FakeClient()
    run, said = make_run(client, files)
    run.look()
    client.height = 40
    sight = client.sight(KEY)
    client.sight = lambda key: sight  # type: ignore[method-assign]  # what it shows stays the same
    client.faults = [ClientProblem("finality.full", "no room", "", status=503)]
    assert run.look() is None
    assert "no room (finality.full)" in said[-1]
    assert run.look() is not None


def test_somebody_else_with_the_key_ends_it(files: tuple[Path, Path]) -> None:
    client = FakeClient()
    run, _ = make_run(client, files)
    run.look()
    client.known.append(sign_vote(SEED, KEY, link(0, 20)))
    client.height = 21
    with refused(KEY_IN_USE, NodeError):
        run.run(threading.Event(), 0)


def test_one_process_takes_keystore_and_record(files: tuple[Path, Path], tmp_path: Path) -> None:
    keystore, record = files
    lease = Lease.take(keystore, record, KEY)
    with refused(IN_USE, NodeError):
        Lease.take(keystore, tmp_path / "another.json", KEY)
    with refused(IN_USE, NodeError):
        Lease.take(tmp_path / "copy.json", record, KEY)
    lease.release()
    with refused(NO_RECORD, NodeError):
        Lease.take(keystore, tmp_path / "another.json", KEY)
    Lease.take(keystore, record, KEY).release()


def test_it_stops_when_it_is_told(files: tuple[Path, Path]) -> None:
    run, _ = make_run(FakeClient(), files)
    stop = threading.Event()
    stop.set()
    run.run(stop)
    assert run.votes == 0


def test_a_hash_of_another_length_makes_no_sense() -> None:
    found = FakeClient().standing()
    found["source"]["hash"] = "00"
    with pytest.raises(ValueError, match="32 bytes"):
        read_sight(found)
