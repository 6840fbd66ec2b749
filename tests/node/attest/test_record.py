"""The signing record: what it admits, what it says of damage, and that no crash makes a key sign two votes that conflict."""

import itertools
import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Malformed
from ledger.finality.votes import BAD_LINK, SignedVote, Vote, conflict, verify_vote
from ledger.keys import public_key_of
from ledger.types import ChainId, Height, PrivateSeed
from node.attest.disk import IN_USE, RECORD_FAILED, FileDisk, FileLock
from node.attest.record import (
    CHAINS_MAX,
    NO_RECORD,
    OTHER_KEY,
    RECORD_DAMAGED,
    RECORD_EXISTS,
    TOO_MANY_CHAINS,
    WOULD_CONFLICT,
    RecordContent,
    Signed,
    SigningRecord,
    make_record,
)
from node.errors import NodeError
from tests.node.attest.power import CHAIN, KEY, SEED, PowerCut, PowerDisk, link
from tests.support.processes import child
from tests.support.refusal import refused


def make_open(disk: PowerDisk | FileDisk) -> SigningRecord:
    make_record(disk, KEY)
    return SigningRecord(disk, KEY)


@pytest.fixture
def disk(tmp_path: Path) -> FileDisk:
    return FileDisk(tmp_path / "record.json")


def test_a_vote_is_written_down_before_it_is_signed(disk: FileDisk) -> None:
    record = make_open(disk)
    signed = record.sign(SEED, link(0, 20))
    assert verify_vote(signed)
    assert record.signed(CHAIN) == Signed(Height(0), Height(20), 1, link(0, 20))
    assert SigningRecord(disk, KEY).signed(CHAIN) == record.signed(CHAIN)
    assert disk.path.stat().st_mode & 0o777 == 0o600


def test_the_same_vote_again_is_the_same_signature_and_no_write(disk: FileDisk) -> None:
    record = make_open(disk)
    first = record.sign(SEED, link(0, 20))
    before = disk.path.stat().st_mtime_ns, disk.path.stat().st_ino
    assert record.sign(SEED, link(0, 20)) == first
    assert (disk.path.stat().st_mtime_ns, disk.path.stat().st_ino) == before
    assert record.signed(CHAIN).votes == 1


@pytest.mark.parametrize(
    "vote",
    [
        link(20, 60, "b"),
        link(0, 60),
        link(40, 60),
        link(20, 40),
        link(0, 80),
        link(0, 20),
        link(20, 60, number=1),
    ],
    ids=["other block", "lower source", "higher source", "lower target", "around it", "older", "other set"],
)
def test_what_could_conflict_is_not_signed(disk: FileDisk, vote: Vote) -> None:
    record = make_open(disk)
    record.sign(SEED, link(20, 60))
    before = disk.path.read_bytes()
    with refused(WOULD_CONFLICT, NodeError, source_floor=20, target_floor=60):
        record.sign(SEED, vote)
    assert disk.path.read_bytes() == before


def test_the_boundary_is_one_block_above(disk: FileDisk) -> None:
    record = make_open(disk)
    record.sign(SEED, link(20, 60))
    assert not conflict(record.sign(SEED, link(20, 61)).vote, link(20, 60))


def test_a_link_that_is_none_is_not_signed(disk: FileDisk) -> None:
    record = make_open(disk)
    with refused(BAD_LINK, Malformed):
        record.sign(SEED, link(20, 20))
    assert record.signed(CHAIN) == Signed()


def test_chains_are_apart_and_bounded(disk: FileDisk) -> None:
    record = make_open(disk)
    for number in range(CHAINS_MAX):
        record.sign(SEED, link(0, 20, chain=ChainId(bytes([number]) * 32)))
    with refused(TOO_MANY_CHAINS, NodeError, maximum=CHAINS_MAX):
        record.sign(SEED, link(0, 20, chain=ChainId(b"z" * 32)))
    assert SigningRecord(disk, KEY).signed(ChainId(bytes(32))).target_floor == 20


