"""Who lies leaves the set: once, for good, and only when that is final."""

import pytest

from ledger.domains.finality.events import AttestorLied
from ledger.domains.finality.evidence import EVIDENCE_WEIGHT, KNOWN_LIAR, LAST_ATTESTOR, NO_CONFLICT
from ledger.domains.finality.state import LIARS, NOT_ATTESTOR, Liar, Scheduled, liar_key
from ledger.errors import Malformed
from ledger.finality.votes import BAD_LINK
from ledger.transaction import Prepaid
from ledger.types import Height
from tests.support.attested import KEYS, SILENCE_BLOCKS, SILENCE_DAYS, Attested, attestors
from tests.support.refusal import refused
from tests.support.shop import FAN

DOUBLE = ((0, 4), (0, 4))


def accuse(chain: Attested, place: int) -> None:
    chain.send("finality.evidence", chain.evidence(place, *DOUBLE), author=FAN, payment=Prepaid())


@pytest.mark.parametrize("links", [DOUBLE, ((4, 8), (0, 12)), ((0, 12), (4, 8))])
def test_a_liar_leaves_once_that_is_final(links: tuple[tuple[int, int], tuple[int, int]]) -> None:
    chain = Attested()
    chain.mine_to(2)
    transaction = chain.sign("finality.evidence", chain.evidence(2, *links), author=FAN, payment=Prepaid())
    assert transaction.weight <= EVIDENCE_WEIGHT
    time = chain.time
    chain.block(transaction)
    assert chain.events == (AttestorLied(KEYS[2], Height(4)),)
    assert chain.record(liar_key(KEYS[2])) == Liar(time, Height(3))
    rest = attestors(0, 1, 3)
    assert chain.finality.scheduled == (Scheduled(rest, Height(4), is_chosen=False),)
    chain.mine_to(5)
    chain.vote(0, 4, 0, 1, 2)
    chain.mine_to(9)
    assert chain.finality.number == 0
    chain.vote(4, 8, 0, 1, 3)
    chain.mine_to(11)
    assert chain.finality.number == 0, "sets change at checkpoints"
    chain.mine()
    assert (chain.finality.number, chain.finality.members, chain.finality.scheduled) == (1, rest, ())
    assert chain.finality.former == attestors(0, 1, 2, 3)
    chain.replay()


def test_what_is_refused() -> None:
    chain = Attested(0, 1)
    chain.mine()
    accuse(chain, 0)
    with refused(KNOWN_LIAR, key=KEYS[0]):
        accuse(chain, 0)
    with refused(NOT_ATTESTOR, key=KEYS[5]):
        accuse(chain, 5)
    with refused(LAST_ATTESTOR):
        accuse(chain, 1)
    assert len(chain.state.table(LIARS.prefix)) == 1


def test_votes_that_an_honest_attestor_signs_are_no_evidence() -> None:
    chain = Attested()
    chain.mine_to(9)
    for links in (((0, 4), (4, 8)), ((0, 4), (0, 8))):
        with refused(NO_CONFLICT, Malformed):
            chain.sign("finality.evidence", chain.evidence(1, *links), author=FAN, payment=Prepaid())
    for links in (((4, 4), (0, 4)), ((0, 4), (8, 4))):
        with refused(BAD_LINK, Malformed):
            chain.sign("finality.evidence", chain.evidence(1, *links), author=FAN, payment=Prepaid())


def test_a_liar_leaves_what_is_scheduled_and_what_replaces() -> None:
    chain = Attested()
    chain.mine(SILENCE_BLOCKS)
    chain.advance(days=SILENCE_DAYS)
    chain.send("finality.set_attestors", chain.choice(attestors(2, 3, 4), 0, 1, 2), author=FAN)
    chain.send("finality.replace_silent", chain.replacement(attestors(4, 5), 9, 10), author=FAN)
    chain.mine()
    holder = chain.finality.scheduled[0].holder_height
    accuse(chain, 4)
    scheduled, replacement = chain.finality.scheduled[0], chain.finality.replacement[0]
    assert (scheduled.members, scheduled.is_chosen) == (attestors(2, 3), True)
    assert scheduled.holder_height > holder, "what changed must become final first"
    assert replacement.members == attestors(5)
    with refused(LAST_ATTESTOR):
        accuse(chain, 5)
    accuse(chain, 0)
    assert chain.finality.scheduled == (scheduled,), "it is not in the set that comes"
    assert chain.record(liar_key(KEYS[0])) is not None


def test_a_former_member_can_still_be_shown_to_have_lied() -> None:
    chain = Attested()
    chain.mine()
    chain.send("finality.set_attestors", chain.choice(attestors(0, 1, 2), 0, 1, 2), author=FAN)
    chain.mine_to(5)
    chain.vote(0, 4, 0, 1, 2)
    chain.mine_to(9)
    chain.vote(4, 8, 0, 1, 2)
    chain.mine_to(12)
    assert chain.finality.number == 1
    accuse(chain, 3)
    assert chain.finality.scheduled == ()
    with refused(KNOWN_LIAR, key=KEYS[3]):
        chain.send("finality.set_attestors", chain.choice(attestors(0, 3), 0, 1, 2, number=1), author=FAN)
