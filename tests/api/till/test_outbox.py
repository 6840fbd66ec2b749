"""Handing receipts over: across a node that is down for days, answers late, twice, or refuses, each receipt is there once."""

from typing import Any

import pytest

from api.till import errors
from api.till.outbox import REFUSED_SECONDS_MAX, TROUBLE_SECONDS_MAX
from api.till.store import WaitingReceipt
from api.till.tables import HANDED_OVER, SET_ASIDE, WAITING
from api.wallet.errors import ClientProblem, Unreachable
from tests.support.refusal import refused
from tests.support.till_world import TillWorld


class Node:
    """Stands between the outbox and the node: `faults` are raised one after the other, before or after the node was asked."""

    def __init__(self, world: TillWorld) -> None:
        self.faults: list[tuple[str, ClientProblem]] = []
        self.posts: list[bytes] = []
        self.answers: list[bool] = []
        self._hand_over = world.client.hand_over
        world.outbox._client = self  # pyright: ignore[reportAttributeAccessIssue]  # it has the one method that is used

    def hand_over(self, receipt: bytes, lines: Any = ()) -> Any:
        """As the client's."""
        self.posts.append(receipt)
        moment, fault = self.faults.pop(0) if self.faults else ("", None)
        if fault is not None and moment == "before":
            raise fault
        answer = self._hand_over(receipt, lines)
        self.answers.append(answer["is_new"])
        if fault is not None:
            raise fault
        return answer


DOWN = Unreachable("client.unreachable", "no node answers")


@pytest.fixture
def node(world: TillWorld) -> Node:
    return Node(world)


def counts(world: TillWorld) -> tuple[int, int, int]:
    found = world.store.count_hand_over()
    return found[WAITING], found[HANDED_OVER], found[SET_ASIDE]


def test_receipts_go_over_with_their_lines_which_are_then_deleted_here(world: TillWorld, node: Node) -> None:
    lines = [["Kopi Luwak of Elmhurst", 1, 1_000]]
    for name in ("a", "b"):
        world.sell(name, lines=lines)
    assert b"Kopi Luwak" in world.store.path.read_bytes() + world.store.path.with_name("till.sqlite-wal").read_bytes()
    assert world.outbox.work() > 0
    assert (counts(world), node.answers) == ((0, 2, 0), [True, True])
    assert world.outbox.work() > 0 and len(node.posts) == 2
    (item, _) = world.client.receipts(world.fan())["items"]
    assert item["line_count"] == 1
    assert world.sell("a", lines=lines).number == 1, "the same sale is known without its lines"
    world.store._engine.dispose()
    assert b"Kopi Luwak" not in world.store.path.read_bytes()


def test_a_node_that_is_down_for_days_is_asked_less_and_less_and_then_gets_all(world: TillWorld, node: Node) -> None:
    for index in range(5):
        world.sell(str(index))
    node.faults = [("before", DOWN)] * 2_000
    pauses = []
    waited = 0.0
    while waited < 2 * 86_400:
        pauses.append(world.outbox.work())
        waited += pauses[-1]
    assert world.outbox.is_in_trouble and "no node answers" in world.outbox.problem
    assert pauses[0] <= 1 and min(pauses[10:]) >= TROUBLE_SECONDS_MAX / 2 and max(pauses) <= TROUBLE_SECONDS_MAX
    assert len(set(pauses[10:20])) == 10, "tills do not come all at once"
    assert counts(world) == (5, 0, 0)
    node.faults = []
    world.pass_on_chain(days=2)
    world.outbox.work()
    assert counts(world) == (0, 5, 0) and not world.outbox.is_in_trouble


def test_a_node_that_answers_too_late_gets_it_again_and_keeps_it_once(world: TillWorld, node: Node) -> None:
    world.sell("a")
    node.faults = [("after", DOWN), ("after", DOWN)]
    for _ in range(3):
        world.outbox.work()
    assert node.answers == [True, False, False] and counts(world) == (0, 1, 0)
    assert len(set(node.posts)) == 1


@pytest.mark.parametrize("status", [0, 401, 404, 429, 500, 503])
def test_trouble_of_the_node_blames_no_receipt(world: TillWorld, node: Node, status: int) -> None:
    world.sell("a")
    node.faults = [("before", ClientProblem("http.anything", "busy", status=status))]
    world.outbox.work()
    assert counts(world) == (1, 0, 0) and world.store.list_postponed() == []
    world.outbox.work()
    assert counts(world) == (0, 1, 0)


def test_what_is_refused_for_good_is_set_aside_and_can_be_sent_again(world: TillWorld, node: Node) -> None:
    world.sell("a")
    world.sell("b")
    node.faults = [("before", ClientProblem("receipt.conflict", "another receipt", status=409))]
    world.outbox.work()
    assert counts(world) == (0, 1, 1), "the other one goes on"
    (aside,) = world.store.list_set_aside()
    assert (aside.sale, aside.code, aside.detail) == ("a", "receipt.conflict", "another receipt")
    world.restart()
    again = Node(world)
    world.outbox.work()
    assert again.posts == [], "not blindly"
    assert world.store.retry("a") and not world.store.retry("a") and not world.store.retry("b")
    world.outbox.work()
    assert counts(world) == (0, 2, 0) and again.answers == [True]


def test_a_refusal_that_may_mend_holds_nobody_else_up(world: TillWorld, node: Node) -> None:
    stranger = world.market.fan.address_text(world.market.owner.wallet.main.address)
    world.sell("stranger", member=stranger)
    world.sell("fan")
    world.outbox.work()
    assert counts(world) == (1, 1, 0)
    (waiting,) = world.store.list_postponed()
    assert waiting.code == "member.unknown"
    posts = len(node.posts)
    world.outbox.work()
    assert len(node.posts) == posts, "its pause has not passed"
    for _ in range(12):
        world.clock.pass_seconds(REFUSED_SECONDS_MAX)
        world.outbox.work()
    assert counts(world) == (1, 1, 0), "for ever, as long as the node does not say that it is for good"
    world.clock.set_by(-40 * 86_400)
    assert [found.sale for found in waiting_of(world)] == ["stranger"], (
        "a turn that a wrong clock set far ahead is none"
    )


def waiting_of(world: TillWorld) -> list[WaitingReceipt]:
    return world.store.waiting(world.clock.now(), 10, REFUSED_SECONDS_MAX)


def test_a_receipt_that_its_fan_has_erased_is_done(world: TillWorld, node: Node) -> None:
    kept = world.sell("a")
    node.faults = [("after", DOWN)]
    world.outbox.work()
    world.client.erase_receipt(world.fan(), kept.receipt)
    world.outbox.work()
    assert counts(world) == (0, 1, 0)
    found = world.store.find("a")
    assert found is not None and found.code == "receipt.erased"


def test_an_answer_about_another_receipt_is_none(world: TillWorld, node: Node) -> None:
    world.sell("a")
    node._hand_over = lambda receipt, lines=(): {"id": "00" * 32, "is_new": True}
    world.outbox.work()
    assert counts(world) == (1, 0, 0) and "till.other_id" in world.outbox.problem


def test_what_was_not_set_aside_is_not_retried(world: TillWorld) -> None:
    world.sell("a")
    assert not world.store.retry("a") and not world.store.retry("unknown")
    with refused(errors.SALE_CONFLICT, errors.TillRefused):
        world.sell("a", 7)
