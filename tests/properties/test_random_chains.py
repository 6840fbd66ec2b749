"""Random members, brands and blocks, with blocks taken back in between: what must hold whatever anybody does.

Every block is undone and done again by `Scenario` itself, and every rejected transaction is seen to leave nothing behind.
"""

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PUBLISH
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.state import CAMPAIGNS, DONE, PLEDGES
from ledger.domains.crowdfunding.terms import CoinUnit
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.books import Books, security
from ledger.domains.loyalty.earn import Earn, OpenEntry, SealedEntry
from ledger.domains.loyalty.earn_answer_contest import EarnAnswerContest, OpenedRemainder, SealedAnswer
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points_transfer import PointsTransfer
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash, seal_sum, sum_leaf
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.returns import RETURNS
from ledger.domains.loyalty.state import (
    BATCHES,
    BOOKS,
    CONTESTS,
    DAYS,
    GRANTS,
    MEMBERS,
    NEVER,
    OPEN,
    SCOPES_ALL,
    CalendarExpiry,
    Expiry,
    PeriodCap,
    RatePerAmount,
    RollingExpiry,
    SlidingExpiry,
    TierMultiplier,
)
from ledger.domains.offers.offer_issue import OfferIssue
from ledger.domains.offers.offer_reverse import OfferReverse
from ledger.domains.offers.offer_settle import OfferSettle
from ledger.domains.offers.terms import PersonalOffer
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import HOLDS, REWARDS
from ledger.errors import RuleViolation
from ledger.hashing import object_id
from ledger.invariants import check_books
from ledger.params import CONTEST_ANSWER_BLOCKS_MIN, CONTEST_ANSWER_SECONDS
from ledger.supply import BUCKETS
from ledger.transaction import OwnFee, Payment, Prepaid
from ledger.types import (
    Address,
    Amount,
    CampaignId,
    ContestId,
    Hash,
    HoldId,
    Points,
    ReceiptHash,
    RewardId,
    Timestamp,
)
from tests.support.backing import check_backing
from tests.support.contests import NOTHING, Settled, contest_id, payload_of, sign
from tests.support.memory_chain import DAY_SECONDS, MemoryState, Signer
from tests.support.offers import (
    ANYTHING,
    BREAD,
    citation,
    cite,
    consent,
    contest_payload,
    entry_of,
    make_offer,
)
from tests.support.returns import answer_by_return, reversal, take_return
from tests.support.shop import FAN, FRIEND, OWNER, POOR, STRANGER, TILL, Shop, make_terms, some_hash

PEOPLE = (FAN, FRIEND, POOR, STRANGER)
people = st.sampled_from(PEOPLE)
amounts = st.integers(1, 500)
WAITING_MAX = 2
"""So many transactions make a block, so that much happens in few steps."""


