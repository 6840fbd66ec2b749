"""Figures of groups are what reading each fan by itself gives; what is remembered never outlives what it rests on (PER-4)."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from api.personalization import counting, group_reading
from api.personalization.catalogue import Catalogue
from api.personalization.consent_gate import PersonalGate
from api.personalization.counting import Counting, GroupsRefused
from api.personalization.facts import FanFacts
from api.personalization.figures import DIMENSIONS, FanFigures
from api.personalization.group_reading import Moment
from api.personalization.groups import PlanTally, ReportTally, SegmentsTally, Tally
from api.personalization.pacing import FEEDBACK_KINDS, Past
from api.personalization.predictor import PlainRules
from api.personalization.preferences import after_reset, preferences_in
from api.personalization.profile import NOT_KNOWN, build_profile
from api.receipts.inbox import KeptFeedback, KeptMessage
from api.receipts.store import ReceiptStore
from ledger.types import Address, Hash, ProgramId, Timestamp
from tests.support.made_up_members import NOW, PROGRAM, Till, member_address, open_gate

DAY = 86_400
MEMBERS = 45
RULES = PlainRules()
GRANTS = (
    frozenset({"receipts", "voice"}),
    frozenset({"receipts"}),
    frozenset({"receipts/bakery"}),
    frozenset({"receipts/bakery", "receipts/tea", "voice"}),
    frozenset({"behaviour"}),
)
FEED = [("bread", {"category": "bakery"}), ("bun", {"category": "bakery"}), ("green", {"category": "tea"}), ("cod", {})]
TALLIES: tuple[Any, ...] = (
    lambda _: SegmentsTally(),
    lambda now: PlanTally({"stage": None}, "replenish", 5, 10_000, now),
    lambda now: PlanTally({"language": "en", "category": "bakery"}, "discovery", 0, 0, now),
    ReportTally,
)


class World:
    """A program of made-up members who bought, were told and answered at random; 40 of 45 agreed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.agreed = set(self.chance.sample(range(MEMBERS), 40))
        self.gate, self.members = open_gate(folder, MEMBERS, self.agreed.__contains__)
        self.members.scopes = {number: self.chance.choice(GRANTS) for number in range(MEMBERS)}
        self.members.critics = set(self.chance.sample(range(MEMBERS), 20))
        self.store, self.till = self.members.store, Till(self.members.store)
        self.store.products.put(PROGRAM, FEED, NOW, zone="Asia/Seoul", is_whole=True)
        for number in range(MEMBERS):
            self.live(number)

    def live(self, number: int) -> None:
        """What a member did until now."""
        fan, since = member_address(number), self.chance.choice((3, 50, 300))
        for _ in range(self.chance.choice((0, 1, 4, 12))):
            self.sell(number, NOW - (since + self.chance.randint(0, 90)) * DAY + self.chance.randint(0, DAY))
        told = [self.tell(fan, place) for place in range(self.chance.choice((0, 2, 6)))]
        self.store.inbox.add(told, NOW)
        for message in told:
            for kind in self.chance.sample(FEEDBACK_KINDS, self.chance.choice((0, 0, 2))):
                at = int(NOW - self.chance.choice((1, 200)) * DAY)
                self.store.inbox.add_feedback(KeptFeedback(message.id, fan, PROGRAM, kind, at, at))
        if self.chance.random() < 0.4:
            self.prefer(number)

    def sell(self, number: int, at: int) -> Any:
        """A purchase."""
        names = self.chance.choices(("bread", "bun", "green", "cod", "odd"), k=self.chance.randint(1, 3))
        lines = [(name, 1, self.chance.randint(50, 900), self.chance.choice((0, 90))) for name in names]
        return self.till.sell(member_address(number), at, *lines)

    def tell(self, fan: Address, place: int) -> KeptMessage:
        """A message."""
        at = int(NOW - self.chance.randint(0, 120) * DAY)
        topic = self.chance.choice(("replenish", "discovery", "question"))
        is_held_out = self.chance.random() < 0.4
        document = {"kind": "anticipate", "consent": {"scopes": ["receipts"]}}
        return KeptMessage(Hash(fan[1:] + bytes([place])), fan, PROGRAM, topic, at, at, at + DAY, is_held_out, document)

    def prefer(self, number: int) -> None:
        """What a member said of itself."""
        said = {
            "language": self.chance.choice(("en", "ko")),
            "off": self.chance.choice(([], ["replenish"], ["discovery"])),
            "week_max": self.chance.choice((0, 3)),
            "answers": self.chance.choice(({}, {"gift:bread": "gift"})),
        }
        self.store.preferences.change(member_address(number), PROGRAM, NOW, lambda _: said)

    def close(self) -> None:
        """Close the store."""
        self.store.close()


