"""`fansumer attestors`, `fansumer attest` and `chain finality` at a node with attestors: what people type, also wrong things."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.attesting import AttestorRun
from api.cli import session
from api.wallet.client import Client
from api.wallet.derivation import derive_attestor_seed
from ledger.finality.votes import Vote, make_evidence, sign_vote
from ledger.keys import public_key_of
from ledger.types import BlockHash, Height, PublicKey
from tests.api.cli.conftest import Terminal
from tests.support.attested import INTERVAL, KEYS, SEEDS, attestors, vote_on
from tests.support.wallet_node import WalletNode, master_of, open_wallet_node

FAN_SEED = derive_attestor_seed(master_of("fan"), 0)
FAN_KEY = public_key_of(FAN_SEED)
"""The key that `attest init` takes from the fan's words."""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WalletNode]:
    """A node with the fan and three others as attestors, which every command reaches."""
    members = tuple(sorted((*attestors(0, 1, 2), attestors(0)[0].__class__(FAN_KEY, 1)), key=lambda one: one.key))
    finality: dict[str, Any] = {
        "attestors": members,
        "recovery_keys": tuple(KEYS[9:12]),
        "recovery_threshold": 2,
        "silence_days": 2,
        "silence_blocks": 10,
        "checkpoint_interval_blocks": INTERVAL,
    }
    with open_wallet_node(tmp_path / "node", **finality) as found:

        @contextmanager
        def connect(url: str) -> Iterator[Client]:
            yield found.client

        monkeypatch.setattr(session, "connect", connect)
        yield found


@pytest.fixture
def owner(terminal_of: Callable[[str], Terminal]) -> Terminal:
    return terminal_of("owner")


def write_seed(folder: Path, place: int) -> Path:
    file = folder / f"seed-{place}"
    file.write_text(SEEDS[KEYS[place]].hex() + "\n")
    return file


def member(place: int, weight: int = 1) -> str:
    return f"{KEYS[place].hex()}:{weight}"


def vote(node: WalletNode, source: int, target: int, *places: int) -> None:
    """Let attestors vote for a link of the node's chain."""
    chain = node.chain.node.chain
    ends = [_checkpoint(node, height) for height in (source, target)]
    for key, signature in vote_on(chain.chain_id, ends[0], ends[1], *places):
        node.chain.node.desk.submit(_signed(chain.chain_id, ends, key, signature))  # type: ignore[union-attr]  # it has attestors


def _signed(chain_id: Any, ends: list[Any], key: PublicKey, signature: Any) -> Any:
    from ledger.finality.votes import SignedVote

    return SignedVote(Vote(chain_id, 0, ends[0], ends[1]), key, signature)


def _checkpoint(node: WalletNode, height: int) -> Any:
    from ledger.finality.votes import Checkpoint

    return Checkpoint(Height(height), node.chain.node.chain.header_at(Height(height)).hash)


# --- the set and its changes ---


def test_what_is_final_is_shown(node: WalletNode, terminal: Terminal) -> None:
    node.mine(7)
    said = terminal.run("chain", "finality")
    assert "quorum_weight" in said and KEYS[0].hex() in said and FAN_KEY.hex() in said
    fan = sign_vote(
        FAN_SEED, FAN_KEY, Vote(node.chain.node.chain.chain_id, 0, _checkpoint(node, 0), _checkpoint(node, 4))
    )
    node.chain.node.desk.submit(fan)  # type: ignore[union-attr]  # it has attestors
    vote(node, 0, 4, 0, 1)
    found = terminal.read("chain", "finality")
    assert (found["justified"]["height"], found["final"]["height"]) == (4, 0)


def test_a_set_changes_by_a_file_that_three_of_four_sign(node: WalletNode, owner: Terminal) -> None:
    node.mine(2)
    file = owner.home / "change.json"
    said = owner.read("attestors", "propose", "--member", member(3, 5), "--member", member(1), "--out", file)
    assert (said["set_number"], said["members"]) == (0, 2)
    assert "approvals must hold 1..128 items" in owner.fail("attestors", "send", file), "nobody has signed"
    for count, place in enumerate((0, 1, 1, 2), start=1):
        seed = write_seed(owner.home, place)
        assert owner.read("attestors", "approve", file, "--seed", seed)["approvals"] == count - (count > 2)
        if place < 2:
            assert "finality.quorum" in owner.fail("attestors", "send", file), "two of four are none"
    owner.run("attestors", "send", file)
    found = owner.read("chain", "finality")
    assert found["scheduled"] is not None and len(found["scheduled"]["members"]) == 2
    assert "change_waits" in owner.fail("attestors", "send", file), "it is scheduled already"


def test_a_change_that_was_altered_or_is_for_something_else(node: WalletNode, owner: Terminal) -> None:
    node.mine(2)
    file = owner.home / "change.json"
    owner.run("attestors", "propose", "--member", member(3), "--out", file)
    for place in (0, 1, 2):
        owner.run("attestors", "approve", file, "--seed", write_seed(owner.home, place))
    mapping = json.loads(file.read_text())
    altered = owner.home / "altered.json"
    altered.write_text(json.dumps({**mapping, "members": [[KEYS[4].hex(), 1]]}))
    owner.fail("attestors", "send", altered)
    altered.write_text(json.dumps({**mapping, "chain_id": "00" * 32}))
    assert "another chain" in owner.fail("attestors", "send", altered, expect=2)
    assert owner.read("chain", "finality")["scheduled"] is None
    stranger = owner.read("attestors", "approve", altered, "--seed", write_seed(owner.home, 8))
    assert stranger["approvals"] == 1, "what was signed for another chain is left out"