def test_what_was_seen_elsewhere_raises_the_floors(disk: FileDisk) -> None:
    record = make_open(disk)
    record.sign(SEED, link(20, 40))
    assert record.learn(link(20, 80))
    assert not record.learn(link(20, 60))
    assert SigningRecord(disk, KEY).signed(CHAIN) == Signed(Height(20), Height(80), 1, link(20, 40))
    with refused(WOULD_CONFLICT, NodeError):
        record.sign(SEED, link(20, 60))
    record.sign(SEED, link(20, 100))


def test_records_are_not_mixed_up_or_overwritten(disk: FileDisk) -> None:
    with refused(NO_RECORD, NodeError):
        SigningRecord(disk, KEY)
    make_record(disk, KEY)
    with refused(RECORD_EXISTS, NodeError):
        make_record(disk, KEY)
    with refused(OTHER_KEY, NodeError, found=KEY):
        SigningRecord(disk, public_key_of(PrivateSeed(b"b" * 32)))


def spoiled(change: str) -> bytes:
    content = RecordContent(KEY, {CHAIN: Signed(Height(20), Height(40), 2, link(20, 40))})
    found = json.loads(content.encode())
    if change == "a number":
        found["chains"][CHAIN.hex()]["target_height"] = 20
    elif change == "a part":
        del found["chains"]
    elif change == "version":
        found["version"] = 2
    elif change == "no object":
        return b"[]"
    elif change == "half":
        return content.encode()[:100]
    elif change == "empty":
        return b""
    elif change == "long":
        return content.encode() + b" " * 70_000
    return json.dumps(found).encode()


@pytest.mark.parametrize("change", ["a number", "a part", "version", "no object", "half", "empty", "long"])
def test_a_damaged_record_signs_nothing(disk: FileDisk, change: str) -> None:
    disk.path.write_bytes(spoiled(change))
    with refused(RECORD_DAMAGED, NodeError):
        SigningRecord(disk, KEY)


@pytest.mark.parametrize("number", [-1, 2**32, True, 1.5, "1"])
def test_numbers_out_of_range_are_damage(number: object) -> None:
    broken = Signed(Height(0), Height(0), number)  # type: ignore[arg-type]  # that it is none is what is tested
    with pytest.raises(ValueError, match="number"):
        RecordContent.decode(RecordContent(KEY, {CHAIN: broken}).encode())


def test_a_full_disk_signs_nothing_and_a_later_try_works() -> None:
    disk = PowerDisk(random.Random(1))
    record = make_open(disk)
    record.sign(SEED, link(0, 20))
    disk.is_failing = True
    with refused(RECORD_FAILED, NodeError):
        record.sign(SEED, link(20, 40))
    assert record.signed(CHAIN).target_floor == 20
    disk.is_failing = False
    record.sign(SEED, link(20, 40, "b"))


def test_an_unreadable_record_is_named(tmp_path: Path) -> None:
    with refused(RECORD_FAILED, NodeError):
        SigningRecord(FileDisk(tmp_path), KEY)
    with refused(RECORD_FAILED, NodeError):
        make_record(FileDisk(tmp_path), KEY)
    with refused(RECORD_FAILED, NodeError):
        make_record(FileDisk(tmp_path / "none" / "record.json"), KEY)