async def figures_of(gate: PersonalGate, now: int = NOW) -> str:
    """All figures of the program, walked once for each, as bytes would show them."""
    shown: list[dict[str, Any]] = []
    for make in TALLIES:
        tally: Tally = make(now)
        async for found in gate.walk_group(PROGRAM, "figures", Moment(now, RULES, 0), tally.parts):
            for fan in found:
                tally.add(fan)
        shown.append(tally.show())
    return json.dumps(shown)


def fresh_gate(members: Any) -> PersonalGate:
    """A gate that remembers nothing."""
    return PersonalGate(members, members, members, members)


def plain(facts: FanFacts, past: Past, catalogue: Catalogue, now: int) -> dict[str, Any]:
    """What counts of a fan, from its whole profile."""
    profile, wishes = build_profile(facts, catalogue, RULES, now, 0), preferences_in(facts.wishes.document)
    times = [found.time for found in facts.purchases]
    return {
        "stage": profile.stage,
        "category": profile.categories[0].name if profile.categories else NOT_KNOWN,
        "language": facts.wishes.document.get("language", "en"),
        "part_of_day": profile.rhythm.part or NOT_KNOWN,
        "weekday": profile.rhythm.weekday or NOT_KNOWN,
        "price_sensitivity": profile.sensitivity,
        "leaving": profile.leaving,
        "basket": profile.basket_cents,
        "times": times,
        "spent": sum(found.net_cents for found in facts.purchases),
        "open": [topic not in wishes["off"] and wishes["week_max"] > 0 for topic in ("replenish", "discovery")],
        "critic": any(said.is_criticism for said in facts.said),
        "answered": max((said.at for said in past.feedback), default=0),
        "messages": sorted(
            (one.topic, one.ready_at, one.is_held_out, sorted(past.said_of(one))) for one in past.messages
        ),
    }


def counted(fan: FanFigures) -> dict[str, Any]:
    """The same as figures have it."""
    row = fan.row
    return {
        **{name: name_of(fan) for name, name_of in DIMENSIONS.items()},
        "leaving": fan.leaving,
        "basket": row.basket_cents,
        "times": list(row.times),
        "spent": row.spent_cents,
        "open": [fan.is_open_to(topic) for topic in ("replenish", "discovery")],
        "critic": fan.is_critic,
        "answered": fan.answered_at,
        "messages": sorted((one.topic, one.ready_at, one.is_held_out, sorted(one.answers)) for one in fan.messages),
    }


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_of_what_each_fans_profile_says(tmp_path: Path, seed: int) -> None:
    """Now, and by the remembered rows on later days."""
    world = World(tmp_path, seed)
    catalogue = world.gate.catalogues.read(world.store, PROGRAM)

    async def walk(now: int) -> None:
        one_by_one = await world.gate.read_group(PROGRAM, "test")
        parts = frozenset({"voice", "messages", "answers"})
        chunks = [found async for found in world.gate.walk_group(PROGRAM, "test", Moment(now, RULES, 0), parts)]
        assert [counted(fan) for found in chunks for fan in found] == [
            plain(facts, past, catalogue, now) for facts, past in one_by_one
        ]

    for days in (0, 1, 40, 400):
        asyncio.run(walk(NOW + days * DAY))
    world.close()


def change(world: World, number: int) -> None:
    """Something about a fan, the brand, or a consent."""
    fan, what = member_address(number), world.chance.randrange(8)
    mine = world.store.page(fan, program=None, period=None, before=None, limit=99)
    if what == 0 and mine:
        world.store.erase(fan, NOW, wanted=mine[0].id, program=None)
        world.sell(number, NOW - 5 * DAY)  # the number of what was erased may be given again
    elif what == 1 and mine:
        world.store.gifts.mark(fan, mine[-1].id, NOW, is_gift=not mine[-1].is_gift)
    elif what == 2:
        world.prefer(number)
    elif what == 3:
        world.store.preferences.reset(fan, PROGRAM, Timestamp(NOW - 20 * DAY), after_reset)
    elif what == 4:
        world.store.products.put(PROGRAM, [("odd", {"category": "tea"})], NOW, zone="UTC", is_whole=False)
    elif what == 5:
        world.agreed.symmetric_difference_update({number})
    elif what == 6:
        world.members.scopes[number] = world.chance.choice(GRANTS)
    else:
        world.store.delete_all(fan, NOW, ())


