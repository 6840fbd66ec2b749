"""What members, brands and creators may do on a chain, at random: every kind of transaction, valid or not, and days that pass.

All of it is drawn from one seeded generator and from what the chain records, never from what happened on another branch.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ledger.domains.accounts.cancel_recovery import CancelRecovery
from ledger.domains.accounts.recover import Recover
from ledger.domains.accounts.recovery import policy_in_force
from ledger.domains.accounts.set_guardians import SetGuardians
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import GUARDIANSHIPS, Guardians, account_key, guardianship_key
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PERSONALISE, PUBLISH
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.state import CAMPAIGNS, OPEN
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.earn import Earn, OpenEntry, SealedEntry
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points_transfer import PointsTransfer
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash, seal_sum, sum_leaf
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.state import SCOPES_ALL, RatePerAmount, RollingExpiry, SlidingExpiry, member_key
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.redeem_refund import RedeemRefund
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import ALWAYS, FULFILMENTS, HOLDS, NO_LIMIT, REWARDS, Limit, Window
from ledger.errors import RuleViolation
from ledger.hashing import object_id
from ledger.params import Params
from ledger.transaction import Payment, Prepaid, Transaction
from ledger.types import (
    Address,
    Amount,
    CampaignId,
    FulfilmentId,
    Hash,
    HoldId,
    Points,
    ReceiptHash,
    RewardId,
    Timestamp,
)
from tests.support.branching_chain import BranchingChain
from tests.support.contests import NOTHING, Settled, sign
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.returns import reversal, take_return
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER, POOL, POOR, STRANGER, TILL, Shop, make_terms, some_hash

PEOPLE = (FAN, FRIEND, POOR, STRANGER)
STEPS_SECONDS = (1, 60, 60, 60, 60, 60, 600, 3_600, 3_600, 12 * 3_600, DAY_SECONDS, 3 * DAY_SECONDS)
"""How much later the next block is: most are a minute apart, and now and then days pass."""
TERMS: dict[str, Any] = {
    "expiry": RollingExpiry(6),
    "hold_seconds": 12 * 3_600,
    "notice_days": 1,
    "activation_delay_days": 0,
    "adjust_day_max": Points(200),
    "transfer_day_max": Points(100),
    "referral": ReferralBonus(Points(5), Points(3)),
    "refund_days": 2,
    "issuance_cap": Points(1_000_000),
    "collateral": Amount(777),
}
LIMITS = (NO_LIMIT, Limit(3, 0, 0), Limit(0, 2, 2), Limit(5, 2, 1))
KEYS = {
    signer.policy.hash: signer
    for person in PEOPLE
    for signer in (
        Signer.named(f"{person.address.hex()} key {number}", threshold=1 + number % 2, keys_count=2)
        for number in range(3)
    )
}
"""What an account's policy may have been changed to."""


class BranchingShop(Shop):
    """A shop on a chain that branches."""

    chain: BranchingChain

    def __init__(self, params: Params) -> None:
        self.chain = BranchingChain(*FUNDED, params=params)
        self.program = self.create_program(OWNER, **TERMS)
        self.fill_pool(POOL)
        self.grant(TILL)


