"""Figures of groups are of all members, however many: read in pages, counted one after the other, none kept in memory."""

import asyncio
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.personalization import service
from api.personalization.board import Boards
from api.personalization.consent_gate import GROUP_CHUNK, GROUP_PAGE, PersonalGate
from api.personalization.counting import GroupsRefused
from api.personalization.group_reading import Moment
from api.personalization.groups import SegmentsTally
from api.personalization.predictor import PlainRules
from api.personalization.service import Personalization
from api.receipts.inbox import KeptMessage
from ledger.types import Hash
from tests.support.made_up_members import NOW, PROGRAM, MadeUpMembers, member_address, open_gate

OLD_BOUND = 20_000
"""Members beyond this number were once left out without a word."""


async def count(gate: PersonalGate) -> tuple[dict[str, Any], int]:
    """The segments of all, and the largest number of fans that were in memory at once."""
    tally, most = SegmentsTally(), 0
    async for found in gate.walk_group(PROGRAM, "segments", Moment(NOW, PlainRules(), 0), tally.parts):
        most = max(most, len(found))
        for fan in found:
            tally.add(fan)
    return tally.show(), most


def say_korean(members: MadeUpMembers, *numbers: int) -> None:
    """Some members' own words, so that they form a segment."""
    for number in numbers:
        members.store.preferences.change(member_address(number), PROGRAM, NOW, lambda _: {"language": "ko"})


def tell_all(members: MadeUpMembers, length: int) -> None:
    """A message for each, with a long document, which is what weighs in memory."""
    document = {"kind": "anticipate", "texts": {"en": "x" * length}}
    told = [
        KeptMessage(Hash(fan), fan, PROGRAM, "replenish", NOW - 9, NOW - 9, NOW, False, document)
        for fan in map(member_address, range(members.count))
    ]
    members.store.inbox.add(told, NOW)


def test_members_beyond_any_page_count(tmp_path: Path) -> None:
    """Of 21,507 members, 20 agreed: 15 of them joined after the twenty-thousandth."""
    last = list(range(OLD_BOUND + 3, OLD_BOUND + 1_503, 100))
    agreed = {3, 500, 999, 1_000, 19_999, *last}
    gate, members = open_gate(tmp_path, OLD_BOUND + 1_507, agreed.__contains__)
    say_korean(members, *last)
    shown, most = asyncio.run(count(gate))
    assert shown["fans"] == 20 and most <= GROUP_CHUNK
    korean = [one for one in shown["segments"] if (one["dimension"], one["name"]) == ("language", "ko")]
    assert korean[0]["fans"] == 15
    assert members.pages == (OLD_BOUND + 1_507) // GROUP_PAGE + 1
    logged = [members.store.log.page(member_address(number), now=NOW, before=None, limit=9) for number in agreed]
    assert all(len(rows) == 1 and rows[0].scope == "segments" for rows in logged)
    assert members.store.log.page(member_address(7), now=NOW, before=None, limit=9) == []
    members.store.close()


@pytest.mark.parametrize("members", [0, 1, GROUP_PAGE - 1, GROUP_PAGE, GROUP_PAGE + 1])
def test_the_last_page_may_be_full_or_empty(tmp_path: Path, members: int) -> None:
    gate, made_up = open_gate(tmp_path, members, lambda _: False)

    async def walk() -> list[bytes]:
        return [fan async for fans in gate.walk_members(PROGRAM) for fan in fans]

    assert asyncio.run(walk()) == [member_address(number) for number in range(members)]
    made_up.store.close()


def measure_memory(folder: Path, members: int) -> int:
    """The most bytes that a walk through fans with messages of 20 kB each holds at once."""
    folder.mkdir()
    gate, made_up = open_gate(folder, members, lambda _: True)
    tell_all(made_up, 20_000)
    tracemalloc.start()
    try:
        asyncio.run(count(gate))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        made_up.store.close()


def test_memory_does_not_grow_with_the_members(tmp_path: Path) -> None:
    few, many = measure_memory(tmp_path / "few", 210), measure_memory(tmp_path / "many", 420)
    assert many < few * 1.3, f"twice as many fans took {many} bytes instead of {few}"


def test_a_revocation_between_two_chunks_counts(tmp_path: Path) -> None:
    agreed = set(range(250))
    gate, members = open_gate(tmp_path, 250, agreed.__contains__)

    async def walk() -> list[int]:
        sizes: list[int] = []
        async for found in gate.walk_group(PROGRAM, "segments", Moment(NOW, PlainRules(), 0), frozenset()):
            sizes.append(len(found))
            agreed.difference_update(range(240))
        return sizes

    assert asyncio.run(walk()) == [100, 0, 10]
    members.store.close()


@pytest.mark.parametrize("scope", ["receipts", "standing"])
def test_a_revocation_within_a_chunk_counts_whatever_was_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    """Also of a fan of whom figures read nothing, as it granted its standing alone: nothing is granted, so it is not counted."""
    agreed = set(range(12))
    gate, members = open_gate(tmp_path, 12, agreed.__contains__)
    members.scopes = dict.fromkeys(agreed, frozenset({scope}))
    run = members.run

    async def revoke_meanwhile(work: Any) -> Any:
        found = await run(work)
        agreed.discard(3)
        return found

    monkeypatch.setattr(MadeUpMembers, "run", staticmethod(revoke_meanwhile))

    async def walk() -> list[int]:
        moment = Moment(NOW, PlainRules(), 0)
        return [len(found) async for found in gate.walk_group(PROGRAM, "segments", moment, frozenset())]

    assert asyncio.run(walk()) == [11]
    members.store.close()


def make_personal(gate: PersonalGate, members: Any, monkeypatch: pytest.MonkeyPatch) -> Personalization:
    """Personalization over a made-up program."""

    def read(*_: Any) -> Any:
        return SimpleNamespace(offset_minutes=0)

    monkeypatch.setattr(Boards, "read", read)
    return Personalization(members, gate, members, members)


def test_a_walk_that_takes_too_long_is_given_up_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, members = open_gate(tmp_path, 300, lambda _: True)
    personal = make_personal(gate, members, monkeypatch)
    shown = asyncio.run(personal.tally(PROGRAM, "segments", lambda _: SegmentsTally()))
    assert shown["fans"] == 300
    monkeypatch.setattr(service, "GROUP_SECONDS_MAX", -1)
    with pytest.raises(GroupsRefused) as refused:
        asyncio.run(personal.tally(PROGRAM, "segments", lambda _: SegmentsTally()))
    assert refused.value.code.name == "groups.too_long"
    members.store.close()
