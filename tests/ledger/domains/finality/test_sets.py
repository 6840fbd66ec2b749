"""Changes of the set: chosen by the set itself, or by recovery keys where it fell silent."""

from dataclasses import replace

import pytest

from ledger.domains.finality.attest import NOT_JUSTIFIED, VOTE_ORDER, WRONG_SET
from ledger.domains.finality.events import ReplacementBegun, ReplacementCancelled, SetChanged, SetChosen
from ledger.domains.finality.members import UNUSABLE_KEY
from ledger.domains.finality.replace_silent import (
    NOT_LAST_FINAL,
    NOT_SILENT,
    RECOVERY_QUORUM,
    REPLACEMENT_WAITS,
)
from ledger.domains.finality.set_attestors import CHANGE_WAITS, NOT_IN_FORCE
from ledger.domains.finality.state import NOT_ATTESTOR, Replacement
from ledger.errors import Malformed
from ledger.finality.certificates import NO_QUORUM
from ledger.params import Attestor
from ledger.transaction import BAD_ATTESTATION, Prepaid
from ledger.types import Height, PublicKey, Timestamp
from tests.support.attested import KEYS, SILENCE_BLOCKS, SILENCE_DAYS, Attested, attestors
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN

NEW = attestors(3, 4, 5, 6)


def choose(chain: Attested, *places: int, number: int = 0) -> None:
    chain.send("finality.set_attestors", chain.choice(NEW, *places, number=number), author=FAN)


def replace_silent(chain: Attested, *places: int, final: int = 0, number: int = 0) -> None:
    payload = chain.replacement(NEW, *places, final=final, number=number)
    chain.send("finality.replace_silent", payload, author=FAN)


def changed_chain() -> Attested:
    """Set 1 is in force from height 12 on; 4 is final, 8 justified by set 0."""
    chain = Attested()
    chain.mine_to(2)
    choose(chain, 0, 1, 2)
    assert chain.events == (SetChosen(NEW, Height(4)),)
    chain.mine_to(5)
    chain.vote(0, 4, 0, 1, 2)
    chain.mine_to(9)
    chain.vote(4, 8, 0, 1, 2)
    chain.mine_to(12)
    assert SetChanged(1, NEW, replaces_silent=False, since_height=Height(12)) in chain.events
    chain.mine()
    return chain


def test_the_first_link_across_needs_both_sets() -> None:
    chain = changed_chain()
    with refused(WRONG_SET, found=0, expected=1):
        chain.vote(8, 12, 0)
    chain.vote(8, 12, 3, 4, 5, 6, number=1)
    assert chain.justified == [4, 8], "the new set alone"
    chain.vote(8, 12, 0, number=1)
    assert chain.justified == [4, 8], "half of the old set"
    chain.vote(8, 12, 1, number=1)
    assert chain.justified == [8, 12]
    chain.mine_to(17)
    with refused(NOT_ATTESTOR, key=KEYS[0]):
        chain.vote(12, 16, 0, number=1)
    chain.vote(12, 16, 3, 4, 5, number=1)
    assert chain.justified == [12, 16]
    chain.replay()


def test_a_checkpoint_below_the_change_is_still_the_former_sets() -> None:
    chain = Attested()
    chain.mine_to(2)
    choose(chain, 0, 1, 2)
    chain.mine_to(5)
    chain.vote(0, 4, 0, 1, 2)
    chain.mine_to(9)
    chain.vote(4, 8, 0, 1, 2)
    chain.mine_to(13)
    assert chain.finality.number == 1
    chain.vote(4, 8, 3)
    found = chain.votes_for(8)
    assert found is not None
    assert len(found.votes) == 4
    with refused(WRONG_SET):
        chain.vote(4, 8, 4, number=1)


def test_a_change_waits_for_its_checkpoint_to_be_final() -> None:
    chain = Attested()
    chain.mine_to(4)
    choose(chain, 0, 1, 3)
    assert chain.finality.scheduled[0].holder_height == 8
    chain.mine_to(5)
    chain.vote(0, 4, 0, 1, 2)
    chain.mine_to(9)
    chain.vote(4, 8, 0, 1, 2)
    chain.mine_to(13)
    assert chain.finality.number == 0, "4 is final, and 8 holds the change"


def test_who_may_choose() -> None:
    chain = Attested()
    chain.mine()
    with refused(NOT_IN_FORCE, found=1, expected=0):
        choose(chain, 0, 1, 2, number=1)
    with refused(NOT_ATTESTOR, key=KEYS[7]):
        choose(chain, 0, 1, 2, 7)
    with refused(NO_QUORUM, found=2, total=4):
        choose(chain, 0, 1)
    payload = chain.choice(NEW, 0, 1, 2)
    with refused(BAD_ATTESTATION):
        chain.send("finality.set_attestors", replace(payload, members=attestors(7)), author=FAN)
    choose(chain, 0, 1, 2)
    with refused(CHANGE_WAITS, holder=4):
        choose(chain, 0, 1, 2)


def test_what_evidence_left_is_replaced_by_what_is_chosen() -> None:
    chain = Attested()
    chain.mine()
    chain.send("finality.evidence", chain.evidence(0, (0, 4), (0, 4)), author=FAN, payment=Prepaid())
    choose(chain, 0, 1, 2)
    assert chain.finality.scheduled[0].members == NEW


