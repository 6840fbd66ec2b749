"""Every row that holds an address, on both kinds of store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.domains.accounts.state import Account
from ledger.domains.loyalty.events import MemberJoined
from ledger.domains.loyalty.state import Member, member_key
from ledger.types import Address
from tests.support.live_shop import LiveShop
from tests.support.shop import FAN, FRIEND, POOR, TILL

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LiveShop]:
    found = LiveShop(tmp_path / "data")
    found.join(FAN, FRIEND)
    found.earn(FAN, 50)
    found.earn(FRIEND, 60)
    yield found
    found.close()


def test_what_names_an_account_is_found_and_nothing_else(shop: LiveShop) -> None:
    with shop.node.reader.snapshot() as view:
        found = view.mentions(FAN.address)
        records, earlier, events = found.records(), found.earlier_records(), found.events()
        assert {one.table for one in records} == {"Account", "Member"}
        member = next(one for one in records if one.key == member_key(shop.program, FAN.address))
        assert isinstance(member.record, Member) and member.undo_height is None
        stored = view.stored(member.key)
        assert stored is not None and (stored.slot, stored.value_bytes) == (member.slot, member.value_bytes)
        assert [one.undo_height for one in earlier if one.key == member.key] == [shop.chain.height - 2]
        assert all(FAN.address in one.key + one.value_bytes for one in (*records, *earlier))
        assert {type(one.record) for one in earlier} <= {Account, Member}
        names = [(one.event.name, one.subject == FAN.address) for one in events]
        assert (
            ("points.earned", True) in names and ("member.joined", True) in names and ("member.joined", False) in names
        )
        assert isinstance(events[0].event, MemberJoined)
        assert {(one.kind, one.parent == FAN.address) for one in found.lists()} == {
            ("member", False),
            ("membership", True),
        }
        blocks = found.blocks()
        assert [one.height for one in blocks] == sorted(one.height for one in blocks) and len(blocks) == 2
        for one in blocks:
            block = view.block(one.hash)
            assert one.is_active and block is not None and FAN.address in block.encode()


def test_who_was_never_here_is_nowhere(shop: LiveShop) -> None:
    with shop.node.reader.snapshot() as view:
        for account in (POOR.address, Address(bytes(range(1, 33)))):
            found = view.mentions(account)
            assert not (found.records() or found.earlier_records() or found.events() or found.lists() or found.blocks())
        assert view.mentions(TILL.address).records()
