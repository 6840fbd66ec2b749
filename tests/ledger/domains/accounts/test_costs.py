"""What each kind of this domain costs, held against the prose of the spec."""

from typing import Any

import pytest

from ledger.domains.accounts.cancel_recovery import CANCEL_RECOVERY
from ledger.domains.accounts.recover import RECOVER
from ledger.domains.accounts.set_guardians import SET_GUARDIANS
from ledger.domains.accounts.set_policy import SET_POLICY
from ledger.domains.accounts.transfer import TRANSFER
from ledger.kinds import Kind
from tests.support.spec_costs import cost_in_spec

KINDS = (CANCEL_RECOVERY, RECOVER, SET_GUARDIANS, SET_POLICY, TRANSFER)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_costs_what_the_spec_says(kind: Kind[Any]) -> None:
    assert kind.cost(None) == cost_in_spec(kind)
