"""What each kind of this domain costs, held against the prose of the spec."""

from typing import Any

import pytest

from ledger.domains.consent.consent_grant import CONSENT_GRANT
from ledger.domains.consent.consent_revoke import CONSENT_REVOKE
from ledger.kinds import Kind
from tests.support.spec_costs import cost_in_spec

KINDS = (CONSENT_GRANT, CONSENT_REVOKE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_costs_what_the_spec_says(kind: Kind[Any]) -> None:
    assert kind.cost(None) == cost_in_spec(kind)
