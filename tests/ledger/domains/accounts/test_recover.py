"""`account.recover`: words of guardians, and what enough of them start."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, exit_fee
from ledger.domains.accounts.recover import (
    APPROVED_ALREADY,
    COOL_DOWN,
    NOT_A_GUARDIAN,
    RECOVER,
    SAME_POLICY,
    UNDER_WAY,
    Recover,
    RecoveryApproved,
    RecoveryStarted,
)
from ledger.domains.accounts.recovery import RECOVERING, AccountRecovered, check_not_recovering
from ledger.domains.accounts.set_guardians import NO_GUARDIANS
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import Recovery, account_key, guardianship_key
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.params import (
    GUARDIAN_APPROVAL_SECONDS,
    RECOVERY_BLOCKS_MIN,
    RECOVERY_COMPLETE_SECONDS,
    RECOVERY_COOL_DOWN_SECONDS,
)
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.transition import WRONG_POLICY
from ledger.types import Amount, Hash, Height, Timestamp
from tests.support.guarded import (
    DELAY_DAYS,
    GUARDIANS,
    NEW_KEYS,
    PAYMENT,
    RECOVERED,
    account_of,
    approve,
    cancel,
    days,
    guard,
    guardianship_of,
    pass_delay,
    set_guardians,
    start,
)
from tests.support.memory_chain import Scenario, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, POOR, STRANGER, TILL, Shop

FIRST, SECOND, THIRD = GUARDIANS
WANTED = Hash(NEW_KEYS.policy.hash)
OTHER_KEYS = Signer.named("other keys")


def test_enough_words_start_a_recovery(chain: Scenario) -> None:
    guard(chain)
    approve(chain, SECOND)
    said = chain.mined[-1].context.time
    assert guardianship_of(chain).approvals == ((1, WANTED, said),)
    assert chain.events == (RecoveryApproved(FAN.address, SECOND.address, WANTED, 1, 2),)
    assert chain.events[0].subjects() == (FAN.address, SECOND.address, WANTED)
    approve(chain, FIRST)
    context = chain.mined[-1].context
    effective_at = Timestamp(context.time + days(DELAY_DAYS))
    effective_height = Height(context.height + RECOVERY_BLOCKS_MIN)
    found = guardianship_of(chain)
    assert found.recovery == (
        Recovery(
            WANTED,
            context.time,
            effective_at,
            effective_height,
            Timestamp(effective_at + RECOVERY_COMPLETE_SECONDS),
            Height(effective_height + RECOVERY_BLOCKS_MIN),
        ),
    )
    assert (found.approvals, found.prepaid) == ((), exit_fee(chain.params))
    started = RecoveryStarted(FAN.address, WANTED, effective_at, effective_height)
    assert chain.events == (RecoveryApproved(FAN.address, FIRST.address, WANTED, 2, 2), started)
    assert started.subjects() == (FAN.address, WANTED)


def test_the_new_keys_govern_the_account_after_the_delay_and_not_before(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    effective_at = guardianship_of(chain).recovery[0].effective_at
    chain.advance(blocks=RECOVERY_BLOCKS_MIN - 1)
    chain.block(time=effective_at - 1)
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.send("transfer", PAYMENT, author=RECOVERED)
    chain.block(time=effective_at)
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.send("transfer", PAYMENT, author=FAN)
    assert account_of(chain).policy_hash == b"", "nothing is written until the account signs"
    chain.send("transfer", PAYMENT, author=RECOVERED)
    assert chain.events[0] == AccountRecovered(FAN.address, WANTED)
    assert chain.events[0].subjects() == (FAN.address, WANTED)
    assert account_of(chain).policy_hash == WANTED
    found = guardianship_of(chain)
    assert (found.recovery, found.prepaid, found.failures, found.not_before) == ((), 0, 0, 0)
    chain.send("transfer", PAYMENT, author=RECOVERED)
    assert not any(isinstance(event, AccountRecovered) for event in chain.events)


def test_an_outage_does_not_eat_the_blocks(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    last = guardianship_of(chain).recovery[0].effective_height - 1
    chain.block(time=chain.time + days(40))
    chain.mine(last - chain.height)
    assert chain.height == last
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.execute(chain.sign("transfer", PAYMENT, author=RECOVERED))
    cancel(chain)
    assert guardianship_of(chain).failures == 1


def test_the_blocks_of_an_outage_are_counted_to_the_last_one(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    recovery = guardianship_of(chain).recovery[0]
    chain.block(time=recovery.expires_at)
    chain.mine(recovery.effective_height - chain.height)
    chain.execute(chain.sign("transfer", PAYMENT, author=RECOVERED))
    chain.mine(recovery.expires_height - 1 - chain.height)
    chain.execute(chain.sign("transfer", PAYMENT, author=RECOVERED))
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.execute(chain.sign("transfer", PAYMENT, author=FAN))
    chain.mine()
    assert chain.height == recovery.expires_height
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.execute(chain.sign("transfer", PAYMENT, author=RECOVERED))
    chain.send("transfer", PAYMENT, author=FAN)


def test_a_recovery_that_is_completed_forgives_earlier_failures(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    cancel(chain)
    chain.block(time=guardianship_of(chain).not_before)
    start(chain)
    assert guardianship_of(chain).failures == 1
    pass_delay(chain)
    chain.send("transfer", PAYMENT, author=RECOVERED)
    found = guardianship_of(chain)
    assert (found.failures, found.not_before) == (0, 0)


def test_an_account_without_guardians_is_not_being_recovered(chain: Scenario) -> None:
    check_not_recovering(Overlay(chain.state), FAN.address)


def test_a_cosigner_completes_a_recovery_too(shop: Shop) -> None:
    chain = shop.chain
    set_guardians(chain, FRIEND, STRANGER, author=TILL)
    for guardian in (FRIEND, STRANGER):
        approve(chain, guardian, account=TILL)
    pass_delay(chain)
    payload, till = MemberJoin(shop.program, TILL.address), TILL.governed_by(NEW_KEYS)
    chain.send("member.join", payload, author=FAN, payment=shop.sponsored, cosigners=(till,))
    assert account_of(chain, TILL).policy_hash == WANTED


def test_keys_that_are_nobodys_give_the_account_back(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    recovery = guardianship_of(chain).recovery[0]
    pass_delay(chain)
    chain.advance(blocks=RECOVERY_BLOCKS_MIN)
    chain.block(time=recovery.expires_at - 1)
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.send("transfer", PAYMENT, author=FAN)
    chain.block(time=recovery.expires_at)
    locked = chain.state.chain.locked
    chain.send("transfer", PAYMENT, author=FAN)
    found = guardianship_of(chain)
    assert (found.recovery, found.failures) == ((), 1)
    assert found.not_before == recovery.expires_at + RECOVERY_COOL_DOWN_SECONDS
    assert chain.state.chain.locked == locked - exit_fee(chain.params)
    assert account_of(chain).policy_hash == b""


def test_a_guardians_word_writes_a_lapsed_recovery_down(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    pass_delay(chain)
    with refused(UNDER_WAY, account=FAN.address):
        approve(chain, FIRST, to=OTHER_KEYS)
    chain.advance(blocks=RECOVERY_BLOCKS_MIN)
    chain.block(time=guardianship_of(chain).recovery[0].expires_at + RECOVERY_COOL_DOWN_SECONDS - 1)
    with refused(COOL_DOWN, account=FAN.address):
        approve(chain, FIRST, to=OTHER_KEYS)
    chain.mine()
    approve(chain, FIRST, to=OTHER_KEYS)
    found = guardianship_of(chain)
    assert (found.recovery, found.failures, len(found.approvals)) == ((), 1, 1)


def test_words_that_differ_start_nothing_and_a_later_word_replaces_the_earlier(chain: Scenario) -> None:
    guard(chain)
    approve(chain, FIRST)
    approve(chain, SECOND, to=OTHER_KEYS)
    assert guardianship_of(chain).recovery == ()
    with refused(APPROVED_ALREADY, guardian=SECOND.address):
        approve(chain, SECOND, to=OTHER_KEYS)
    approve(chain, SECOND)
    assert guardianship_of(chain).recovery[0].policy_hash == WANTED


def test_who_changes_its_mind_and_back_again_has_one_word(chain: Scenario) -> None:
    guard(chain)
    for keys in (NEW_KEYS, OTHER_KEYS, NEW_KEYS):
        approve(chain, SECOND, to=keys)
    found = guardianship_of(chain)
    assert (found.recovery, found.approvals) == ((), ((1, WANTED, chain.mined[-1].context.time),))
    approve(chain, FIRST)
    assert guardianship_of(chain).recovery


def test_a_word_counts_for_thirty_days(chain: Scenario) -> None:
    guard(chain)
    approve(chain, FIRST)
    said = guardianship_of(chain).approvals[0][2]
    chain.block(time=said + GUARDIAN_APPROVAL_SECONDS)
    approve(chain, SECOND)
    found = guardianship_of(chain)
    assert (found.recovery, [place for place, _, _ in found.approvals]) == ((), [1])
    chain.block(time=found.approvals[0][2] + GUARDIAN_APPROVAL_SECONDS - 1)
    approve(chain, FIRST)
    assert guardianship_of(chain).recovery


def test_only_guardians_of_a_guarded_account_are_heard(chain: Scenario) -> None:
    with refused(NO_GUARDIANS, account=FAN.address):
        approve(chain, FRIEND)
    guard(chain)
    with refused(NOT_A_GUARDIAN, guardian=OWNER.address, account=FAN.address):
        approve(chain, OWNER)


def test_a_recovery_needs_other_keys(chain: Scenario) -> None:
    guard(chain)
    with refused(SAME_POLICY, account=FAN.address):
        approve(chain, FIRST, to=FAN)
    chain.send("account.set_policy", SetPolicy(NEW_KEYS.policy), author=FAN)
    with refused(SAME_POLICY):
        approve(chain, FIRST)
    approve(chain, FIRST, to=FAN)


def test_who_brings_the_last_word_prepays_the_cancelling(chain: Scenario) -> None:
    set_guardians(chain, POOR, FRIEND)
    approve(chain, FRIEND)
    draft = chain.sign("account.recover", Recover(FAN.address, WANTED), author=POOR)
    short = draft.weight * chain.params.fee_rate_min + exit_fee(chain.params) - 1
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(short)), author=OWNER)
    with refused(INSUFFICIENT, needed=exit_fee(chain.params)):
        approve(chain, POOR)
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(1_000)), author=OWNER)
    approve(chain, POOR)
    assert guardianship_of(chain).prepaid == exit_fee(chain.params)


def test_what_goes_out_waits_and_what_protects_the_fan_does_not(shop: Shop) -> None:
    chain = shop.chain
    shop.join(FAN)
    shop.earn(FAN, 500)
    reward, campaign = shop.list_reward(), shop.create_campaign()
    chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
    hold = shop.redeem(FAN, reward)
    guard(chain)
    start(chain)
    recovery = guardianship_of(chain).recovery[0]
    waits = {"effective_at": recovery.effective_at, "effective_height": recovery.effective_height}
    for payload in (PAYMENT, Transfer(ToPool(shop.program), Amount(5_000))):
        with refused(RECOVERING, **waits):
            chain.send("transfer", payload, author=FAN)
    with refused(RECOVERING, **waits):
        shop.pledge(FAN, campaign, 50)
    with refused(RECOVERING, **waits):
        chain.send("account.set_policy", SetPolicy(NEW_KEYS.policy), author=FAN)
    shop.redeem(FAN, reward)
    chain.send("redeem.cancel", RedeemCancel(hold), author=FAN, payment=Prepaid())
    chain.send("consent.revoke", ConsentRevoke(shop.program, PUBLISH, ""), author=FAN, payment=Prepaid())
    chain.send("transfer", replace(PAYMENT, recipient=ToAccount(FAN.address)), author=FRIEND)
    chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    pass_delay(chain)
    chain.send("transfer", PAYMENT, author=RECOVERED)


def test_a_guardian_whose_own_account_is_recovered_may_still_speak(chain: Scenario) -> None:
    guard(chain)
    set_guardians(chain, OWNER, FAN, author=FIRST)
    for guardian in (OWNER, FAN):
        approve(chain, guardian, account=FIRST, to=OTHER_KEYS)
    start(chain)
    assert guardianship_of(chain).recovery and guardianship_of(chain, FIRST).recovery


@pytest.mark.parametrize("count", [1, 2])
def test_recovered_accounts_are_recovered_again(chain: Scenario, count: int) -> None:
    guard(chain)
    keys = [NEW_KEYS, OTHER_KEYS]
    for new in keys[:count]:
        for guardian in (FIRST, THIRD):
            approve(chain, guardian, to=new)
        pass_delay(chain)
        chain.send("transfer", PAYMENT, author=FAN.governed_by(new))
    assert account_of(chain).policy_hash == keys[count - 1].policy.hash
    assert chain.state.chain.locked == 2 * chain.params.record_deposit


def test_reads_names_the_records() -> None:
    expected = (account_key(TILL.address), account_key(FAN.address), guardianship_key(FAN.address))
    assert RECOVER.reads(TILL.address, Recover(FAN.address, WANTED)) == expected