def test_one_process_holds_a_key(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "attestor.json"
    lock = FileLock(path)
    code = (
        "import sys; from pathlib import Path; from node.attest.disk import FileLock; from node.errors import NodeError\n"
        "try:\n    FileLock(Path(sys.argv[1]))\n    print('free')\nexcept NodeError as fault:\n    print(fault.code.name)"
    )

    def ask() -> str:
        with child([sys.executable, "-c", code, str(path)], "another process") as other:
            assert other.stdout is not None
            return other.stdout.read().strip()

    assert ask() == "attest.in_use"
    with refused(IN_USE, NodeError):
        FileLock(path)
    lock.release()
    lock.release()
    assert ask() == "free"
    blocked = tmp_path / "file"
    blocked.write_text("")
    with refused(RECORD_FAILED, NodeError):
        FileLock(blocked / "attestor.json")


votes = st.builds(
    lambda source, length, branch, number: link(source, source + length, branch, number=number),
    st.integers(0, 12),
    st.integers(1, 6),
    st.sampled_from("ab"),
    st.integers(0, 1),
)
STEPS_OF_A_WRITE = 3


@settings(max_examples=300)
@given(st.lists(st.tuples(votes, st.one_of(st.none(), st.integers(0, STEPS_OF_A_WRITE))), max_size=25), st.integers())
def test_no_order_of_votes_and_power_cuts_makes_it_lie(wishes: list[tuple[Vote, int | None]], seed: int) -> None:
    """Whatever a node asks for, in whatever order, and wherever the power goes: what was signed never conflicts."""
    disk = PowerDisk(random.Random(seed))
    record = make_open(disk)
    signed: list[SignedVote] = []
    refusals: list[NodeError] = []
    for vote, steps in wishes:
        disk.steps_left = steps
        try:
            signed.append(record.sign(SEED, vote))
        except NodeError as fault:
            refusals.append(fault)
        except PowerCut:
            disk.start_again()
            record = SigningRecord(disk, KEY)
        disk.steps_left = None
        floor = record.signed(CHAIN)
        assert all(made.vote.target.height <= floor.target_floor for made in signed)
    assert not any(conflict(one.vote, other.vote) for one, other in itertools.combinations(signed, 2))
    assert all(fault.code is WOULD_CONFLICT for fault in refusals)


SIGN_AND_DIE = """
import os, signal, sys
from pathlib import Path
from node.attest.disk import FileDisk
from node.attest.record import SigningRecord
from tests.node.attest.power import CHAIN, KEY, SEED, link

steps_left = int(sys.argv[2])

def count(name, before):
    whole = getattr(FileDisk, name)
    def step(self, *arguments):
        global steps_left
        steps_left -= 1
        if steps_left == 0 and before:
            if name == "write_fresh":
                self.path.with_name(self.path.name + ".new").write_bytes(arguments[0][:57])
            os.kill(os.getpid(), signal.SIGKILL)
        whole(self, *arguments)
        steps_left -= 1
        if steps_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(FileDisk, name, step)

for name in ("write_fresh", "rename_fresh", "sync_folder"):
    count(name, True)
record = SigningRecord(FileDisk(Path(sys.argv[1])), KEY)
while True:
    floor = record.signed(CHAIN).target_floor
    signed = record.sign(SEED, link(max(floor - 20, 0), floor + 20, sys.argv[3]))
    print(signed.encode().hex(), flush=True)
"""


def test_it_is_killed_at_every_write_and_never_lies(tmp_path: Path) -> None:
    """kill -9 before and after each step of each write of three votes, a torn write included; each life has another branch."""
    script, disk = tmp_path / "sign.py", FileDisk(tmp_path / "record.json")
    script.write_text(SIGN_AND_DIE)
    make_record(disk, KEY)
    signed: list[SignedVote] = []
    for steps in range(1, 19):
        command = [sys.executable, str(script), str(disk.path), str(steps), chr(ord("a") + steps)]
        with child(command, "a signing record that is killed") as process:
            assert process.stdout is not None
            lines = process.stdout.read().split()
            assert process.wait() == -9, f"at step {steps}"
        signed += [SignedVote.decode(bytes.fromhex(line)) for line in lines]
        floor = SigningRecord(disk, KEY).signed(CHAIN)
        assert all(made.vote.target.height <= floor.target_floor for made in signed), f"at step {steps}"
    assert len(signed) == 18
    assert not any(conflict(one.vote, other.vote) for one, other in itertools.combinations(signed, 2))
