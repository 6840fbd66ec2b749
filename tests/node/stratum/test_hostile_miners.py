"""Miners that try their luck: requests out of order, shares for other jobs, easy shares in masses, time rolled too far."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from ledger.networks import EASIEST_BITS
from ledger.pow import target_from_compact, work_of
from ledger.types import BlockHash, CompactBits, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from node.stratum.difficulty import show_units, weight_of
from node.stratum.jobs import Job
from node.stratum.shares import SHARES_KEPT_MAX
from tests.node.stratum.test_session import ROLLING, USER, WALL, Desk
from tests.support.stratum_world import BOB, HARDER_PARAMS, START, make_job, name_of

HARD_TARGET = target_from_compact(CompactBits(0x1A7FFFFF))
BOB_USER = name_of(BOB, prefix=HARDER_PARAMS.address_prefix)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    found = Node(NodeConfig(tmp_path_factory.mktemp("node"), HARDER_PARAMS), ManualClock(START))
    yield found
    found.close()


@pytest.fixture
def job(node: Node) -> Job:
    return make_job(node, START)


@pytest.fixture
def hard_job(job: Job) -> Job:
    """The same on a chain with many miners: a block takes 2**49 hashes."""
    return replace(job, template=replace(job.template, target=HARD_TARGET))


def on_other_tip(job: Job, parent: bytes) -> Job:
    header = replace(job.template.block.header, previous=BlockHash(parent))
    return replace(job, template=replace(job.template, block=replace(job.template.block, header=header)))


# --- out of order ---


@pytest.mark.parametrize("order", list(permutations(["mining.configure", "mining.subscribe", "mining.authorize"])))
def test_the_greeting_works_in_any_order_and_a_share_before_its_end_does_not(job: Job, order: tuple[str, ...]) -> None:
    params: dict[str, Any] = {"mining.configure": ROLLING, "mining.subscribe": ["x"], "mining.authorize": [USER, "x"]}
    desk = Desk(job, ready=False)
    early = [USER, "1", "00000000", f"{START:08x}", "00000000"]
    for number, method in enumerate(order):
        said = {"mining.subscribe", "mining.authorize"} & set(order[:number])
        expected = 25 if "mining.subscribe" not in said else 24 if "mining.authorize" not in said else 21
        assert desk.submit(early) == expected
        answer = desk.ask(method, params[method])
        assert answer["error"] is None
        if method == "mining.subscribe":
            _, desk.mind.extranonce1, desk.mind.extranonce2_size = answer["result"]
        elif method == "mining.configure":
            desk.mind.mask = int(answer["result"]["version-rolling.mask"], 16)
    assert desk.submit(early) == 21, "no job was sent yet"
    desk.send_job(job)
    assert desk.submit(desk.mind.find(USER, rolled=0x2000)) == 0


def test_subscribing_again_changes_nothing_and_forgets_no_share(job: Job) -> None:
    desk = Desk(job)
    good = desk.mind.find(USER)
    assert desk.submit(good) == 0
    for method, params in (("mining.subscribe", ["other", "deadbeef"]), ("mining.authorize", [USER])):
        assert desk.ask(method, params)["error"] is None
    assert desk.ask("mining.subscribe", [])["result"][1] == desk.mind.extranonce1
    assert desk.submit(good) == 22
    assert len(desk.session.take_shares()) == 1


def test_a_mask_that_is_agreed_on_late_makes_no_second_share_of_the_same_header(job: Job) -> None:
    desk = Desk(job)
    good = desk.mind.find(USER)
    assert desk.submit(good) == 0
    desk.ask("mining.configure", ROLLING)
    assert desk.submit([*good.params, "00000000"]) == 22 and desk.submit(good) == 22
    desk.ask("mining.configure", [["version-rolling"], {"version-rolling.mask": "00000000"}])
    assert desk.submit([*good.params, "00002000"]) == 20, "what was agreed last holds"
    assert desk.submit(good) == 22


# --- shares for other jobs ---


def test_a_share_belongs_to_the_job_that_it_was_found_for(job: Job, node: Node) -> None:
    """The jobs of one tip differ in time or content: another one's name makes another header of the same numbers."""
    desk = Desk(job)
    first = desk.mind.find(USER)
    desk.send_job(on_other_tip(job, b"q" * 32))
    desk.send_job(replace(on_other_tip(job, b"q" * 32), is_complete=True))
    name, newer = desk.mind.jobs[-2].id, desk.mind.jobs[-1].id
    assert desk.submit(first) == 21, "its tip is gone"
    for other in (name, newer):
        codes = {desk.submit([USER, other, *desk.mind.find(USER, job=desk.mind.jobs[0]).params[2:]]) for _ in range(20)}
        assert codes <= {0, 23} and 23 in codes, "luck, as often as any hash has it"
    good = desk.mind.find(USER)
    assert desk.submit(good) == 0
    assert desk.submit([USER, name, *good.params[2:]]) == 22, "the same work under its other name"


def test_names_of_jobs_that_were_never_sent_here(job: Job) -> None:
    desk = Desk(job)
    good = desk.mind.find(USER)
    for name in ("", "0", "2", "01", "1 ", " 1", "ffffffff", "1" * 3_000, "\u0661"):
        assert desk.submit([USER, name, *good.params[2:]]) == 21, name
    assert desk.submit(good) == 0