def test_what_is_remembered_never_shows_in_a_figure(tmp_path: Path) -> None:
    """After whatever change, a gate that remembers says what one that was just made says."""
    world = World(tmp_path, 11)
    for step in range(40):
        change(world, world.chance.randrange(MEMBERS))
        now = NOW + step * DAY // 2
        assert asyncio.run(figures_of(world.gate, now)) == asyncio.run(figures_of(fresh_gate(world.members), now))
    assert len(world.gate._groups) == len(world.agreed)
    world.close()


def test_what_was_not_granted_changes_no_byte_of_a_figure(tmp_path: Path) -> None:
    world = World(tmp_path, 5)
    world.members.scopes = dict.fromkeys(range(MEMBERS), frozenset({"receipts/bakery"}))
    before = asyncio.run(figures_of(world.gate))
    for number in range(MEMBERS):
        fan = member_address(number)
        world.till.sell(fan, NOW - DAY, ("green", 3, 5_000, 0), ("cod", 1, 70, 9))
        world.till.sell(fan, NOW - DAY, ("bread", 3, 5_000, 0), program=ProgramId(b"Q" * 32))
        gift = world.till.sell(fan, NOW - DAY, ("bread", 1, 5_000, 0))
        world.store.gifts.mark(fan, gift, NOW, is_gift=True)
    for number in set(range(MEMBERS)) - world.agreed:
        world.sell(number, NOW - DAY)
        world.prefer(number)
    world.members.critics = set()
    assert asyncio.run(figures_of(world.gate)) == before
    assert asyncio.run(figures_of(fresh_gate(world.members))) == before
    world.close()


def test_a_fan_is_read_once_and_each_walk_is_in_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, 3)
    read: list[set[int]] = []
    original = ReceiptStore.bought_by

    def watch(store: ReceiptStore, counts: Any, program: ProgramId, *, limit: int) -> Any:
        read.append({int.from_bytes(fan, "big") for fan in counts})
        return original(store, counts, program, limit=limit)

    monkeypatch.setattr(ReceiptStore, "bought_by", watch)
    asyncio.run(figures_of(world.gate))
    assert read == [world.agreed, set(), set(), set()]
    one = min(world.agreed)
    world.sell(one, NOW - DAY)
    asyncio.run(figures_of(world.gate))
    assert read[4:] == [{one}, set(), set(), set()]
    for number in range(MEMBERS):
        rows = world.store.log.page(member_address(number), now=NOW, before=None, limit=9)
        assert [row.times for row in rows] == ([2 * len(TALLIES)] if number in world.agreed else [])
    world.close()


def test_rows_go_with_the_consent_with_the_fan_and_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, 4)
    asyncio.run(figures_of(world.gate))
    first, second = sorted(world.agreed)[:2]
    world.agreed.remove(first)
    asyncio.run(figures_of(world.gate))
    assert len(world.gate._groups) == 39
    world.gate.forget(member_address(second))
    assert len(world.gate._groups) == 38
    monkeypatch.setattr(group_reading, "ROWS_REMEMBERED", 7)
    few = fresh_gate(world.members)
    assert asyncio.run(figures_of(few)) == asyncio.run(figures_of(world.gate))
    assert len(few._groups) == 7
    world.close()


def test_of_an_account_with_very_many_receipts_the_latest_are_read(tmp_path: Path) -> None:
    """And the others of its chunk as always, in portions."""
    store = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    till, fans = Till(store), [member_address(number) for number in range(4)]
    for number, count in enumerate((2, 5, 0, 3)):
        for _ in range(count):
            till.sell(fans[number], NOW, ("bread", 1, 100, 0))
    counts = {fan: version.count for fan, version in store.receipt_versions(fans).items()} | {fans[2]: 0}
    read = dict(store.bought_by({fan: counts[fan] for fan in fans}, PROGRAM, limit=4))
    for number, size in enumerate((2, 4, 0, 3)):
        assert read[fans[number]] == store.page(fans[number], program=PROGRAM, period=None, before=None, limit=4)
        assert len(read[fans[number]]) == size
    store.close()


def test_an_erased_receipt_is_seen_though_its_number_is_given_again(tmp_path: Path) -> None:
    store = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    till, fan = Till(store), member_address(1)
    first = till.sell(fan, NOW, ("bread", 1, 100, 0))
    before = store.versions.read(fan, PROGRAM)
    store.erase(fan, NOW, wanted=first, program=None)
    till.sell(fan, NOW, ("cod", 1, 100, 0))
    assert store.page(fan, program=None, period=None, before=None, limit=9)[0].number == 1
    assert store.versions.read(fan, PROGRAM) != before
    store.close()


# --- figures that take longer than a request waits ---


