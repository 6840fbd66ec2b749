"""The read model: every event in the history of its subjects, and lists of what events made."""

from pathlib import Path
from typing import Any

import pytest

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.state import SCOPE_TILL
from ledger.events import Event
from ledger.transaction import Prepaid
from ledger.types import Address, Points, Timestamp
from node.store.index import LISTED
from node.store.reader import decode_event
from node.store.tables import history, listing
from tests.node.lives import live
from tests.node.stored_chain import StoredScenario, StoredShop
from tests.support.shop import FAN, OWNER, TILL

pytestmark = pytest.mark.usefixtures("database")
SUBJECT, HEIGHT, SEQUENCE, PLACE, NAME, DATA = range(6)


def test_every_event_stands_in_the_history_of_each_of_its_subjects(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    live(shop)
    expected = sorted(
        (subject, height, sequence, place, event.name, event)
        for height, block in enumerate(shop.chain.mined, start=1)
        for sequence, (place, event) in enumerate(block.transition.events)
        for subject in set(event.subjects())
    )
    rows = shop.store.tables["history"]
    assert [(*row[:DATA], decode_event(row[NAME], row[DATA])) for row in rows] == expected
    listed = [row for row in expected if type(row[-1]) in LISTED]
    wanted = {item for row in listed for item in LISTED[type(row[-1])](row[-1])}
    assert {row[:3] for row in shop.store.tables["listing"]} == wanted
    shop.close()


def test_an_event_that_names_an_id_twice_has_it_once_in_its_history(tmp_path: Path) -> None:
    """A fan may consent to itself, a brand name its own program as issuer: valid, and no reason to stop a node."""
    shop = StoredShop(tmp_path / "chain.sqlite")
    to_itself = ConsentGrant(FAN.address, PERSONALISE, "", Timestamp(0))
    shop.chain.send("consent.grant", to_itself, author=FAN)
    strange = IssuerGrant(shop.program, Address(shop.program), SCOPE_TILL, Points(1))
    shop.chain.send("issuer.grant", strange, author=OWNER)
    rows = [row for row in shop.store.tables["history"] if row[HEIGHT] > 3]
    assert [(row[SUBJECT], row[NAME]) for row in sorted(rows, key=lambda row: row[HEIGHT])] == [
        (FAN.address, "consent.granted"),
        (shop.program, "issuer.granted"),
    ]
    shop.close()


def test_who_comes_back_is_listed_where_it_came_first(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN)
    listed = shop.store.tables["listing"]
    before = shop.fork(tmp_path / "before.sqlite")
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    shop.chain.send("member.join", MemberJoin(shop.program, TILL.address), author=FAN, cosigners=(TILL,))
    assert shop.store.tables["listing"] == listed
    before.chain.mine(3)  # both joins are on the chain, then neither the leaving nor the second one is
    shop.store.take_all(before.chain.blocks)
    assert shop.store.tables["listing"] == listed
    assert shop.store.tables == before.store.tables
    shop.close()
    before.close()


def test_names_fit_into_their_columns() -> None:
    """SQLite would take any length; PostgreSQL would not."""
    column: Any = history.c.name.type
    assert max(len(name) for name in Event.catalogue) <= column.length
    assert {len(row) for row in (history.c, listing.c)} == {6, 5}


def test_blocks_without_events_leave_no_rows(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "chain.sqlite", FAN)
    scenario.mine(3)
    assert scenario.store.tables["history"] == scenario.store.tables["listing"] == []
    scenario.store.close()
