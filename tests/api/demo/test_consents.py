"""Who refuses every consent, and what the others grant."""

from api.demo.consents import choose_purposes, refuses_consent, sign_grants
from api.demo.households import open_household
from api.demo.journey import HouseholdId
from api.wallet.builder import ChainFacts
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import CONTACT, PERSONALISE
from ledger.transaction import Sponsored, decode_transaction
from ledger.types import ChainId, Height, ProgramId
from tests.support.memory_chain import sim_params

FACTS = ChainFacts.of_params(sim_params(), ChainId(b"c" * 32))
PROGRAM = ProgramId(b"p" * 32)
HOUSEHOLDS = [HouseholdId(number) for number in range(1, 2_501)]


def test_about_one_in_ten_refuses_and_always_the_same() -> None:
    refusing = [household for household in HOUSEHOLDS if refuses_consent(household)]
    assert 0.09 < len(refusing) / len(HOUSEHOLDS) < 0.11
    assert refusing[:3] == [4, 5, 7]


def test_who_refuses_grants_nothing_and_everybody_else_something() -> None:
    for household in HOUSEHOLDS:
        purposes = choose_purposes(household)
        assert bool(purposes) is not refuses_consent(household)
        assert not purposes or purposes[0] == (PERSONALISE, "")
    by_mail = sum(1 for household in HOUSEHOLDS if (CONTACT, "email") in choose_purposes(household))
    assert 0.2 < by_mail / (0.9 * len(HOUSEHOLDS)) < 0.3


def test_grants_are_signed_by_the_fan_and_paid_by_the_pool() -> None:
    household = next(one for one in HOUSEHOLDS if len(choose_purposes(one)) == 2)
    first, second = (
        decode_transaction(raw, FACTS.chain_id) for raw in sign_grants(FACTS, PROGRAM, household, Height(7))
    )
    assert isinstance(first.payload, ConsentGrant) and isinstance(second.payload, ConsentGrant)
    assert (first.payload.purpose, second.payload.purpose, second.payload.scope) == (PERSONALISE, CONTACT, "email")
    for transaction in (first, second):
        assert transaction.author == open_household(household, PROGRAM).address
        assert transaction.body.payment == Sponsored(PROGRAM)
        assert (transaction.payload.grantee, transaction.payload.expires_at) == (PROGRAM, 0)
        assert transaction.body.valid_from == 7
    assert sign_grants(FACTS, PROGRAM, HouseholdId(4), Height(7)) == ()