class RandomChain(RuleBasedStateMachine):
    """One shop on one chain. A refused transaction is a normal outcome; a broken invariant is a failure."""

    @initialize(
        delay=st.integers(0, 3),
        expiry=st.integers(4, 12),
        period=st.sampled_from([0, 7]),
        offset=st.sampled_from([-300, 0, 60]),
        coin=st.sampled_from([{}, {"collateral": Amount(777)}, {"collateral": Amount(90_001)}, {"burn": Amount(333)}]),
        refund_days=st.sampled_from([0, 2]),
    )
    def open_shop(
        self, delay: int, expiry: int, period: int, offset: int, coin: dict[str, Amount], refund_days: int
    ) -> None:
        fields: dict[str, Any] = {
            "activation_delay_days": delay,
            "return_window_days": delay,
            "expiry": self.kind_of_expiry(expiry),
            "period_days": period,
            "hold_seconds": DAY_SECONDS,
            "adjust_day_max": Points(150),
            "offer_day_max": Points(400),
            "transfer_day_max": Points(90),
            "referral": ReferralBonus(Points(11), Points(7)),
            "tiers": (("silver", 500), ("gold", 2_000)),
            "tier_period_days": 28,
            "tier_grace_days": expiry,
            "issuance_cap": Points(1_000_000),
            "refund_days": refund_days,
            **coin,
        }
        self.terms = make_terms(**fields)
        self.shop = Shop(offset_minutes=offset, **fields)
        self.chain = self.shop.chain
        self.shop.join(*PEOPLE[:2])
        for newcomer, referrer in zip(PEOPLE[2:], PEOPLE, strict=False):
            payload = MemberJoin(self.shop.program, TILL.address, referrer.address, gives_back_from_all=True)
            self.chain.send("member.join", payload, author=newcomer, payment=self.shop.sponsored, cosigners=(TILL,))
        self.chain.send("consent.grant", ConsentGrant(self.shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
        self.chain.advance(days=14)
        for ago in (14, 10, 7):
            length = max(period, 1)
            entries = [self.shop.entry(fan, 60 * ago, period=(self.shop.today - ago) // length) for fan in PEOPLE]
            self.shop.settle(*entries)
            self.chain.advance(days=1)
        self.reward = self.shop.list_reward(price=10, stock=20)
        self.campaigns = [self.shop.create_campaign(in_points=flag, goal=300, days=2) for flag in (False, True)]
        for campaign in self.campaigns:
            self.shop.pledge(FAN, campaign, 50)
            self.shop.pledge(FRIEND, campaign, 20)
        self.floor = len(self.chain.mined)
        self.waiting: list[Any] = []
        self.receipts: dict[bytes, tuple[Signer, SignedReceipt]] = {}
        self.bought: list[tuple[Signer, SignedReceipt, Settled, Hash]] = []
        self.promised: list[tuple[Signer, PersonalOffer]] = []
        consent(self.shop, FAN, FRIEND)

    def offer(self, kind: str, payload: Any, *, author: Signer, payment: Payment | None = None, **options: Any) -> None:
        """Put a transaction into the next block, if it is valid there."""
        transaction = self.chain.sign(kind, payload, author=author, payment=payment, **options)
        try:
            self.chain.execute(*self.waiting, transaction)
        except RuleViolation:
            return
        self.waiting.append(transaction)
        if len(self.waiting) >= WAITING_MAX:
            self.mine(60)

    def payment(self, sponsored: bool) -> Payment | None:
        return self.shop.sponsored if sponsored else None

    @rule(fan=people, till=st.booleans())
    def join(self, fan: Signer, till: bool) -> None:
        issuer = (TILL,) if till else ()
        payload = MemberJoin(self.shop.program, TILL.address if till else Address(b""))
        self.offer("member.join", payload, author=fan, payment=self.payment(till), cosigners=issuer)

    @rule(fan=people)
    def leave(self, fan: Signer) -> None:
        self.offer("member.leave", MemberLeave(self.shop.program), author=fan, payment=Prepaid())

    @rule(entries=st.lists(st.tuples(people, st.integers(0, 200), st.integers(0, 9)), min_size=1, max_size=5))
    def settle(self, entries: list[tuple[Signer, int, int]]) -> None:
        length = max(self.terms.period_days, 1)
        sealed = [
            self.shop.entry(fan, points, period=(self.shop.today - ago) // length) for fan, points, ago in entries
        ]
        self.offer("earn", Earn(self.shop.program, tuple(sealed)), author=TILL)

    @rule(fan=people, net=st.integers(-100, 5_000))
    def settle_openly(self, fan: Signer, net: int) -> None:
        period = self.shop.today // max(self.terms.period_days, 1)
        receipt = ReceiptHash(some_hash("open", net))
        entry = OpenEntry(fan.address, period, receipt, 1, self.shop.now, net, 0)
        self.offer("earn", Earn(self.shop.program, (entry,)), author=TILL)

    @rule(fan=people, points=st.integers(0, 700), wrong=st.booleans(), number=st.integers(0, 9), how=st.integers(0, 2))
    def contest(self, fan: Signer, points: int, wrong: bool, number: int, how: int) -> None:
        """Contest one of the receipts that a till signed two weeks before, settled by nobody or in part."""
        time = Timestamp(self.shop.now - 14 * DAY_SECONDS)
        signed = sign(self.shop, fan, sequence=number, points=points, time=time)
        payment = (Prepaid(), self.shop.sponsored, None)[how]
        self.offer("earn.contest", payload_of(signed, wrong_points=wrong), author=fan, payment=payment)
        self.receipts[contest_id(signed)] = (fan, signed)

    @precondition(lambda self: self.chain.state.table(CONTESTS.prefix))
    @rule(data=st.data(), given=st.integers(0, 800))
    def answer(self, data: st.DataObject, given: int) -> None:
        """Settle a contested receipt with some points, and answer with that entry."""
        contest = data.draw(st.sampled_from(sorted(self.chain.state.table(CONTESTS.prefix))))[1:]
        fan, signed = self.receipts[contest]
        leaf = receipt_hash(signed.receipt, signed.salt)
        salt, opened = some_hash("R", given), OpenedRemainder(Hash(b""), Points(0))
        node = sum_leaf(leaf, Points(given))
        period = self.shop.today // max(self.terms.period_days, 1)
        entry = SealedEntry(fan.address, period, Points(given), seal_sum(salt, node), Hash(b""))
        earn = self.chain.sign("earn", Earn(self.shop.program, (entry,)), author=TILL)
        shown = SealedAnswer(period, Points(given), Points(given), 0, 1, (), salt, opened, opened)
        payload = EarnAnswerContest(ContestId(contest), object_id("earn", earn.txid, 0), 0, (), shown)
        try:
            self.chain.execute(*self.waiting, earn)
        except RuleViolation:
            return
        self.waiting.append(earn)
        self.offer("earn.answer_contest", payload, author=TILL)

    @rule(fan=people, points=st.integers(1, 200), by_till=st.booleans())
    def adjust(self, fan: Signer, points: int, by_till: bool) -> None:
        payload = Adjust(self.shop.program, fan.address, Points(points), "apology")
        self.offer("adjust", payload, author=TILL if by_till else OWNER)

    @rule(fan=people, points=st.integers(1, 150), by_till=st.booleans())
    def promise(self, fan: Signer, points: int, by_till: bool) -> None:
        terms = ANYTHING if points % 2 else BREAD
        offer = make_offer(self.shop, fan, points=points, number=len(self.promised), terms=terms)
        self.promised.append((fan, offer))
        self.offer("offer.issue", OfferIssue(self.shop.program, (entry_of(offer),)), author=TILL if by_till else OWNER)

    @precondition(lambda self: self.promised)
    @rule(data=st.data(), ago=st.integers(0, 14), back=st.integers(0, 150), contested=st.booleans())
    def cite(self, data: st.DataObject, ago: int, back: int, contested: bool) -> None:
        """Settle or contest a receipt that cites an offer, and take some of the bonus back."""
        fan, offer = data.draw(st.sampled_from(self.promised))
        time = Timestamp(self.shop.now - ago * DAY_SECONDS)
        signed = cite(self.shop, offer, fan, time=time, sequence=5_000)
        if contested:
            self.offer("offer.contest", contest_payload(offer, signed), author=fan, payment=Prepaid())
        else:
            period = (self.shop.today - ago) // max(self.terms.period_days, 1)
            cited = citation(self.shop, signed, period=period)
            self.offer("offer.settle", OfferSettle(self.shop.program, (cited, cited)), author=TILL)
        if back:
            shown = take_return(self.shop, signed, fan=fan, points=back)
            parts = (Points(back), shown.returned, shown.signature, shown.consent)
            self.offer("offer.reverse", OfferReverse(offer.offer_id, *parts), author=TILL)

    @rule(fan=people, friend=people, points=st.integers(1, 100), sponsored=st.booleans())
    def give(self, fan: Signer, friend: Signer, points: int, sponsored: bool) -> None:
        payload = PointsTransfer(self.shop.program, friend.address, Points(points))
        self.offer("points.transfer", payload, author=fan, payment=self.payment(sponsored))

    @rule(fan=people, points=st.integers(1, 300), back=st.integers(0, 200))
    def buy(self, fan: Signer, points: int, back: int) -> None:
        """Settle one receipt by itself, so that its entry can be cited when the purchase goes back, perhaps at once."""
        bought = sign(self.shop, fan, sequence=1_000 + len(self.bought), points=points)
        found = receipt_hash(bought.receipt, bought.salt)
        salt, node = some_hash("R", len(self.bought)), sum_leaf(found, Points(points))
        period = self.shop.today // max(self.terms.period_days, 1)
        entry = SealedEntry(fan.address, period, Points(points), seal_sum(salt, node), Hash(b""))
        self.mine(60)
        held = self.shop.member(fan).remainder
        earn = self.chain.sign("earn", Earn(self.shop.program, (entry,)), author=TILL)
        try:
            self.chain.execute(earn)
        except RuleViolation:
            return
        self.waiting.append(earn)
        settled = Settled(entry, ((found, points),), salt, NOTHING, NOTHING, object_id("earn", earn.txid, 0), "")
        self.bought.append((fan, bought, settled, held))
        if back:
            signed = take_return(self.shop, bought, fan=fan, points=back)
            self.offer("reverse", reversal(settled, signed, before=held), author=TILL)

    @precondition(lambda self: self.bought)
    @rule(data=st.data(), points=st.integers(1, 300), taken=st.integers(1, 300), number=st.integers(0, 2))
    def give_back(self, data: st.DataObject, points: int, taken: int, number: int) -> None:
        """Return a part of a purchase, perhaps twice, perhaps more of it than the entry gave."""
        fan, bought, settled, held = data.draw(st.sampled_from(self.bought))
        signed = take_return(self.shop, bought, fan=fan, points=points, number=number)
        self.offer("reverse", reversal(settled, signed, taken, before=held), author=OWNER)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), points=st.integers(1, 800))
    def answer_with_a_return(self, data: st.DataObject, points: int) -> None:
        fan, bought = data.draw(st.sampled_from(list(self.receipts.values())))
        signed = take_return(self.shop, bought, fan=fan, points=points, time=bought.receipt.time)
        self.offer("earn.answer_contest", answer_by_return(bought, signed), author=OWNER)

    @rule(days=st.integers(9, 40), rarely=st.integers(0, 4))
    def announce_the_end(self, days: int, rarely: int) -> None:
        if not rarely:
            end = Timestamp(self.shop.now + days * DAY_SECONDS)
            self.offer("program.sunset", ProgramSunset(self.shop.program, end), author=OWNER)

    @rule(fan=people, grant=st.booleans())
    def consent(self, fan: Signer, grant: bool) -> None:
        program = self.shop.program
        if grant:
            self.offer("consent.grant", ConsentGrant(program, PUBLISH, "", Timestamp(0)), author=fan)
        else:
            self.offer("consent.revoke", ConsentRevoke(program, PUBLISH, ""), author=fan, payment=Prepaid())

    @rule(fan=people, quantity=st.integers(1, 5), sponsored=st.booleans())
    def redeem(self, fan: Signer, quantity: int, sponsored: bool) -> None:
        payload = Redeem(self.shop.program, RewardId(self.reward), quantity, Points(50))
        self.offer("redeem", payload, author=fan, payment=self.payment(sponsored))

    @precondition(lambda self: self.chain.state.table(HOLDS.prefix))
    @rule(data=st.data(), fulfil=st.booleans())
    def end_hold(self, data: st.DataObject, fulfil: bool) -> None:
        holds = self.chain.state.table(HOLDS.prefix)
        hold = HoldId(data.draw(st.sampled_from(sorted(holds)))[1:])
        if fulfil:
            self.offer("redeem.fulfil", RedeemFulfil(hold, 1), author=TILL)
        else:
            self.offer("redeem.cancel", RedeemCancel(hold), author=OWNER, payment=Prepaid())

    @rule(fan=people, in_points=st.booleans(), quantity=amounts, sponsored=st.booleans())
    def pledge(self, fan: Signer, in_points: bool, quantity: int, sponsored: bool) -> None:
        payload = PledgeMake(self.campaigns[in_points], quantity, 0)
        self.offer("pledge", payload, author=fan, payment=self.payment(sponsored))

    @rule(price=st.integers(5, 20), stock=st.integers(-10, 10), listed=st.booleans())
    def update_reward(self, price: int, stock: int, listed: bool) -> None:
        payload = RewardUpdate(self.shop.program, RewardId(self.reward), Points(price), stock, listed)
        self.offer("reward.update", payload, author=OWNER)

    @staticmethod
    def kind_of_expiry(days: int) -> Expiry:
        """Rolling or sliding, by chance a named date: each kind with lots of another one beside it."""
        if days == 12:
            return CalendarExpiry(1, 31, 0)
        return SlidingExpiry(days) if days % 2 else RollingExpiry(days)

    @rule(
        per_cents=st.integers(5, 20),
        expiry=st.integers(4, 12),
        rejects=st.booleans(),
        coin=st.sampled_from([(0, 0), (500, 0), (1_001, 0), (0, 77)]),
    )
    def update_program(self, per_cents: int, expiry: int, rejects: bool, coin: tuple[int, int]) -> None:
        latest = max(version for version, _ in self.shop.terms_of_program.versions)
        rules = (
            RatePerAmount(Points(1), per_cents),
            TierMultiplier(1, 3, 2),
            PeriodCap(Points(40 * per_cents), rejects),
        )
        changed = replace(self.terms, collateral=Amount(coin[0]), burn=Amount(coin[1]))
        terms = replace(changed, rules=rules, expiry=self.kind_of_expiry(expiry), notice_days=1)
        self.offer("program.update", ProgramUpdate(self.shop.program, latest, terms), author=OWNER)

    @rule(revoke=st.booleans(), cap=st.integers(0, 1_000))
    def change_till(self, revoke: bool, cap: int) -> None:
        program = self.shop.program
        if revoke:
            self.offer("issuer.revoke", IssuerRevoke(program, TILL.address), author=TILL)
        self.offer("issuer.grant", IssuerGrant(program, TILL.address, SCOPES_ALL, Points(cap)), author=OWNER)

    @rule(sender=people, recipient=people, amount=st.integers(1, 10**12), fee=st.sampled_from([None, 10, 10**6]))
    def transfer(self, sender: Signer, recipient: Signer, amount: int, fee: int | None) -> None:
        payload = Transfer(ToAccount(recipient.address), Amount(amount))
        payment = None if fee is None else OwnFee(Amount(fee))
        self.offer("transfer", payload, author=sender, payment=payment)

    @precondition(lambda self: self.shop.books.contests_open)
    @rule()
    def let_contests_run_out(self) -> None:
        self.waiting.clear()
        self.chain.advance(seconds=CONTEST_ANSWER_SECONDS, blocks=CONTEST_ANSWER_BLOCKS_MIN)
        self.chain.mine(2)

    @rule(seconds=st.sampled_from([1, 60, 3_600, DAY_SECONDS, 3 * DAY_SECONDS]))
    def pass_time(self, seconds: int) -> None:
        self.mine(seconds)

    def mine(self, seconds: int) -> None:
        """Put what waits into a block."""
        self.chain.block(*self.waiting, time=self.chain.time + seconds)
        self.waiting.clear()

    @precondition(lambda self: len(self.chain.mined) > self.floor)
    @rule(data=st.data())
    def reorganise(self, data: st.DataObject) -> None:
        self.waiting.clear()
        self.chain.unwind(data.draw(st.integers(1, min(4, len(self.chain.mined) - self.floor))))

    @invariant()
    def coin_is_where_the_chain_record_says(self) -> None:
        chain, records = self.chain.state.chain, self.chain.state.records
        found = dict.fromkeys(BUCKETS, 0)
        for key, stored in records.items():
            record = stored.record
            if key[:1] == b"0":
                continue
            found["accounts"] += getattr(record, "balance", 0)
            found["pools"] += getattr(record, "pool", 0)
            found["locked"] += sum(getattr(record, name, 0) for name in ("deposit", "prepaid", "contest_coin"))
            found["maturing"] += sum(amount for _, amount in getattr(record, "payees", ()))
            if isinstance(record, Books):
                found["locked"] += security(record)
                found["burned"] += record.burned
        campaigns = self.chain.state.table(CAMPAIGNS.prefix).values()
        found["escrow"] = sum(campaign.escrowed for campaign in campaigns if isinstance(campaign.unit, CoinUnit))
        assert found == {bucket: getattr(chain, bucket) for bucket in BUCKETS}
        assert chain.emitted == sum(found.values())

    @invariant()
    def what_stands_behind_points_is_put_aside(self) -> None:
        check_backing(self.chain.state)

    @invariant()
    def contests_claim_what_the_reserve_has_set_aside(self) -> None:
        books = self.shop.books
        still_open = [found for found in self.chain.state.table(CONTESTS.prefix).values() if found.outcome == OPEN]
        assert books.contests_open == len(still_open)
        claimed = sum(found.points for found in still_open)
        assert books.contest_points_locked == books.contest_points + claimed + books.contest_points_credited
        assert books.contest_points_credited <= books.issued
        for key, grant in self.chain.state.table(GRANTS.prefix).items():
            of_till = [found for found in still_open if found.till == key[33:]]
            by_day: dict[int, int] = dict(grant.contested)
            for found in of_till:
                by_day[self.shop.terms_of_program.day_at(found.time)] -= found.points
            assert min(by_day.values(), default=0) >= 0

    @invariant()
    def no_more_is_taken_back_than_was_given(self) -> None:
        reversed_now = self.shop.books.reversed
        for key, batch in self.chain.state.table(BATCHES.prefix).items():
            for _, _, settled, _ in self.bought:
                if key[1:] == settled.batch:
                    assert sum(points for _, points in batch.reversed) <= settled.entry.points
        for found in self.chain.state.table(RETURNS.prefix).values():
            assert 0 < found.used <= found.points
        assert 0 <= reversed_now <= self.shop.books.issued
        for member in self.chain.state.table(MEMBERS.prefix).values():
            assert all(lot[3] > 0 for lot in member.lots)

    @invariant()
    def points_are_where_the_books_say(self) -> None:
        state, shop = self.chain.state, self.shop
        books = state.table(BOOKS.prefix)
        for record in books.values():
            check_books(record)
        days = {int.from_bytes(key[-4:], "big"): totals for key, totals in state.table(DAYS.prefix).items()}
        pending = available = unmoved = 0
        today = max(shop.terms_of_program.day_at(self.chain.mined[-1].context.time), 0)
        for member in state.table(MEMBERS.prefix).values():
            for _, activation, expiry, amount in member.lots:
                moved_out = expiry != NEVER and expiry <= today and expiry not in days
                if not moved_out:
                    pending += amount if activation in days and days[activation].activating else 0
                    available += 0 if activation in days and days[activation].activating else amount
        unmoved = sum(totals.expiring for day, totals in days.items() if day <= today)
        assert unmoved == 0, "due work of the last block's day is done"
        assert (shop.books.pending, shop.books.available) == (pending, available)
        holds = state.table(HOLDS.prefix).values()
        assert shop.books.held == sum(hold.points for hold in holds)
        assert all(hold.points == sum(lot[3] for lot in hold.lots) for hold in holds)
        for campaign_id in self.campaigns:
            campaign = shop.campaign(CampaignId(campaign_id))
            left = [p for key, p in state.table(PLEDGES.prefix).items() if key[1:33] == campaign_id]
            assert campaign.weight == sum(pledge.quantity for pledge in left)
            if campaign.status != DONE:
                assert campaign.escrowed == campaign.weight

    @invariant()
    def slots_are_records_or_free(self) -> None:
        state = self.chain.state
        used = {stored.slot for stored in state.records.values()}
        free = state.free_list()
        assert len(used) + len(free) == state.chain.slot_count == len(state.tree)
        assert not used & set(free)
        assert state.table(REWARDS.prefix)

    def teardown(self) -> None:
        if not hasattr(self, "chain"):
            return
        self.chain.replay()
        self.chain.unwind(len(self.chain.mined))
        assert self.chain.state.contents == MemoryState(self.chain.genesis.contents).contents


TestRandomChain = RandomChain.TestCase
TestRandomChain.settings = settings(max_examples=8, stateful_step_count=30, deadline=None)
