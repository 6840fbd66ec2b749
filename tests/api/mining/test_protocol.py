"""The miner's side of Stratum, held against the server's state machine, and against servers that talk nonsense."""

import json
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.mining.protocol import DIFFICULTY_ONE, REFUSED, UNANSWERED_MAX, MinerProtocol, Tally, Work
from ledger.address import decode_address
from ledger.hashing import sha256d
from ledger.header import Header
from ledger.types import Target, Timestamp
from node.clock import ManualClock
from node.errors import NodeError
from node.mining.engine import flip_version, search_range
from node.node import Node, NodeConfig
from node.stratum.session import Session
from tests.support.stratum_world import ALICE, HARDER_PARAMS, START, make_job, name_of

USER = name_of(ALICE, "rig-1", prefix=HARDER_PARAMS.address_prefix)
NOTIFY: list[Any] = ["1", "00" * 32, "01" * 48, "02" * 66, [], "20000000", "207fffff", "6a000000", True]


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def notice(method: str, *params: Any) -> bytes:
    return line(id=None, method=method, params=list(params))


def logged_in(mask: str = "1fffe000") -> MinerProtocol:
    """After the greeting, without a job."""
    miner = MinerProtocol(USER)
    miner.receive(line(id=1, result={"version-rolling": True, "version-rolling.mask": mask}, error=None))
    miner.receive(line(id=2, result=[[["mining.notify", "s"]], "0a0b0c0d", 4], error=None))
    miner.receive(line(id=3, result=True, error=None))
    return miner


def solve(work: Work, target: int, *, bit: int = 0) -> bytes:
    """A header that meets a target."""
    prefix = flip_version(work.prefix, bit)
    nonce = search_range(prefix, Target(target), 0, 100_000)
    assert nonce is not None
    return prefix + nonce.to_bytes(4, "little")


def test_a_greeting_is_three_requests_the_subscription_second() -> None:
    asked = [json.loads(found) for found in MinerProtocol(USER).greet().splitlines()]
    assert [found["method"] for found in asked] == ["mining.configure", "mining.subscribe", "mining.authorize"]
    assert len({found["id"] for found in asked}) == 3
    assert asked[2]["params"][0] == USER


@pytest.mark.parametrize("bit", [0, 0x2000])
def test_the_servers_own_state_machine_takes_what_it_finds(bit: int, tmp_path: Path) -> None:
    names = count(1)
    session = Session(
        extranonce1=b"\x01\x02\x03\x04",
        now_ms=0,
        read_address=lambda text: decode_address(HARDER_PARAMS.address_prefix, text),
        name_job=lambda: f"{next(names):x}",
    )
    miner = MinerProtocol(USER)
    for asked in miner.greet().splitlines():
        session.receive(asked, 0, Timestamp(START))
    node = Node(NodeConfig(tmp_path, HARDER_PARAMS), ManualClock(START))
    session.send_job(make_job(node, START))
    node.close()
    told = [miner.receive(said) for said in session.take_output().splitlines()]
    assert told[-1] is True
    first, second = miner.next_work(), miner.next_work()
    assert first is not None and second is not None
    assert first.prefix != second.prefix, "the same work is not given out twice"
    assert first.version_bit == 0x2000
    header = solve(first, min(first.share_target, first.block_target), bit=bit)
    session.receive(miner.submit(first, header).strip(), 0, Timestamp(START))
    (share,) = session.take_shares()
    assert share.header == Header.decode(header)
    assert miner.next_work() is None, "a block was found: there will be another job"
    for said in session.take_output().splitlines():
        miner.receive(said)
    assert miner.tally == Tally(accepted=1, blocks=(sha256d(header)[::-1].hex(),))


def test_a_job_keeps_the_difficulty_that_it_was_sent_with() -> None:
    miner = logged_in()
    miner.receive(notice("mining.set_difficulty", 0.001))
    miner.receive(notice("mining.notify", *NOTIFY))
    miner.receive(notice("mining.set_difficulty", 2))
    work = miner.next_work()
    assert work is not None and work.share_target == DIFFICULTY_ONE * 1_000
    assert miner.difficulty == 2
    miner.receive(notice("mining.notify", "2", *NOTIFY[1:]))
    work = miner.next_work()
    assert work is not None and work.share_target == DIFFICULTY_ONE // 2


def test_without_version_rolling_no_bit_is_flipped_and_five_words_are_said() -> None:
    miner = MinerProtocol(USER)
    miner.receive(line(id=1, result={"version-rolling": False}, error=None))
    miner.receive(line(id=2, result=[[], "", 8], error=None))
    miner.receive(line(id=3, result=True, error=None))
    miner.receive(notice("mining.notify", *NOTIFY))
    work = miner.next_work()
    assert work is not None and work.version_bit == 0 and len(work.extranonce2) == 16
    asked = json.loads(miner.submit(work, solve(work, 2**255)))
    assert len(asked["params"]) == 5


