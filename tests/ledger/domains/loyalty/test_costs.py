"""What each kind of this domain costs, held against the prose of the spec; where the payload matters, in the test of that kind."""

from typing import Any

import pytest

from ledger.domains.loyalty.adjust import ADJUST
from ledger.domains.loyalty.earn import EARN, Earn
from ledger.domains.loyalty.earn_contest import EARN_CONTEST
from ledger.domains.loyalty.issuer_grant import ISSUER_GRANT
from ledger.domains.loyalty.issuer_revoke import ISSUER_REVOKE
from ledger.domains.loyalty.member_leave import MEMBER_LEAVE
from ledger.domains.loyalty.points_transfer import POINTS_TRANSFER
from ledger.domains.loyalty.program_create import PROGRAM_CREATE
from ledger.domains.loyalty.program_sunset import PROGRAM_SUNSET
from ledger.domains.loyalty.program_update import PROGRAM_UPDATE
from ledger.kinds import Cost, Kind
from tests.support.shop import FAN, Shop
from tests.support.spec_costs import cost_in_spec

KINDS = (
    ADJUST,
    EARN_CONTEST,
    ISSUER_GRANT,
    ISSUER_REVOKE,
    MEMBER_LEAVE,
    POINTS_TRANSFER,
    PROGRAM_CREATE,
    PROGRAM_SUNSET,
    PROGRAM_UPDATE,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_costs_what_the_spec_says(kind: Kind[Any]) -> None:
    assert kind.cost(None) == cost_in_spec(kind)


@pytest.mark.parametrize("count", [1, 3])
def test_each_entry_of_a_batch_touches_two_records(shop: Shop, count: int) -> None:
    batch = Earn(shop.program, (shop.entry(FAN, 5),) * count)
    assert EARN.cost(batch) == Cost(records=2 * count + 4, slots=10, due=5)
