"""What each kind of this domain costs, held against the prose of the spec."""

from typing import Any

import pytest

from ledger.domains.rewards.redeem import REDEEM
from ledger.domains.rewards.redeem_cancel import REDEEM_CANCEL
from ledger.domains.rewards.redeem_fulfil import REDEEM_FULFIL
from ledger.domains.rewards.redeem_refund import REDEEM_REFUND
from ledger.domains.rewards.reward_list import REWARD_LIST
from ledger.domains.rewards.reward_update import REWARD_UPDATE
from ledger.kinds import Kind
from tests.support.spec_costs import cost_in_spec

KINDS = (REDEEM, REDEEM_CANCEL, REDEEM_FULFIL, REDEEM_REFUND, REWARD_LIST, REWARD_UPDATE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_costs_what_the_spec_says(kind: Kind[Any]) -> None:
    assert kind.cost(None) == cost_in_spec(kind)