def test_nothing_is_worked_on_before_a_job_and_a_yes() -> None:
    miner = MinerProtocol(USER)
    assert miner.next_work() is None
    miner.receive(notice("mining.notify", *NOTIFY))
    assert miner.next_work() is None
    miner.receive(line(id=2, result=[[], "00000000", 4], error=None))
    assert miner.next_work() is None
    with pytest.raises(NodeError) as caught:
        miner.receive(line(id=3, result=None, error=[24, "no address of this chain", None]))
    assert caught.value.code is REFUSED
    assert "no address of this chain (24)" in str(caught.value)


def test_stale_and_refused_shares_are_counted_apart_and_floods_wait_for_answers() -> None:
    miner = logged_in()
    hard = ["1", *NOTIFY[1:6], "1d00ffff", *NOTIFY[7:]]
    miner.receive(notice("mining.notify", *hard))
    for _ in range(UNANSWERED_MAX):
        work = miner.next_work()
        assert work is not None
        miner.submit(work, work.prefix + bytes(4))
    assert miner.next_work() is None
    miner.receive(line(id=4, result=True, error=None))
    miner.receive(line(id=5, result=None, error=[21, "stale", None]))
    miner.receive(line(id=6, result=None, error=[23, "low difficulty share", None]))
    miner.receive(line(id=7, result=None, error="what"))
    miner.receive(line(id=4, result=True, error=None))  # once more, for nothing
    assert miner.tally == Tally(1, 1, 2, ())
    assert miner.told == "it does not say why"
    assert miner.next_work() is not None


def test_a_block_that_is_refused_lets_the_work_go_on() -> None:
    miner = logged_in()
    miner.receive(notice("mining.notify", *NOTIFY))
    work = miner.next_work()
    assert work is not None
    miner.submit(work, solve(work, work.block_target))
    assert miner.next_work() is None
    miner.receive(line(id=4, result=None, error=[20, "time", None]))
    assert miner.next_work() is not None
    assert miner.tally.blocks == ()


def test_words_for_people_are_kept_short_and_unknown_notices_ignored() -> None:
    miner = logged_in()
    assert miner.receive(notice("client.show_message", "x" * 900)) is False
    assert miner.told == "x" * 200
    for said in (notice("client.reconnect", "evil.example", 1), notice("mining.set_extranonce", "00", 4), notice("a")):
        assert miner.receive(said) is False
    assert miner.receive(line(id="a", result=1)) is False


BAD = [
    b"",
    b"\xff\n",
    b"[]\n",
    b"nonsense\n",
    b'{"id":1e999999999,"method":"x","params":[NaN]}\n',
    b"[" * 50_000,
    line(id=None, method="mining.notify"),
    line(id=None, method="mining.notify", params={}),
    notice("mining.notify"),
    notice("mining.notify", *NOTIFY[:7]),
    notice("mining.notify", "1", "00" * 31, *NOTIFY[2:]),
    notice("mining.notify", "1", "zz" * 32, *NOTIFY[2:]),
    notice("mining.notify", "x" * 65, *NOTIFY[1:]),
    notice("mining.notify", *NOTIFY[:2], "00" * 16_385, *NOTIFY[3:]),
    notice("mining.notify", *NOTIFY[:4], ["00" * 32] * 65, *NOTIFY[5:]),
    notice("mining.notify", *NOTIFY[:4], ["00" * 33], *NOTIFY[5:]),
    notice("mining.notify", *NOTIFY[:5], 5, *NOTIFY[6:]),
    notice("mining.notify", *NOTIFY[:6], "00000000", *NOTIFY[7:]),
    notice("mining.notify", *NOTIFY[:6], "ff123456", *NOTIFY[7:]),
    notice("mining.notify", *NOTIFY[:7], "6a0000", True),
    notice("mining.set_difficulty"),
    notice("mining.set_difficulty", 0),
    notice("mining.set_difficulty", -1),
    notice("mining.set_difficulty", "1"),
    b'{"id":null,"method":"mining.set_difficulty","params":[1e-99999999]}\n',
    b'{"id":null,"method":"mining.set_difficulty","params":[1e99999999]}\n',
    line(id=2, result=[[], "00", 0]),
    line(id=2, result=[[], "00", 9]),
    line(id=2, result=[[], "00" * 17, 4]),
    line(id=2, result=True),
    line(id=2, result=None, error=[20, "no", None]),
    line(id=1, result={"version-rolling": True, "version-rolling.mask": "zz"}),
]


@pytest.mark.parametrize("said", BAD)
def test_a_server_that_talks_nonsense_is_left(said: bytes) -> None:
    with pytest.raises(NodeError, match="not Stratum"):
        logged_in().receive(said)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
methods = st.sampled_from(["mining.notify", "mining.set_difficulty", "client.show_message", "x"]) | json_values


@given(asked=st.integers(0, 6) | json_values, method=methods, params=json_values, result=json_values, error=json_values)
def test_whatever_a_server_says_is_taken_or_refused(
    asked: Any, method: Any, params: Any, result: Any, error: Any
) -> None:
    miner = logged_in()
    for said in (
        line(id=asked, method=method, params=params),
        line(id=asked, result=result, error=error),
        line(id=None, method="mining.notify", params=[*NOTIFY[:4], params, *NOTIFY[5:]]),
    ):
        with suppress(NodeError):
            miner.receive(said)
        miner.next_work()
