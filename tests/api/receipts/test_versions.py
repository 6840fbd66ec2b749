"""One statement tells whether anything of an account has changed: nothing that personalization reads may change without it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from api.personalization.preferences import after_reset
from api.receipts.behaviour import Deed
from api.receipts.inbox import KeptFeedback, KeptMessage
from api.receipts.store import KeptReceipt, ReceiptStore
from ledger.types import Address, Hash, ProgramId, ReceiptHash
from tests.api.receipts.test_store import FAN_ADDRESS, FRIEND_ADDRESS, NOW, make_kept

PROGRAM, OTHER = ProgramId(b"P" * 32), ProgramId(b"Q" * 32)


class Desk:
    """A store with two receipts of the fan."""

    def __init__(self, folder: Path) -> None:
        self.store = ReceiptStore(f"sqlite:///{folder / 'receipts.sqlite'}")
        self.random = Random(3)
        self._sequence = 0
        self.receipts = [self.buy(), self.buy()]

    def buy(self, member: Address = FAN_ADDRESS) -> KeptReceipt:
        """One receipt more."""
        self._sequence += 1
        kept = make_kept(self.random, self._sequence, member)
        assert self.store.add(kept)
        return kept

    def erase(self, wanted: ReceiptHash) -> None:
        """Erase one."""
        assert self.store.erase(FAN_ADDRESS, NOW, wanted=wanted, program=None) == 1

    def mark(self, kept: KeptReceipt, *, is_gift: bool = True) -> None:
        """A gift, or none after all."""
        assert self.store.gifts.mark(FAN_ADDRESS, kept.id, NOW, is_gift=is_gift)

    def say(self, **said: object) -> None:
        """Preferences, within one second."""
        self.store.preferences.change(FAN_ADDRESS, PROGRAM, NOW, lambda before: {**before, **said})

    def tell(self, name: bytes, ready_at: int = NOW, member: Address = FAN_ADDRESS) -> None:
        """A message."""
        document = {"kind": "assist", "consent": {"scopes": ["receipts"]}}
        made = KeptMessage(Hash(name * 32), member, PROGRAM, "how_to", NOW, ready_at, NOW + 9, False, document)
        assert self.store.inbox.add([made], NOW)

    def answer(self, name: bytes, kind: str) -> None:
        """Feedback."""
        assert self.store.inbox.add_feedback(KeptFeedback(Hash(name * 32), FAN_ADDRESS, PROGRAM, kind, NOW, NOW))

    def do(self, item: str) -> None:
        """Something done."""
        self.store.behaviour.add(FAN_ADDRESS, PROGRAM, [Deed("viewed", item, 0, NOW, NOW)], NOW)

    def feed(self) -> None:
        """A product feed, the same each time."""
        self.store.products.put(PROGRAM, [("tea", {})], NOW, zone="", is_whole=True)

    def buy_in_its_place(self) -> None:
        """The newest receipt is erased, and another one has its number."""
        self.erase(self.receipts[-1].id)
        self.buy()

    def mark_the_other(self) -> None:
        """As many marks as before, of the same second, on another receipt."""
        self.mark(self.receipts[0], is_gift=False)
        self.mark(self.receipts[1])

    def decide_anew(self) -> None:
        """The same message with another moment has the number of the one that was deleted."""
        self.store.preferences.reset(FAN_ADDRESS, PROGRAM, NOW, after_reset)
        self.tell(b"m", NOW + 5)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    found.mark(found.receipts[0])
    found.say(language="ko")
    found.tell(b"m")
    yield found
    found.store.close()


FACTS: dict[str, Callable[[Desk], object]] = {
    "a purchase": lambda desk: desk.buy(),
    "an erasure": lambda desk: desk.erase(desk.receipts[0].id),
    "another purchase in the place of an erased one": Desk.buy_in_its_place,
    "a gift": lambda desk: desk.mark(desk.receipts[1]),
    "no gift": lambda desk: desk.mark(desk.receipts[0], is_gift=False),
    "another gift": Desk.mark_the_other,
    "something done": lambda desk: desk.do("tea"),
    "something said": lambda desk: desk.say(language="en"),
    "a reset": lambda desk: desk.store.preferences.reset(FAN_ADDRESS, PROGRAM, NOW, after_reset),
}
INBOX: dict[str, Callable[[Desk], object]] = {
    "words that went with a receipt": lambda desk: desk.erase(desk.receipts[0].id),
    "a message": lambda desk: desk.tell(b"n"),
    "feedback": lambda desk: desk.answer(b"m", "opened"),
    "a message for another moment": Desk.decide_anew,
}


@pytest.mark.parametrize("name", FACTS)
def test_whatever_is_read_of_a_fan_changes_its_version(desk: Desk, name: str) -> None:
    before = desk.store.versions.read(FAN_ADDRESS, PROGRAM)
    FACTS[name](desk)
    assert desk.store.versions.read(FAN_ADDRESS, PROGRAM).facts != before.facts


@pytest.mark.parametrize("name", INBOX)
def test_whatever_was_said_to_a_fan_changes_its_version(desk: Desk, name: str) -> None:
    before = desk.store.versions.read(FAN_ADDRESS, PROGRAM)
    INBOX[name](desk)
    assert desk.store.versions.read(FAN_ADDRESS, PROGRAM).inbox != before.inbox


def test_each_feed_and_each_feedback_is_a_change(desk: Desk) -> None:
    feeds, heard = [desk.store.versions.read(FAN_ADDRESS, PROGRAM).feed], list[object]()
    for kind in ("impression", "opened", "dismissed"):
        desk.feed()
        feeds.append(desk.store.versions.read(FAN_ADDRESS, PROGRAM).feed)
        desk.answer(b"m", kind)
        heard.append(desk.store.versions.read(FAN_ADDRESS, PROGRAM).inbox)
    assert feeds[0] == 0 and feeds == sorted(set(feeds)) and len(set(heard)) == 3


def test_nothing_of_others_changes_it(desk: Desk) -> None:
    before = desk.store.versions.read(FAN_ADDRESS, PROGRAM)
    desk.buy(FRIEND_ADDRESS)
    desk.tell(b"f", member=FRIEND_ADDRESS)
    desk.store.preferences.change(FAN_ADDRESS, OTHER, NOW, lambda _: {"language": "ko"})
    desk.store.products.put(OTHER, [("tea", {})], NOW, zone="", is_whole=True)
    assert desk.store.versions.read(FAN_ADDRESS, PROGRAM) == before


def test_what_is_done_together_is_one_transaction(desk: Desk) -> None:
    before = desk.store.versions.read(FAN_ADDRESS, PROGRAM)

    def fail_late() -> None:
        with desk.store.together():
            desk.do("tea")
            assert desk.store.versions.read(FAN_ADDRESS, PROGRAM) != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert desk.store.versions.read(FAN_ADDRESS, PROGRAM) == before
    with desk.store.together():
        desk.do("tea")
        desk.say(language="en")
    assert len(desk.store.behaviour.all_of(FAN_ADDRESS, PROGRAM)) == 1