@pytest.mark.parametrize(
    "text", ["", "x", "ab:1", f"{'0' * 64}", f"{'0' * 64}:0", f"{'0' * 64}:x", f"{'g' * 64}:1", ":1"]
)
def test_what_is_no_member(node: WalletNode, owner: Terminal, text: str) -> None:
    said = owner.fail("attestors", "propose", "--member", text, "--out", owner.home / "change.json", expect=2)
    assert "64 hex digits" in said
    assert not (owner.home / "change.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"members": 5}', "null", '"x"'])
def test_what_is_no_change(node: WalletNode, owner: Terminal, text: str) -> None:
    file = owner.home / "change.json"
    file.write_text(text)
    assert "no change of the set" in owner.fail("attestors", "send", file, expect=2)
    said = owner.fail("attestors", "approve", file, "--seed", write_seed(owner.home, 0), expect=2)
    assert "no change of the set" in said and "Traceback" not in said


@pytest.mark.parametrize("text", ["", "x", "ab" * 31, "ab" * 33, "zz" * 32])
def test_what_is_no_seed(node: WalletNode, owner: Terminal, text: str) -> None:
    file = owner.home / "change.json"
    owner.run("attestors", "propose", "--member", member(3), "--out", file)
    before = file.read_text()
    (owner.home / "seed").write_text(text)
    assert "64 hex digits" in owner.fail("attestors", "approve", file, "--seed", owner.home / "seed", expect=2)
    assert file.read_text() == before


def test_files_that_are_not_there(node: WalletNode, owner: Terminal) -> None:
    nothing = owner.home / "nothing"
    owner.fail("attestors", "send", nothing, expect=2)
    owner.fail("attestors", "approve", nothing, "--seed", nothing, expect=2)
    owner.fail("attestors", "accuse", nothing, expect=2)


def test_a_set_that_is_not_silent_is_not_replaced(node: WalletNode, owner: Terminal) -> None:
    node.mine(2)
    file = owner.home / "change.json"
    owner.run("attestors", "propose", "--member", member(3), "--out", file, "--replace-silent")
    for place in (9, 10):
        owner.run("attestors", "approve", file, "--seed", write_seed(owner.home, place))
    assert "finality.not_silent" in owner.fail("attestors", "send", file)


def test_who_lied_is_accused_with_a_file(node: WalletNode, owner: Terminal) -> None:
    node.mine(6)
    chain_id = node.chain.node.chain.chain_id
    votes = [
        sign_vote(SEEDS[KEYS[0]], KEYS[0], Vote(chain_id, 0, _checkpoint(node, 0), target))
        for target in (_checkpoint(node, 4), _checkpoint(node, 4).__class__(Height(4), BlockHash(b"x" * 32)))
    ]
    evidence = make_evidence(*votes)
    assert evidence is not None
    file = owner.home / "evidence.bin"
    file.write_bytes(evidence.encode())
    owner.run("attestors", "accuse", file)
    node.mine()
    found = owner.read("chain", "finality")
    scheduled = [one["key"] for one in found["scheduled"]["members"]]
    assert KEYS[0].hex() not in scheduled and len(scheduled) == 3
    assert "known_liar" in owner.fail("attestors", "accuse", file)
    for data in (b"", b"x", evidence.encode()[:-1], evidence.encode() + b"\0"):
        file.write_bytes(data)
        assert "Traceback" not in owner.fail("attestors", "accuse", file, expect=1)


# --- attesting ---


def test_a_fan_attests_with_a_key_of_its_wallet(
    node: WalletNode, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.restore("fan")
    there = ("--keystore", terminal.home / "wallet.json")
    assert terminal.read("attest", "init", *there)["key"] == FAN_KEY.hex()
    before = terminal.read("attest", "status", *there)
    assert before["chains"] == [] and before["node"]["is_member"] is True and before["node"]["votes"] == []

    def look_often(self: AttestorRun, stop: Any, seconds: float = 0) -> None:
        for _ in range(12):
            node.mine()
            self.look()

    monkeypatch.setattr(AttestorRun, "run", look_often)
    said = terminal.hear("attest", "run", *there)
    assert "Voted for height " in said and "Stopped after" in said
    after = terminal.read("attest", "status", *there)
    assert after["chains"][0]["votes"] >= 1 and after["chains"][0]["target_height"] >= INTERVAL
    assert [one["target"]["height"] for one in after["node"]["votes"]] != []
    assert "attest.no_record" in terminal.fail("attest", "run", *there, "--index", 1)
    assert "attest.record_exists" in terminal.fail("attest", "init", *there)


@pytest.mark.parametrize("option", [("--index", "-1"), ("--index", "x"), ("--index", str(2**31)), ("--what", "1")])
def test_what_is_typed_wrong(node: WalletNode, terminal: Terminal, option: tuple[str, str]) -> None:
    for command in ("init", "run", "status"):
        terminal.fail("attest", command, *option, expect=2)
    assert not (terminal.home / "attestor.json").exists()
