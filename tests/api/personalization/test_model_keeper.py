"""Which models a node answers by: newer files while it serves, damaged ones, old ones, none; whom a review takes out."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.cli.node_operator import _model_lines
from api.http.operator import OperatorDesk
from api.personalization import extra
from api.personalization.basis import basis_of
from api.personalization.errors import PersonalizationError
from api.personalization.export import number_fan
from api.personalization.facts import BoughtLine, FanFacts, Purchase
from api.personalization.group_reading import Bought
from api.personalization.model_keeper import (
    FILES_MAX,
    LOOK_SECONDS,
    REBUILT_SECONDS,
    REVIEW_SECONDS,
    SERVED_DAYS_MAX,
    ModelKeeper,
)
from api.personalization.model_predictor import ModelPredictor
from api.personalization.models import Models, encode_models, save_models
from api.personalization.predictor import PlainRules
from api.personalization.rhythm import DAY_SECONDS
from ledger.types import Address, ProgramId, Timestamp
from node.clock import ManualClock
from node.cookie import read_cookie
from tests.support.made_up_models import PROGRAM, make_models
from tests.support.personal_shop import open_personal_shop
from tests.support.receipt_shop import SETTINGS

NOW = 1_000_100
OTHER = "7c" * 32
FANS = tuple(Address(bytes([number]) * 32) for number in range(250))


class Gate:
    """What a keeper asks of a gate: fans in pages, each with one purchase."""

    def __init__(self) -> None:
        self.fans = list(FANS)
        self.item = "bread"
        self.asked = 0

    async def list_buyers(self, program: ProgramId, after: Any, limit: int) -> tuple[list[Address], Any]:
        first = 0 if after is None else after[0]
        page = self.fans[first : first + limit]
        return page, (first + limit, 0) if len(page) == limit else None

    async def read_purchases(
        self, fans: Sequence[Address], program: ProgramId, what_for: str, known: Mapping[Address, int]
    ) -> list[Bought]:
        assert what_for == "models"
        version = 1 + sum(self.item.encode())
        cold = [fan for fan in fans if known.get(fan) != version]
        self.asked += len(cold)
        return [Bought(fan, version, facts_of(fan, self.item).purchases if fan in cold else None) for fan in fans]


def facts_of(fan: Address, item: str = "bread") -> FanFacts:
    lines = (BoughtLine(item, 1, 100, 0),)
    purchase = Purchase(fan.hex(), 500_000, 0, 100, 1, (), lines, 500_000)
    return FanFacts(fan, ProgramId(bytes.fromhex(PROGRAM)), frozenset({"receipts"}), 0, (purchase,))


def models_of(fans: Sequence[Address], **more: Any) -> Models:
    pairs = sorted((number_fan(fan), basis_of(facts_of(fan).purchases, NOW)) for fan in fans)
    return make_models([number for number, _ in pairs], bases=[basis for _, basis in pairs], **more)


class World:
    """A keeper of a place, with what it swaps."""

    def __init__(self, place: Path) -> None:
        self.place, self.gate, self.clock = place, Gate(), ManualClock(Timestamp(NOW))
        self.personal: Any = SimpleNamespace(predictor=PlainRules(), gate=self.gate)
        self.keeper = ModelKeeper(place, self.personal, self.clock)

    def look(self) -> None:
        asyncio.run(self.keeper.look())

    def review(self) -> None:
        asyncio.run(self.keeper.review_due())

    @property
    def versions(self) -> list[str]:
        return [one["version"] for one in self.keeper.report()["served"]]

    @property
    def faults(self) -> list[str]:
        return [one["code"] for one in self.keeper.report()["faults"]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "shop.models")


@pytest.fixture
def folder(tmp_path: Path) -> World:
    return World(tmp_path)


def put(path: Path, models: Models, moment: int = 0) -> str:
    save_models(models, path)
    if moment:
        os.utime(path, ns=(moment, moment))
    return models.version


def test_a_newer_file_is_taken_up_and_a_damaged_one_is_named(world: World) -> None:
    world.look()
    assert (world.versions, world.faults) == ([], ["models.file_missing"])
    assert isinstance(world.personal.predictor, PlainRules)
    first = put(world.place, make_models())
    world.look()
    assert (world.versions, world.faults) == ([first], [])
    before = world.personal.predictor
    assert isinstance(before, ModelPredictor)
    world.look()
    assert world.personal.predictor is before, "nothing is swapped for nothing"
    data = encode_models(make_models([4]))
    for bad in (b"", data[:-1], data[:200] + b"\0" + data[201:], b"letter"):
        world.place.write_bytes(bad)
        world.look()
        assert world.versions == [first] and world.personal.predictor is before, "the old one goes on"
        assert world.faults in (["models.damaged"], ["models.unknown_format"])
    lines = "\n".join(_model_lines(world.keeper.report()))
    assert first in lines and "Train again" in lines and str(world.place) in lines
    second = put(world.place, make_models([4]))
    world.look()
    assert (world.versions, world.faults) == ([second], [])
    world.place.unlink()
    world.look()
    assert (world.versions, world.faults) == ([], ["models.file_missing"])
    assert isinstance(world.personal.predictor, PlainRules)
    assert "plain rules answer" in "\n".join(_model_lines(world.keeper.report()))


def test_of_a_folder_the_latest_export_counts_for_each_program(folder: World) -> None:
    place = folder.place
    put(place / "a.models", make_models())
    newer = put(place / "b.models", make_models([5], read_at=1_000_050))
    put(place / "c.models", make_models([6], as_of=date(1970, 1, 2)))
    other = put(place / "d.models", make_models(program=OTHER))
    (place / "e.txt").write_text("a letter")
    (place / ".f.models.0123.tmp").write_bytes(b"half a file")
    folder.look()
    assert (folder.versions, folder.faults) == ([newer, other], [])
    (place / "g.models").write_bytes(encode_models(make_models([9], read_at=1_000_060))[:-5])
    folder.look()
    assert (folder.versions, folder.faults) == ([newer, other], ["models.damaged"])
    (place / "g.models").unlink()
    (place / "b.models").unlink()
    folder.look()
    assert folder.versions == [make_models().version, other] and folder.faults == []
    later = time.time_ns() + 10**12
    same = [put(place / f"h{number}.models", make_models([number]), moment=later + number) for number in (8, 7)]
    folder.look()
    assert folder.versions[0] == same[0], "of the same export and day, what was written last"
    for number in range(FILES_MAX):
        (place / f"x{number}.models").write_bytes(b"")
    folder.look()
    assert "models.too_many" in folder.faults


def test_models_of_no_program_and_old_ones_answer_nobody(world: World) -> None:
    put(world.place, make_models(program=""))
    world.look()
    assert (world.versions, world.faults) == ([], ["models.no_program"])
    put(world.place, make_models(program="no id"))
    world.look()
    assert world.faults == ["models.no_program"]
    version = put(world.place, make_models())
    world.look()
    assert world.versions == [version]
    world.clock.set(Timestamp(1_000_000 + SERVED_DAYS_MAX * DAY_SECONDS - 1))
    world.look()
    assert world.versions == [version]
    world.clock.set(Timestamp(1_000_000 + SERVED_DAYS_MAX * DAY_SECONDS))
    for _ in range(2):
        world.look()
        assert (world.versions, world.faults) == ([], ["models.old"])
    version = put(world.place, make_models(read_at=1_000_000 + DAY_SECONDS))
    world.look()
    assert (world.versions, world.faults) == ([version], [])


def test_a_review_takes_out_who_is_not_granting_what_the_models_rest_on(world: World) -> None:
    put(world.place, models_of(FANS[:230]))
    world.look()
    predictor = world.personal.predictor
    assert predictor.stage_of(facts_of(FANS[3])) == "prediction"
    assert predictor.stage_of(facts_of(FANS[3], "tea")) == "rules", "a receipt changed"
    assert predictor.stage_of(facts_of(FANS[240])) == "rules", "not in the models"
    world.gate.fans.remove(FANS[3])
    world.gate.fans.remove(FANS[200])
    world.review()
    assert world.gate.asked == 228, "only fans whom the models know are read"
    (served,) = world.keeper.report()["served"]
    assert (served["fans"], served["taken_out"]) == (228, 2)
    assert world.personal.predictor.stage_of(facts_of(FANS[3])) == "rules"
    assert world.personal.predictor.stage_of(facts_of(FANS[4])) == "prediction"
    world.look()
    assert world.keeper.report()["served"][0]["taken_out"] == 2, "what was taken out does not come back from the file"
    world.review()
    assert world.gate.asked == 228
    world.gate.fans.remove(FANS[7])
    world.clock.set(Timestamp(NOW + REVIEW_SECONDS))
    world.review()
    assert world.gate.asked == 228, "whose purchases are the same is not read again"
    assert world.keeper.report()["served"][0]["fans"] == 227
    world.gate.item = "tea"
    world.clock.set(Timestamp(NOW + 2 * REVIEW_SECONDS))
    world.review()
    assert world.gate.asked == 228 + 227
    assert world.keeper.report()["served"][0]["fans"] == 0
    assert REVIEW_SECONDS < DAY_SECONDS


def test_what_was_learned_from_who_took_it_back_is_gone_within_a_day(world: World) -> None:
    """Its rows at the next review, and what others' rows learned from it a day later at the latest, unless trained anew."""
    version = put(world.place, models_of(FANS[:9]))
    world.look()
    world.review()
    world.gate.fans.remove(FANS[3])
    noticed = NOW + REVIEW_SECONDS
    world.clock.set(Timestamp(noticed))
    world.review()
    world.clock.set(Timestamp(noticed + REBUILT_SECONDS - 1))
    world.look()
    assert len(world.versions) == 1 and world.faults == []
    world.clock.set(Timestamp(NOW + DAY_SECONDS))
    for _ in range(2):
        world.look()
        assert (world.versions, world.faults) == ([], ["models.taken_back"])
    put(world.place, models_of([fan for fan in FANS[:9] if fan != FANS[3]], read_at=NOW + DAY_SECONDS))
    world.look()
    world.review()
    assert len(world.versions) == 1 and world.versions != [version] and world.faults == []