class SlowCount:
    """A count that takes as long as it is let."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()

    async def __call__(self) -> dict[str, Any]:
        self.begun += 1
        await self.go.wait()
        return {"count": self.begun}


def test_who_is_sent_away_finds_the_figures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAIT_SECONDS", 0.01)

    async def ask() -> None:
        found, slow = Counting(), SlowCount()
        for _ in range(3):
            with pytest.raises(GroupsRefused) as refused:
                await found.ask("segments", slow)
            assert refused.value.code.name == "groups.counting"
            assert refused.value.fields["retry_seconds"] == counting.WAIT_SECONDS
        slow.go.set()
        await asyncio.sleep(0)
        assert await found.ask("segments", slow) == {"count": 1}, "one count, whoever asked"
        assert await found.ask("segments", slow) == {"count": 2}, "and then a new one"

    asyncio.run(ask())


def test_counts_are_bounded_forgotten_and_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAIT_SECONDS", 0)
    monkeypatch.setattr(counting, "COUNTS_MAX", 2)

    async def ask() -> None:
        found, slow = Counting(), SlowCount()
        codes: list[str] = []
        for key in range(3):
            with pytest.raises(GroupsRefused) as refused:
                await found.ask(key, slow)
            codes.append(refused.value.code.name)
        assert codes == ["groups.counting", "groups.counting", "groups.busy"]
        slow.go.set()
        await asyncio.sleep(0.01)
        for one in found._counts.values():
            one.until -= counting.KEPT_SECONDS + 1
        slow.go.clear()
        with pytest.raises(GroupsRefused) as refused:
            await found.ask(3, slow)
        assert refused.value.code.name == "groups.counting", "there is room again"
        await found.close()
        assert not found._counts

    asyncio.run(ask())


def test_a_count_that_fails_says_so_to_who_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAIT_SECONDS", 0)

    async def fail() -> dict[str, Any]:
        await asyncio.sleep(0.005)
        raise GroupsRefused(counting.BUSY, maximum=1, retry_seconds=1)

    async def ask() -> None:
        found = Counting()
        with pytest.raises(GroupsRefused, match="counting"):
            await found.ask("report", fail)
        await asyncio.sleep(0.02)
        with pytest.raises(GroupsRefused, match="busy"):
            await found.ask("report", fail)
        assert not found._counts

    asyncio.run(ask())


async def compare_purchases(world: World) -> dict[Address, int]:
    """That purchases alone are what reading each fan whole gives, for whoever granted any; their versions."""
    fans = [member_address(number) for number in range(MEMBERS)]
    whole = await world.gate.read_all(fans, PROGRAM, "models")
    buyers, _ = await world.gate.list_buyers(PROGRAM, None, 100)
    found = await world.gate.read_purchases(fans, PROGRAM, "models")
    expected = {facts.fan: facts.purchases for facts in whole if facts is not None and facts.fan in set(buyers)}
    assert {one.fan: one.purchases for one in found} == expected and len(expected) > 20
    return {one.fan: one.version for one in found}


@pytest.mark.parametrize("seed", range(4))
def test_purchases_alone_are_read_once_until_something_changes_them(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    known = asyncio.run(compare_purchases(world))

    def read_again() -> set[Address]:
        found = asyncio.run(world.gate.read_purchases(list(known), PROGRAM, "again", known))
        assert {one.fan for one in found if one.purchases is None} <= known.keys()
        return {one.fan for one in found if one.purchases is not None}

    assert read_again() == set()
    number = next(number for number in range(MEMBERS) if member_address(number) in known)
    fan = member_address(number)
    assert world.store.log.page(fan, now=NOW, before=None, limit=9)[0].scope == "models", "who is not read has no row"
    receipt = world.sell(number, NOW - 5)
    assert read_again() == {fan}
    changes = (
        lambda: world.store.gifts.mark(fan, receipt, NOW, is_gift=True),
        lambda: world.store.gifts.mark(fan, receipt, NOW, is_gift=False),
        lambda: world.store.erase(fan, NOW, wanted=receipt, program=None),
        lambda: world.store.preferences.change(fan, PROGRAM, NOW, lambda _: {"given": []}),
        lambda: world.store.preferences.reset(fan, PROGRAM, NOW, after_reset),
    )
    for change in changes:
        known = asyncio.run(compare_purchases(world))
        change()
        assert read_again() == {fan}
    known = asyncio.run(compare_purchases(world))
    world.members.scopes[number] = frozenset({"behaviour"})
    assert fan not in {one.fan for one in asyncio.run(world.gate.read_purchases([fan], PROGRAM, "again", known))}
    world.store.products.put(PROGRAM, [("cod", {"category": "tea"})], NOW, zone="Asia/Seoul", is_whole=False)
    assert read_again() == known.keys() - {fan}, "the feed says of which category an item is"
    world.close()