@pytest.mark.parametrize("kind", ["finality.set_attestors", "finality.replace_silent"])
def test_members_and_approvals_are_in_order_and_usable(kind: str) -> None:
    chain = Attested()
    chain.mine()
    payload = chain.choice(NEW, 0, 1) if kind == "finality.set_attestors" else chain.replacement(NEW, 9, 10)
    for bad in (NEW[::-1], NEW[:1] * 2):
        with refused(VOTE_ORDER, Malformed, what="members"):
            chain.sign(kind, replace(payload, members=bad), author=FAN)
    with refused(UNUSABLE_KEY, Malformed):
        chain.sign(kind, replace(payload, members=(Attestor(PublicKey(bytes(32)), 1),)), author=FAN)
    with refused(VOTE_ORDER, Malformed, what="approvals"):
        chain.sign(kind, replace(payload, approvals=payload.approvals[::-1]), author=FAN)


def silent_chain() -> Attested:
    chain = Attested()
    chain.mine(SILENCE_BLOCKS)
    chain.advance(days=SILENCE_DAYS)
    return chain


def test_a_silent_set_is_replaced_after_its_time_and_as_long_again() -> None:
    chain = silent_chain()
    time = chain.time
    replace_silent(chain, 9, 11)
    effective_at = Timestamp(time + SILENCE_DAYS * DAY_SECONDS)
    assert chain.finality.replacement == (Replacement(NEW, effective_at),)
    assert chain.events == (ReplacementBegun(NEW, effective_at),)
    with refused(REPLACEMENT_WAITS):
        replace_silent(chain, 9, 10)
    chain.advance(seconds=effective_at - chain.time - 2)
    chain.mine_to(((chain.height + 3) // 4) * 4 - 1)
    number = chain.finality.number
    while chain.height % 4:
        chain.mine()
    chain.mine()
    assert (number, chain.finality.number) == (0, 1)
    assert chain.finality.replaces_silent
    since = chain.finality.since_height
    chain.mine()
    chain.vote(0, since, 3, 4, 5, number=1)
    assert chain.justified == [0, since], "nobody waits for the silent ones"
    with refused(NOT_ATTESTOR, key=KEYS[0]):
        chain.vote(0, since, 0, number=1)
    chain.replay()


def test_any_quorum_of_the_old_set_cancels_the_replacement() -> None:
    chain = silent_chain()
    replace_silent(chain, 9, 10)
    effective_at = chain.finality.replacement[0].effective_at
    chain.vote(0, 4, 0, 1)
    assert chain.finality.replacement
    chain.vote(0, 4, 2)
    assert not chain.finality.replacement
    assert ReplacementCancelled(effective_at) in chain.events
    with refused(NOT_SILENT):
        replace_silent(chain, 9, 10)


def test_who_may_replace_and_when() -> None:
    chain = Attested()
    chain.mine(SILENCE_BLOCKS - 3)
    with refused(NOT_IN_FORCE):
        replace_silent(chain, 9, 10, number=1)
    with refused(NOT_LAST_FINAL, height=0):
        replace_silent(chain, 9, 10, final=4)
    chain.advance(days=SILENCE_DAYS)
    with refused(NOT_SILENT, height=SILENCE_BLOCKS):
        replace_silent(chain, 9, 10)
    chain.mine()
    for places in ((9,), (0, 9), (0, 9, 10)):
        with refused(RECOVERY_QUORUM, needed=2):
            replace_silent(chain, *places)
    payload = chain.replacement(NEW, 9, 10)
    with refused(BAD_ATTESTATION):
        chain.send("finality.replace_silent", replace(payload, members=attestors(7)), author=FAN)
    replace_silent(chain, 9, 10)


def test_blocks_alone_are_no_silence() -> None:
    chain = Attested()
    chain.mine(SILENCE_BLOCKS + 5)
    with refused(NOT_SILENT):
        replace_silent(chain, 9, 10)


def test_without_recovery_keys_nobody_replaces() -> None:
    chain = Attested(recovery_keys=(), recovery_threshold=0)
    chain.mine(SILENCE_BLOCKS)
    chain.advance(days=SILENCE_DAYS)
    with refused(RECOVERY_QUORUM, found=0, needed=0):
        replace_silent(chain, 9)


def test_a_source_of_a_set_that_is_not_known_any_more() -> None:
    """Two changes later, a link from before the first one is none."""
    chain = changed_chain()
    chain.vote(8, 12, 0, 1, 2, 4, 5, 6, number=1)
    old = chain.finality.final
    chain.send("finality.set_attestors", chain.choice(attestors(4, 5, 6, 7), 4, 5, 6, number=1), author=FAN)
    chain.mine_to(17)
    chain.vote(12, 16, 3, 4, 5, number=1)
    chain.mine_to(21)
    chain.vote(16, 20, 3, 4, 5, number=1)
    chain.mine_to(25)
    assert chain.finality.number == 2
    with refused(NOT_JUSTIFIED):
        chain.vote(old.height, 24, 4, number=2)
    with refused(WRONG_SET):
        chain.vote(16, 24, 4, number=1)


def test_a_link_across_two_changes_is_none() -> None:
    """The first set was replaced before it justified anything, and its follower was replaced, too."""
    chain = silent_chain()
    replace_silent(chain, 9, 10)
    chain.advance(days=SILENCE_DAYS)
    chain.mine(5)
    assert chain.finality.number == 1
    chain.advance(days=SILENCE_DAYS, blocks=SILENCE_BLOCKS)
    replace_silent(chain, 9, 10, number=1)
    between = chain.finality.since_height
    chain.advance(days=SILENCE_DAYS)
    chain.mine(5)
    assert chain.finality.number == 2
    with refused(WRONG_SET, expected="not known any more"):
        chain.vote(0, 8, 0)
    with refused(NOT_JUSTIFIED, height=0):
        chain.vote(0, between, 3, 4, 5, number=1)
    since = chain.finality.since_height
    chain.mine()
    chain.vote(0, since, 3, 4, 5, number=2)
    assert chain.justified == [0, since]
