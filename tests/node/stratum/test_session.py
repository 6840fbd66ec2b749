"""One miner's connection, line by line, without a socket: what is taken, what is refused and with which code."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.address import decode_address
from ledger.types import BlockHash, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from node.stratum.jobs import Job
from node.stratum.messages import LINE_BYTES_MAX, Refusal
from node.stratum.session import (
    BAD_LINES_MAX,
    JOBS_KEPT_MAX,
    REFUSED_IN_A_ROW_MAX,
    SILENCE_MS_MAX,
    UNAUTHORIZED_MS_MAX,
    USERS_MAX,
    Session,
)
from tests.support.stratum_client import MinerMind, Submission
from tests.support.stratum_world import ALICE, BOB, HARDER_PARAMS, START, make_job, name_of

USER = name_of(ALICE, "rig-1", prefix=HARDER_PARAMS.address_prefix)
WALL = Timestamp(START)
ROLLING = [["version-rolling"], {"version-rolling.mask": "ffffffff", "version-rolling.min-bit-count": 2}]


class Desk:
    """A session and the miner at its other end."""

    def __init__(self, job: Job, *, rolling: bool = False, ready: bool = True) -> None:
        names = count(1)
        self.now_ms = 1_000
        self.session = Session(
            extranonce1=b"\x01\x02\x03\x04",
            now_ms=self.now_ms,
            read_address=lambda text: decode_address(HARDER_PARAMS.address_prefix, text),
            name_job=lambda: f"{next(names):x}",
        )
        self.mind = MinerMind()
        self.job = job
        if rolling:
            self.mind.mask = int(self.ask("mining.configure", ROLLING)["result"]["version-rolling.mask"], 16)
        if ready:
            _, self.mind.extranonce1, self.mind.extranonce2_size = self.ask("mining.subscribe", [])["result"]
            assert self.ask("mining.authorize", [USER, ""])["result"] is True
            self.send_job(job)

    def send_job(self, job: Job) -> None:
        self.session.send_job(job)
        self.read()

    def read(self) -> list[dict[str, Any]]:
        """The answers that came; notices go to the miner."""
        answers: list[dict[str, Any]] = []
        for line in self.session.take_output().splitlines():
            message = json.loads(line)
            if "method" in message:
                self.mind.take_notice(message)
            else:
                answers.append(message)
        return answers

    def say(self, line: bytes, *, wall: int = WALL) -> list[dict[str, Any]]:
        self.session.receive(line, self.now_ms, Timestamp(wall))
        return self.read()

    def ask(self, method: str, params: Any, *, wall: int = WALL) -> dict[str, Any]:
        (found,) = self.say(json.dumps({"id": 4, "method": method, "params": params}).encode(), wall=wall)
        assert found["id"] == 4
        return found

    def submit(self, found: Submission | list[Any], *, wall: int = WALL) -> int:
        """0, or the code of the refusal."""
        answer = self.ask("mining.submit", found.params if isinstance(found, Submission) else found, wall=wall)
        return 0 if answer["result"] is True else answer["error"][0]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    found = Node(NodeConfig(tmp_path_factory.mktemp("node"), HARDER_PARAMS), ManualClock(START))
    yield found
    found.close()


@pytest.fixture
def job(node: Node) -> Job:
    return make_job(node, START)


@pytest.fixture
def desk(job: Job) -> Desk:
    return Desk(job)


def test_the_first_answers_come_in_the_order_that_miners_need(job: Job) -> None:
    desk = Desk(job, ready=False)
    session = desk.session
    answer = desk.ask("mining.subscribe", ["cpuminer/2.5.1"])
    assert answer == {"id": 4, "result": [[["mining.notify", "01020304"]], "01020304", 4], "error": None}
    assert not session.is_ready
    session.receive(json.dumps({"id": 2, "method": "mining.authorize", "params": [USER, "x"]}).encode(), 1, WALL)
    assert session.take_output() == b'{"id":2,"result":true,"error":null}\n' and session.is_ready
    session.send_job(job)
    first, second = session.take_output().decode().splitlines()
    assert json.loads(first)["method"] == "mining.set_difficulty" and json.loads(second)["method"] == "mining.notify"
    session.send_job(job)
    assert session.take_output().count(b"\n") == 1, "the same difficulty is not said again"


def test_a_share_counts_once_and_only_a_blocks_hash_is_a_block(desk: Desk) -> None:
    target = desk.job.template.target
    assert desk.mind.job.target > target, "a share is a millionth easier at least"
    block = desk.mind.find(USER, target=target)
    assert desk.submit(block) == 0
    (counted,) = desk.session.take_shares()
    assert counted.is_block and counted.header.encode() == block.header and counted.worker == "rig-1"
    assert counted.address == ALICE.address and counted.job.block(counted.solution).hash == counted.hash
    assert desk.submit(block) == 22
    assert not desk.session.take_shares()


def test_refusals_in_their_order(desk: Desk, job: Job) -> None:
    good = desk.mind.find(USER)
    user, name, extranonce2, time, nonce = good.params
    parent = desk.job.time_min - 1
    late = f"{WALL + 201:08x}"
    fresh = Desk(job, ready=False)
    assert fresh.submit([name_of(BOB), "zz"]) == 25
    fresh.ask("mining.subscribe", [])
    assert fresh.submit(good) == 24
    wrong: list[tuple[list[Any], int]] = [
        ([], 24),
        ([name_of(BOB), name, extranonce2, time, nonce], 24),
        ([5, name, extranonce2, time, nonce], 24),
        ([user, name, extranonce2, time], 20),
        ([user, name, extranonce2, time, nonce, "0" * 8, "0" * 8], 20),
        ([user, 7, extranonce2, time, nonce], 20),
        ([user, name, extranonce2[:-1], time, nonce], 20),
        ([user, name, extranonce2 + "00", time, nonce], 20),
        ([user, name, extranonce2, time, "0x" + nonce[2:]], 20),
        ([user, name, extranonce2, " " + time[1:], nonce], 20),
        ([user, "zz", extranonce2, late, nonce], 21),
        ([user, name, extranonce2, time, nonce, "00002000"], 20),
        ([user, name, extranonce2, f"{parent:08x}", nonce], 20),
        ([user, name, extranonce2, late, nonce], 20),
        ([user, name, "ffffffff", time, "ffffffff"], 23),
    ]
    assert [desk.submit(params) for params, _ in wrong] == [code for _, code in wrong]
    assert desk.submit(good) == 0 and desk.submit(good) == 22
    assert desk.submit([user, name, extranonce2, late, nonce]) == 20, "the time is looked at before the duplicate"
    assert desk.session.refused[Refusal.OTHER] == 11 and desk.session.fault is None


def test_time_may_be_rolled_within_the_limits(desk: Desk) -> None:
    earliest, latest = desk.job.time_min, WALL + desk.job.time_ahead_s_max
    for time, code in ((earliest, 0), (latest, 0), (earliest - 1, 20), (latest + 1, 20), (0, 20), (2**32 - 1, 20)):
        assert desk.submit(desk.mind.find(USER, time=f"{time:08x}")) == code, time
    assert [counted.header.time for counted in desk.session.take_shares()] == [earliest, latest]
    moved = desk.mind.find(USER, time=f"{latest + 1:08x}")
    assert desk.submit(moved, wall=WALL + 1) == 0, "the node's clock decides, not the job's"


def test_version_bits_roll_within_the_agreed_mask_and_not_without(job: Job) -> None:
    desk = Desk(job, rolling=True)
    assert desk.mind.mask == 0x1FFFE000
    assert desk.submit(desk.mind.find(USER, rolled=0x00FF2000)) == 0
    (counted,) = desk.session.take_shares()
    assert counted.header.version == 0x20FF2000
    for rolled in (0x00001000, 0x20000000, 0x80000000, 1):
        assert desk.submit(desk.mind.find(USER, rolled=rolled)) == 20
    plain = Desk(job)
    found = plain.mind.find(USER)
    assert plain.submit([*found.params, "00000000"]) == 0 and plain.submit([*found.params, "00002000"]) == 20


def test_configure(job: Job) -> None:
    desk = Desk(job, ready=False)
    assert desk.ask("mining.configure", [["version-rolling", "minimum-difficulty", "subscribe-extranonce"], {}])[
        "result"
    ] == {
        "version-rolling": True,
        "version-rolling.mask": "1fffe000",
        "minimum-difficulty": False,
        "subscribe-extranonce": False,
    }
    narrow = desk.ask("mining.configure", [["version-rolling"], {"version-rolling.mask": "00ffe00f"}])
    assert narrow["result"]["version-rolling.mask"] == "00ffe000"
    for params in (
        [],
        [[]],
        [["version-rolling"]],
        [{}, {}],
        [[7], {}],
        [["version-rolling"], {"version-rolling.mask": "xyz"}],
    ):
        assert desk.ask("mining.configure", params)["error"][0] == 20, params
    assert desk.ask("mining.configure", [["version-rolling"], {"version-rolling.mask": 5}])["error"][0] == 20
    assert desk.ask("mining.extranonce.subscribe", [])["result"] is True
    assert desk.ask("mining.fly", [])["error"][0] == 20


@pytest.mark.parametrize(
    "user",
    [
        None,
        5,
        "",
        ".rig",
        "bob",
        "tfan1qqqq",
        USER + "x",
        USER.partition(".")[0] + ".",
        USER.partition(".")[0] + ".a b",
    ],
)
def test_only_an_address_of_this_chain_is_authorized(desk: Desk, user: Any) -> None:
    answer = desk.ask("mining.authorize", [] if user is None else [user, "x"])
    if user == USER + "x":
        assert answer["result"] is True, "another worker of the same owner"
    else:
        assert answer["error"][0] == 24 and answer["error"][1]


def test_many_users_on_one_connection(desk: Desk) -> None:
    for number in range(USERS_MAX - 1):
        assert desk.ask("mining.authorize", [f"{USER}{number}"])["result"] is True
    assert desk.ask("mining.authorize", [f"{USER}more"])["error"][0] == 24
    assert desk.ask("mining.authorize", [USER])["result"] is True
    found = desk.mind.find(f"{USER}3")
    assert desk.submit(found) == 0 and desk.submit([USER, *found.params[1:]]) == 22


def test_jobs_of_one_tip_stay_and_those_of_another_are_stale(desk: Desk, node: Node) -> None:
    first = desk.mind.find(USER)
    for second in range(JOBS_KEPT_MAX - 1):
        desk.send_job(make_job(node, START + second))
    assert desk.mind.job.clean is False and desk.submit(first) == 0
    desk.send_job(make_job(node, START + 60))
    assert desk.submit(first) == 21, "the oldest gave way"
    second = desk.mind.find(USER)
    other = replace(
        desk.job.template.block, header=replace(desk.job.template.block.header, previous=BlockHash(b"p" * 32))
    )
    desk.send_job(replace(desk.job, template=replace(desk.job.template, block=other)))
    assert desk.mind.job.clean is True and desk.submit(second) == 21
    assert desk.submit(desk.mind.find(USER)) == 0
    desk.session.drop_jobs()
    assert desk.submit(desk.mind.find(USER)) == 21


def test_one_miners_share_is_nothing_at_anothers_connection(desk: Desk, job: Job) -> None:
    found = desk.mind.find(USER)
    other = Desk(job)
    other.session.extranonce1 = b"\x09\x09\x09\x09"
    codes = {other.submit(desk.mind.find(USER)) for _ in range(20)}
    assert 23 in codes, "its extranonce makes another header of it"
    assert desk.submit(found) == 0


def test_a_job_keeps_the_difficulty_that_it_was_sent_with(node: Node) -> None:
    """Whoever had an easy difficulty cannot hand in easy shares for jobs that came after the harder one."""
    hard = make_job(node, START)
    desk = Desk(hard, ready=False)
    _, desk.mind.extranonce1, desk.mind.extranonce2_size = desk.ask("mining.subscribe", [])["result"]
    assert desk.ask("mining.suggest_difficulty", [1e-9])["result"] is True
    desk.ask("mining.authorize", [USER])
    desk.send_job(hard)
    assert desk.mind.difficulty == 1e-9
    easy_job = desk.mind.job
    for _ in range(16):
        assert desk.submit(desk.mind.find(USER, job=easy_job)) == 0
    assert len(desk.mind.jobs) == 2 and desk.mind.difficulty == pytest.approx(16e-9, rel=0.3), (
        "sixteen times harder at most"
    )
    easy = desk.mind.find(USER, job=easy_job, above=desk.mind.job.target + desk.mind.job.target // 1000)
    assert desk.submit([USER, desk.mind.job.id, *easy.params[2:]]) == 23
    assert desk.submit(easy) == 0, "for the job it was found for"
    weights = {counted.weight for counted in desk.session.take_shares()}
    assert len(weights) == 1, "paid by the difficulty of the job, not of the moment"
    assert desk.ask("mining.suggest_difficulty", [1e-9])["result"] is True
    desk.send_job(make_job(node, START + 1))
    assert desk.mind.difficulty > 1e-9, "what was measured is not talked away"


@pytest.mark.parametrize("params", [[], [0], [-1], [True], ["1"], [None], [[1]]])
def test_difficulties_that_are_none(desk: Desk, params: list[Any]) -> None:
    assert desk.ask("mining.suggest_difficulty", params)["error"][0] == 20


@pytest.mark.parametrize("text", ["1e400", "1e-400", "1e999999999999999999999", "NaN", "Infinity", "9" * 3_900])
def test_numbers_that_are_no_difficulty(desk: Desk, text: str) -> None:
    desk.say(f'{{"id":1,"method":"mining.suggest_difficulty","params":[{text}]}}'.encode())
    desk.send_job(desk.job)
    assert 0 < desk.mind.difficulty < 1e-6, "the block's own is the most"


def test_lines_that_are_no_requests_are_answered_and_then_too_many(desk: Desk) -> None:
    lines = [
        b"{",
        b"[]",
        b"5",
        b'"x"',
        b"\xff\xfe",
        b'{"method":5}',
        b'{"id":[],"method":"x"}',
        b'{"id":1.5,"method":"x","params":[]}',
    ]
    lines += [b'{"id":1,"method":"x","params":{}}', b"[" * 4_000]
    assert len(lines) == BAD_LINES_MAX
    for number, line in enumerate(lines):
        assert desk.session.fault is None
        (answer,) = desk.say(line)
        assert answer["id"] is None and answer["error"][0] == 20, number
    assert desk.session.fault is not None


def test_empty_lines_and_answers_are_not_answered(desk: Desk) -> None:
    assert desk.say(b"") == desk.say(b"  ") == desk.say(b'{"id":1,"result":"cpuminer","error":null}') == []


def test_who_is_silent_or_never_authorized_is_dropped(desk: Desk, job: Job) -> None:
    fresh = Desk(job, ready=False)
    fresh.session.look_at_clock(fresh.now_ms + UNAUTHORIZED_MS_MAX)
    assert fresh.session.fault is None
    fresh.session.look_at_clock(fresh.now_ms + UNAUTHORIZED_MS_MAX + 1)
    assert fresh.session.fault is not None
    desk.session.look_at_clock(desk.now_ms + SILENCE_MS_MAX)
    assert desk.session.fault is None
    desk.session.look_at_clock(desk.now_ms + SILENCE_MS_MAX + 1)
    assert desk.session.fault == "silent"


def test_endless_bad_shares_are_dropped_and_stale_ones_are_not_held_against_anybody(desk: Desk) -> None:
    name = desk.mind.job.id
    for number in range(3 * REFUSED_IN_A_ROW_MAX):
        desk.submit([USER, "dead", f"{number:08x}", desk.mind.job.time, "00000000"])
    assert desk.session.fault is None
    number = 0
    while desk.session.fault is None:
        assert desk.submit([USER, name, f"{number:08x}", "00000000", "00000000"]) == 20
        number += 1
    assert number == REFUSED_IN_A_ROW_MAX


def test_a_slow_miner_gets_an_easier_job_without_asking(desk: Desk) -> None:
    known = desk.mind.difficulty
    for _ in range(12):
        desk.now_ms += 90_000
        desk.ask("mining.extranonce.subscribe", [])
        desk.session.look_at_clock(desk.now_ms)
    desk.read()
    assert desk.mind.difficulty < known / 4 and desk.session.fault is None
    easy = desk.mind.find(USER, above=desk.job.template.target)
    assert desk.submit(easy) == 0
    (counted,) = desk.session.take_shares()
    assert not counted.is_block, "a share, and no block"


WORDS = st.sampled_from(
    ["mining.submit", "mining.authorize", "mining.configure", "mining.subscribe", "mining.suggest_difficulty"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from([USER, "1", "00000000"]),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=200)
        | st.builds(lambda m, p: json.dumps({"id": 4, "method": m, "params": p}).encode(), WORDS, VALUES),
        max_size=8,
    )
)
def test_whatever_is_sent_the_session_answers_in_json_and_counts_nothing(job: Job, lines: list[bytes]) -> None:
    desk = Desk(job)
    for line in lines:
        desk.say(line[:LINE_BYTES_MAX].replace(b"\n", b""))
    assert not desk.session.take_shares()