class RandomLife:
    """Makes blocks on a shop's chain."""

    def __init__(self, rng: random.Random, shop: BranchingShop) -> None:
        self.rng, self.shop, self.chain = rng, shop, shop.chain
        self._waiting: list[Transaction] = []
        self._seen: list[Transaction] = []
        self._bought: list[tuple[Signer, SignedReceipt, Settled, Hash]] = []
        self._actions: tuple[Callable[[], None], ...] = (
            self._join,
            self._join,
            self._leave,
            self._settle,
            self._settle,
            self._settle_openly,
            self._consent,
            self._consent,
            self._list_reward,
            self._update_reward,
            self._redeem,
            self._redeem,
            self._end_hold,
            self._end_hold,
            self._refund,
            self._create_campaign,
            self._pledge,
            self._pledge,
            self._update_program,
            self._change_till,
            self._adjust,
            self._give,
            self._give,
            self._buy,
            self._buy,
            self._return,
            self._return,
            self._end_program,
            self._change_keys,
            self._name_guardians,
            self._recover,
            self._recover,
            self._cancel_recovery,
            self._transfer,
            self._transfer,
            self._send_again,
            self._send_again,
        )  # fmt: skip - one line for each would be a page

    def grow(self, blocks: int) -> None:
        """Make so many blocks with a few transactions each."""
        for _ in range(blocks):
            for _ in range(self.rng.choice((0, 1, 2, 4, 7))):
                self.rng.choice(self._actions)()
            self.chain.block(*self._waiting, time=self.chain.time + self.rng.choice(STEPS_SECONDS))
            self._seen.extend(self._waiting)
            self._waiting.clear()

    # --- offering ---

    def _offer(self, kind: str, payload: Any, author: Signer, payment: Payment | None = None, **options: Any) -> None:
        transaction = self.chain.sign(kind, payload, author=self._signer(author), payment=payment, **options)
        self._offer_signed(transaction)

    def _offer_signed(self, transaction: Transaction) -> None:
        """Put a transaction into the next block, if it is valid there."""
        try:
            self.chain.execute(*self._waiting, transaction)
        except RuleViolation:
            return
        self._waiting.append(transaction)

    def _signer(self, person: Signer) -> Signer:
        """Who signs for an account now."""
        account = self.chain.record(account_key(person.address))
        if account is None:
            return person
        guardianship = self.chain.record(guardianship_key(person.address))
        context = self.chain.context
        changed = KEYS.get(policy_in_force(person.address, account, guardianship, context.time, context.height))
        return person if changed is None else person.governed_by(changed)

    def _person(self) -> Signer:
        return self.rng.choice(PEOPLE)

    def _sponsored(self) -> Payment | None:
        return self.rng.choice((None, self.shop.sponsored))

    def _pick(self, prefix: bytes) -> Any:
        """The key of some record of a table, without the prefix; None if there is none."""
        keys = sorted(self.chain.state.table(prefix))
        return self.rng.choice(keys)[1:] if keys else None

    # --- what they do ---

    def _join(self) -> None:
        with_till = self.rng.random() < 0.7
        referrer = self._person().address if self.rng.random() < 0.3 else Address(b"")
        issuer = TILL.address if with_till else Address(b"")
        payload = MemberJoin(self.shop.program, issuer, referrer, self.rng.random() < 0.5)
        payment = self.shop.sponsored if with_till else None
        self._offer("member.join", payload, self._person(), payment, cosigners=(TILL,) if with_till else ())

    def _leave(self) -> None:
        if self.rng.random() < 0.4:
            self._offer("member.leave", MemberLeave(self.shop.program), self._person(), Prepaid())

    def _settle(self) -> None:
        day = self.shop.today
        entries = [
            self.shop.entry(self._person(), self.rng.randrange(1, 400), period=day - self.rng.randrange(3))
            for _ in range(self.rng.randrange(1, 5))
        ]
        self._offer("earn", Earn(self.shop.program, tuple(entries)), TILL)

    def _settle_openly(self) -> None:
        receipt = ReceiptHash(some_hash("open", self.rng.random().hex()))
        net = self.rng.randrange(5_000)
        entry = OpenEntry(self._person().address, self.shop.today, receipt, 1, self.shop.now, net, 0)
        self._offer("earn", Earn(self.shop.program, (entry,)), TILL)

    def _consent(self) -> None:
        program, purpose, fan = self.shop.program, self.rng.choice((PUBLISH, PERSONALISE)), self._person()
        if self.rng.random() < 0.6:
            until = Timestamp(self.rng.choice((0, self.shop.now + 2 * DAY_SECONDS)))
            self._offer("consent.grant", ConsentGrant(program, purpose, "", until), fan)
        else:
            self._offer("consent.revoke", ConsentRevoke(program, purpose, ""), fan, Prepaid())

    def _list_reward(self) -> None:
        price, stock = Points(self.rng.randrange(5, 60)), self.rng.randrange(1, 9)
        limit, window = self.rng.choice(LIMITS), self._window()
        self._offer("reward.list", RewardList(self.shop.program, "Tea", price, stock, 100, limit, window), OWNER)

    def _window(self) -> Window:
        """Mostly always open; at times it closes in some days."""
        closes = Timestamp(self.shop.now + self.rng.randrange(1, 9) * DAY_SECONDS)
        return self.rng.choice((ALWAYS, ALWAYS, Window(Timestamp(0), closes)))

    def _update_reward(self) -> None:
        found = self._pick(REWARDS.prefix)
        if found is not None:
            price, stock = Points(self.rng.randrange(5, 60)), self.rng.randrange(-4, 9)
            payload = RewardUpdate(
                self.shop.program,
                RewardId(found[-32:]),
                price,
                stock,
                self.rng.random() < 0.8,
                self.rng.choice(LIMITS),
                self._window(),
            )
            self._offer("reward.update", payload, OWNER)

    def _redeem(self) -> None:
        found = self._pick(REWARDS.prefix)
        if found is not None:
            payload = Redeem(self.shop.program, RewardId(found[-32:]), self.rng.randrange(1, 3), Points(1_000))
            self._offer("redeem", payload, self._person(), self._sponsored())

    def _end_hold(self) -> None:
        found = self._pick(HOLDS.prefix)
        if found is not None and self.rng.random() < 0.7:
            self._offer("redeem.fulfil", RedeemFulfil(HoldId(found), self.rng.randrange(1, 3)), TILL)
        elif found is not None:
            self._offer("redeem.cancel", RedeemCancel(HoldId(found)), OWNER, Prepaid())

    def _refund(self) -> None:
        found = self._pick(FULFILMENTS.prefix)
        if found is not None:
            self._offer("redeem.refund", RedeemRefund(FulfilmentId(found), 1), TILL)

    def _create_campaign(self) -> None:
        unit = self.rng.choice((CoinUnit(), PointsUnit(self.shop.program)))
        deadline = Timestamp(self.shop.now + self.rng.choice((1, 2)) * DAY_SECONDS)
        self._offer("campaign.create", CampaignTerms("Lamp", unit, self.rng.choice((40, 10**6)), deadline, ()), OWNER)

    def _pledge(self) -> None:
        campaigns = self.chain.state.table(CAMPAIGNS.prefix)
        still_open = [key[1:] for key, campaign in sorted(campaigns.items()) if campaign.status == OPEN]
        if still_open:
            payload = PledgeMake(CampaignId(self.rng.choice(still_open)), self.rng.randrange(1, 60), 0)
            self._offer("pledge", payload, self._person(), self._sponsored())

    def _update_program(self) -> None:
        latest = max(version for version, _ in self.shop.terms_of_program.versions)
        rules = (RatePerAmount(Points(1), self.rng.randrange(5, 20)),)
        kind = self.rng.choice((RollingExpiry, SlidingExpiry))
        terms = replace(make_terms(**TERMS), rules=rules, expiry=kind(self.rng.randrange(4, 9)))
        self._offer("program.update", ProgramUpdate(self.shop.program, latest, terms), OWNER)

    def _change_till(self) -> None:
        program = self.shop.program
        if self.rng.random() < 0.5:
            self._offer("issuer.revoke", IssuerRevoke(program, TILL.address), OWNER)
        cap = Points(self.rng.randrange(500, 5_000))
        self._offer("issuer.grant", IssuerGrant(program, TILL.address, SCOPES_ALL, cap), OWNER)

    def _adjust(self) -> None:
        payload = Adjust(self.shop.program, self._person().address, Points(self.rng.randrange(1, 150)), "apology")
        self._offer("adjust", payload, self.rng.choice((OWNER, TILL)))

    def _give(self) -> None:
        payload = PointsTransfer(self.shop.program, self._person().address, Points(self.rng.randrange(1, 60)))
        self._offer("points.transfer", payload, self._person(), self._sponsored())

    def _buy(self) -> None:
        """A purchase that is settled by itself."""
        fan, points = self._person(), self.rng.randrange(1, 300)
        bought = sign(self.shop, fan, sequence=len(self._bought), points=points)
        found = receipt_hash(bought.receipt, bought.salt)
        salt = some_hash("R", self.rng.random().hex())
        sealed = seal_sum(salt, sum_leaf(found, Points(points)))
        entry = SealedEntry(fan.address, self.shop.today, Points(points), sealed, Hash(b""))
        earn = self.chain.sign("earn", Earn(self.shop.program, (entry,)), author=TILL)
        self._offer_signed(earn)
        batch = object_id("earn", earn.txid, 0)
        member = self.chain.record(member_key(self.shop.program, fan.address))
        held = Hash(b"") if member is None else member.remainder
        self._bought.append((fan, bought, Settled(entry, (), salt, NOTHING, NOTHING, batch, ""), held))

    def _return(self) -> None:
        if self._bought:
            fan, bought, settled, held = self.rng.choice(self._bought[-20:])
            points, number = self.rng.randrange(1, 200), self.rng.randrange(3)
            signed = take_return(
                self.shop, bought, fan=fan, points=points, number=number, signers=(TILL, self._signer(fan))
            )
            payload = reversal(settled, signed, self.rng.randrange(1, points + 1), before=held)
            self._offer("reverse", payload, self.rng.choice((OWNER, TILL)))

    def _end_program(self) -> None:
        if self.rng.random() < 0.05:
            end = Timestamp(self.shop.now + self.rng.randrange(1, 20) * DAY_SECONDS)
            self._offer("program.sunset", ProgramSunset(self.shop.program, end), OWNER)

    def _change_keys(self) -> None:
        person = self._person()
        policy = self.rng.choice([key.policy for key in KEYS.values()])
        self._offer("account.set_policy", SetPolicy(policy), person)

    def _name_guardians(self) -> None:
        person, count = self._person(), self.rng.randrange(3)
        others = [other.address for other in PEOPLE if other is not person]
        named = tuple(sorted(self.rng.sample(others, count)))
        guardians = (Guardians(self.rng.randrange(1, count + 1), named, 1),) if named else ()
        self._offer("account.set_guardians", SetGuardians(guardians), person)

    def _recover(self) -> None:
        found = self._pick(GUARDIANSHIPS.prefix)
        if found is not None:
            addresses = self.chain.record(guardianship_key(Address(found))).guardians.addresses
            chosen = self.rng.choice(addresses)
            guardian = next(person for person in PEOPLE if person.address == chosen)
            keys = self.rng.choice(sorted(KEYS)[:2])
            self._offer("account.recover", Recover(Address(found), keys), guardian)

    def _cancel_recovery(self) -> None:
        found = self._pick(GUARDIANSHIPS.prefix)
        record = None if found is None else self.chain.record(guardianship_key(Address(found)))
        if record is not None and record.recovery and self.rng.random() < 0.4:
            person = next(person for person in PEOPLE if person.address == found)
            self._offer("account.cancel_recovery", CancelRecovery(record.recovery[0].policy_hash), person, Prepaid())

    def _transfer(self) -> None:
        to = self.rng.choice((ToAccount(self._person().address), ToPool(self.shop.program)))
        amount = Amount(self.rng.choice((2_000, 50_000, 10**9, 4 * 10**11)))
        self._offer("transfer", Transfer(to, amount), self._person())

    def _send_again(self) -> None:
        """What stood in a block of this branch or another."""
        if self._seen:
            self._offer_signed(self.rng.choice(self._seen[-40:]))


def grow_tree(seed: int, params: Params, *, trunk: int, forks: int, length_max: int) -> BranchingShop:
    """A shop's life with branches that begin anywhere, also on each other, most of them near the end of the longest."""
    rng = random.Random(seed)
    shop = BranchingShop(params)
    life = RandomLife(rng, shop)
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 400)
    shop.list_reward(price=20)
    life.grow(trunk)
    for _ in range(forks):
        twigs = list(shop.chain.twigs.values())
        highest = max(twig.height for twig in twigs)
        from_height = rng.choice((highest - 2, highest - length_max // 2, highest - length_max, 1))
        near = [twig for twig in twigs if from_height <= twig.height and twig.height >= 8]
        shop.chain.go_to(rng.choice(near or twigs[8:]).block.hash)
        life.grow(rng.randrange(1, length_max + 1))
    return shop