def test_a_model_that_came_while_another_was_reviewed_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world.place, models_of(FANS[:5]))
    world.look()
    version = models_of(FANS[:6]).version
    original = world.gate.list_buyers

    async def swap_meanwhile(program: ProgramId, after: Any, limit: int) -> tuple[list[Address], Any]:
        if world.versions != [version]:
            put(world.place, models_of(FANS[:6]))
            await world.keeper.look()
        return await original(program, after, limit)

    monkeypatch.setattr(world.gate, "list_buyers", swap_meanwhile)
    world.gate.fans.clear()
    world.review()
    assert world.versions == [version]
    assert world.keeper.report()["served"][0]["fans"] == 6
    world.review()
    assert world.keeper.report()["served"][0]["fans"] == 0


def test_it_runs_until_it_is_cancelled_and_a_fault_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.personalization.model_keeper.LOOK_SECONDS", 0.001)
    put(world.place, models_of(FANS[:5]))
    looks: list[int] = []
    is_enough = asyncio.Event()

    async def fail(*_: object) -> Any:
        looks.append(1)
        if len(looks) == 3:
            is_enough.set()
        raise OSError("the disk is away")

    monkeypatch.setattr(world.gate, "list_buyers", fail)

    async def run() -> None:
        running = asyncio.create_task(world.keeper.run())
        await asyncio.wait_for(is_enough.wait(), 60)
        running.cancel()

    asyncio.run(run())
    assert len(world.versions) == 1 and LOOK_SECONDS > 1


def test_without_numpy_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "SERVING", ("no_such_module",))
    with pytest.raises(PersonalizationError, match="no_such_module") as caught:
        World(tmp_path)
    assert caught.value.code.name == "personalization.extra_missing"


def test_a_node_takes_up_its_models_and_tells_its_operator(tmp_path: Path) -> None:
    place = tmp_path / "shop.models"
    version = put(place, make_models(read_at=4_000_000_000))
    desk = open_personal_shop(tmp_path / "data", settings=SETTINGS.model_copy(update={"models": place}))
    try:
        desk.app.router.routes.extend(OperatorDesk(desk.shop.node, None).routes)
        credentials = read_cookie(desk.shop.node.config.data_dir)
        found: dict[str, Any] = {}
        deadline = time.monotonic() + 60
        while not found.get("served") and time.monotonic() < deadline:
            found = desk.http.get("/operator/status", auth=credentials).json()["models"]
        assert [one["version"] for one in found["served"]] == [version] and found["faults"] == []
    finally:
        desk.close()
        desk.shop.close()