def test_a_share_is_paid_to_who_is_named_and_once_only(job: Job) -> None:
    desk = Desk(job)
    good = desk.mind.find(USER)
    assert desk.submit([BOB_USER, *good.params[1:]]) == 24, "not authorized here"
    assert desk.ask("mining.authorize", [BOB_USER])["result"] is True
    assert desk.submit([BOB_USER, *good.params[1:]]) == 0
    assert desk.submit(good) == 22
    assert [counted.address for counted in desk.session.take_shares()] == [BOB.address]


# --- difficulty ---


@pytest.mark.parametrize("asked", [1e-15, 1e-9, 5e-324, 0.001])
def test_nobody_gets_shares_so_easy_that_they_push_others_out_of_the_window(hard_job: Job, asked: float) -> None:
    """100,000 shares count at most (MINE-6): if all could be worth nothing, a block would pay who sends the most lines."""
    desk = Desk(hard_job, ready=False)
    _, desk.mind.extranonce1, desk.mind.extranonce2_size = desk.ask("mining.subscribe", [])["result"]
    assert desk.ask("mining.suggest_difficulty", [asked])["error"] is None
    desk.ask("mining.authorize", [USER])
    desk.send_job(hard_job)
    assert desk.mind.difficulty == float(show_units(hard_job.units_min))
    assert SHARES_KEPT_MAX * weight_of(hard_job.units_min) > 4 * work_of(HARD_TARGET)
    for _ in range(60):
        desk.now_ms += 90_000
        desk.ask("mining.extranonce.subscribe", [])
        desk.session.look_at_clock(desk.now_ms)
        desk.read()
    assert desk.mind.difficulty == float(show_units(hard_job.units_min)), "nor by being slow"


def test_a_suggestion_above_the_blocks_own_difficulty_is_lowered_to_it(hard_job: Job) -> None:
    desk = Desk(hard_job, ready=False)
    desk.ask("mining.subscribe", [])
    assert desk.ask("mining.suggest_difficulty", [10**17])["error"] is None
    desk.ask("mining.authorize", [USER])
    desk.send_job(hard_job)
    assert desk.mind.difficulty == float(show_units(hard_job.units_max))
    assert desk.mind.job.target >= HARD_TARGET, "whoever finds a block has found a share"


def test_the_easiest_chain_is_as_it_was(job: Job) -> None:
    easiest = replace(job, template=replace(job.template, target=target_from_compact(CompactBits(EASIEST_BITS))))
    assert easiest.units_min == easiest.units_max == 465_653


# --- time ---


def test_a_block_whose_time_is_rolled_too_far_is_no_share_either(job: Job) -> None:
    desk = Desk(job)
    latest = WALL + job.time_ahead_s_max
    for time in (latest + 1, latest + 3_600, 2**31, 2**32 - 1):
        block = desk.mind.find(USER, target=job.template.target, time=f"{time:08x}")
        assert desk.submit(block) == 20, time
    for time in (job.time_min - 1, 0):
        block = desk.mind.find(USER, target=job.template.target, time=f"{time:08x}")
        assert desk.submit(block) == 20, time
    assert not desk.session.take_shares()
    block = desk.mind.find(USER, target=job.template.target, time=f"{latest:08x}")
    assert desk.submit(block) == 0
    (counted,) = desk.session.take_shares()
    assert counted.is_block and counted.header.time == latest


def test_a_clock_that_went_back_takes_what_it_would_have_taken_before(job: Job) -> None:
    """A time that was good a moment ago may not be so any more; nothing else happens."""
    desk = Desk(job)
    latest = WALL + job.time_ahead_s_max
    found = desk.mind.find(USER, time=f"{latest:08x}")
    assert desk.submit(found, wall=WALL - 1) == 20
    assert desk.submit(found) == 0
    assert desk.session.fault is None


# --- malformed ---

NEARLY: list[dict[str, Any]] = [
    {"id": 1, "method": "mining.submit"},
    {"id": 1, "method": "mining.submit", "params": None},
    {"id": 1, "method": "mining.submit", "params": [[USER], "1", "00000000", "00000000", "00000000"]},
    {"id": 1, "method": "mining.submit", "params": [USER, "1", "00000000", "00000000", "00000000", None]},
    {"id": 1, "method": "mining.submit", "params": [USER, "1", "٠٠٠٠٠٠٠٠", "00000000", "00000000"]},
    {"id": 1, "method": "mining.submit", "params": [USER, "1", "0000000\n", "00000000", "00000000"]},
    {"id": 1, "method": "mining.submit", "params": [USER, "1", "-0000001", "00000000", "00000000"]},
    {"id": 1, "method": "mining.submit", "params": [USER, "1", "00_00_00", "00000000", "00000000"]},
    {"id": 1, "method": "mining.submit", "params": [USER, "1", 0, 0, 0]},
    {"id": 1, "method": "mining.submit", "params": [USER] * 400},
    {"id": 1, "method": "", "params": []},
    {"id": 1, "method": "mining.Submit", "params": []},
    {"id": 1, "method": "__init__", "params": []},
    {"id": 1, "method": "mining.notify", "params": []},
    {"id": 1, "method": "client.get_version", "params": []},
]


@pytest.mark.parametrize("message", NEARLY)
def test_requests_that_are_nearly_right_are_refused_one_by_one(job: Job, message: dict[str, Any]) -> None:
    desk = Desk(job)
    good = desk.mind.find(USER)
    (answer,) = desk.say(json.dumps(message).encode())
    assert answer["id"] == 1 and answer["result"] is None and answer["error"][0] in (20, 24)
    assert desk.session.fault is None and not desk.session.take_shares()
    assert desk.submit(good) == 0, "and the next one counts"
    assert Timestamp(START) == WALL
