"""What programs owed at the end of a day: against the books of the same shop driven to that moment, and with proofs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import NEVER, Books, DayTotals
from ledger.proofs import ShownRecord, check_proof, read_proof
from ledger.types import Day, Points, ProgramId
from node.audit import reading_store
from node.audit_liability import BEFORE_GENESIS, IN_FUTURE, NO_PROGRAM, LiabilityReport, audit_liability
from node.audit_programs import BOOKS_DIFFER
from node.errors import NodeError
from node.replay import BAD_BLOCK, OTHER_GENESIS, StoreSource
from tests.node.lives import live
from tests.node.stored_chain import StoredShop
from tests.node.watching import nothing_left_behind
from tests.support.memory_chain import GENESIS_DAY, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, make_terms


def measure(shop: StoredShop, day: int, program: ProgramId | None = None) -> LiabilityReport:
    with reading_store(shop.store.path.parent) as connection:
        return audit_liability(StoreSource(connection), shop.chain.params, Day(day), program, shown_date=f"day {day}")


@contextmanager
def open_shop(folder: Path, *, offset_minutes: int = 0, **terms: Any) -> Iterator[StoredShop]:
    with closing(StoredShop(folder / "chain.sqlite", **terms)) as shop:
        if offset_minutes:
            payload = ProgramCreate("Elsewhere", "point", 0, offset_minutes, make_terms(**terms))
            shop.chain.send("program.create", payload, author=OWNER)
        yield shop


def live_totals(books: Books) -> tuple[int, ...]:
    return (books.pending, books.available, books.held, books.escrowed, books.redeemed, books.expired)


def test_every_day_of_a_life_adds_up_and_is_proved(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        live(shop)
        lived_days = (shop.chain.time - shop.chain.params.genesis_time) // 86_400
        for day in range(GENESIS_DAY, GENESIS_DAY + lived_days + 1, 6):
            with nothing_left_behind():
                report = measure(shop, day)
            (found,) = report.programs
            assert report.is_good
            books, position = found.position.books, found.position
            assert books.issued + books.restored == sum(live_totals(books)) + books.reversed
            assert position.liability == sum(line.total for line in position.lines.values())
            assert all(expiry > day for expiry in position.lines)
            assert found.clock < (day + 1) * 86_400
            assert found.is_over == (found.next_clock >= (day + 1) * 86_400)
            proved = check_proof(read_proof(found.proofs["books"]), report.chain_id)
            assert [shown.record for shown in proved.shown if isinstance(shown, ShownRecord)] == [
                position.recorded,
                position.program,
            ]
            assert proved.anchor_height == found.height


def test_a_day_is_measured_at_its_own_last_block(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.join(FAN)
        shop.earn(FAN, 300)
        shop.chain.block(time=shop.midnight(days=1) - 1)
        last_of_today = len(shop.chain.blocks)
        shop.earn(FAN, 50)
        shop.chain.mine()
        (today,) = measure(shop, GENESIS_DAY).programs
        (tomorrow,) = measure(shop, GENESIS_DAY + 1).programs
    # The block after the last one of the day sees that one's time, which still lies in the day.
    assert today.height == last_of_today + 1
    assert today.position.books.issued == 350
    assert today.is_over and today.next_clock == shop.midnight(days=0) + 59
    assert not tomorrow.is_over


def test_points_expire_by_day_also_where_the_work_was_done_later(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.join(FAN)
        shop.earn(FAN, 300)
        ends = shop.today + 30
        shop.chain.advance(days=40)
        before, after = (measure(shop, day).programs[0] for day in (ends - 1, ends))
    assert (before.position.books.available, before.position.books.expired) == (300, 0)
    assert before.position.lines[Day(ends)].available == 300
    assert (after.position.books.available, after.position.books.expired) == (0, 300)
    assert (after.position.recorded.available, after.position.liability) == (300, 0)
    assert set(after.proofs) == {"books", f"day-{ends}"}
    shown, _ = check_proof(read_proof(after.proofs[f"day-{ends}"])).shown
    assert isinstance(shown, ShownRecord) and shown.record == DayTotals(Points(0), Points(300))
    assert (after.position.waiting[Day(ends)].expiring, after.height) == (300, before.height)


def test_pending_points_are_available_from_their_day_on(tmp_path: Path) -> None:
    with open_shop(tmp_path, activation_delay_days=5) as shop:
        shop.join(FAN)
        shop.earn(FAN, 300)
        shop.chain.advance(days=10)
        found = [measure(shop, GENESIS_DAY + days).programs[0].position for days in (4, 5)]
    assert [(at.books.pending, at.books.available) for at in found] == [(300, 0), (0, 300)]
    assert [at.lines[Day(GENESIS_DAY + 30)].pending for at in found] == [300, 0]


def test_points_that_never_expire_have_a_line_of_their_own(tmp_path: Path) -> None:
    from ledger.domains.loyalty.state import NeverExpires

    with open_shop(tmp_path, expiry=NeverExpires()) as shop:
        shop.join(FAN)
        shop.earn(FAN, 300)
        shop.chain.advance(days=400)
        (found,) = measure(shop, GENESIS_DAY + 399).programs
    assert found.position.lines[NEVER].available == found.position.liability == 300


@pytest.mark.parametrize("offset_minutes", [1_439, -1_439, -300])
def test_programs_with_days_of_their_own_are_measured_at_their_own_end(tmp_path: Path, offset_minutes: int) -> None:
    with open_shop(tmp_path, offset_minutes=offset_minutes) as shop:
        shop.join(FAN)
        for hour in range(80):
            shop.chain.block(time=shop.chain.params.genesis_time + 3_600 * (hour + 1))
        report = measure(shop, GENESIS_DAY + 1)
    assert len(report.programs) == 2
    for found in report.programs:
        end = found.position.program.day_start(Day(GENESIS_DAY + 2))
        assert found.is_over and found.clock < end <= found.next_clock
        assert end - found.clock <= 3_600


def test_a_program_that_was_made_after_the_day_did_not_exist(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.chain.advance(days=3)
        payload = ProgramCreate("Later", "point", 0, 60, make_terms())
        shop.chain.send("program.create", payload, author=OWNER)
        shop.chain.advance(days=3)
        (found,) = measure(shop, GENESIS_DAY + 1).programs
        assert found.position.program_id == shop.program
        later = next(
            p.position.program_id
            for p in measure(shop, GENESIS_DAY + 4).programs
            if p.position.program_id != shop.program
        )
        assert [p.position.program_id for p in measure(shop, GENESIS_DAY + 4, later).programs] == [later]
        with refused(NO_PROGRAM, NodeError, program=later):
            measure(shop, GENESIS_DAY + 1, later)


def test_dates_that_have_no_end_are_refused(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.join(FAN, FRIEND)
        with refused(BEFORE_GENESIS, NodeError):
            measure(shop, GENESIS_DAY - 1)
        for program in (None, shop.program):
            (found,) = measure(shop, GENESIS_DAY, program).programs
            assert not found.is_over
            for day in (GENESIS_DAY + 1, GENESIS_DAY + 400):
                with refused(IN_FUTURE, NodeError):
                    measure(shop, day, program)
        with refused(NO_PROGRAM, NodeError):
            measure(shop, GENESIS_DAY, ProgramId(bytes(32)))


def test_what_does_not_verify_has_no_figures(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.join(FAN)
        shop.chain.advance(days=2)
        with reading_store(tmp_path) as connection:
            source = StoreSource(connection)
            found = audit_liability(source, sim_params(name="another"), Day(GENESIS_DAY), shown_date="")
        assert [finding.code for finding in found.findings] == [OTHER_GENESIS.name]
        from node.store.tables import bodies

        with shop.store.engine.begin() as connection:
            wrong = bytes(shop.chain.blocks[2].encode())
            statement = bodies.update().where(bodies.c.hash == shop.chain.blocks[3].hash).values(block=wrong)
            connection.execute(statement)
        report = measure(shop, GENESIS_DAY)
    assert report.programs == []
    assert [(finding.code, finding.height) for finding in report.findings] == [(BAD_BLOCK.name, 4)]


def test_books_that_lots_do_not_bear_out_are_a_finding(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.join(FAN)
        shop.earn(FAN, 300)
        (found,) = measure(shop, GENESIS_DAY).programs
    wrong = replace(found.position, counted={**found.position.counted, "available": 299})
    (fault,) = wrong.faults()
    assert fault.code is BOOKS_DIFFER and "299" in str(fault)
    unbalanced = replace(found.position, books=replace(found.position.books, issued=301))
    (fault,) = unbalanced.faults()
    assert "issued" in str(fault)
