"""Everything that is signed by hand in a replayed shop: receipts at the till, entries at the end of the week, fans' wallets.

The office holds the keys and the purchases, knows no node, and hands out finished transactions week by week with the block that
each is for. So it can work ahead in a process of its own (`OfficeProcess`) while the node mines; a week's receipts and openings
are in the receipts file before its transactions are handed out.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.demo.app_fans import has_app
from api.demo.brand import (
    PERIODS,
    PROGRAM,
    REMAINDER_MAX,
    TERMS,
    TERMS_VERSION,
    make_salt,
    open_brand,
)
from api.demo.consents import refuses_consent, sign_grants
from api.demo.households import open_household
from api.demo.journey import Basket, HouseholdId, Journey, Redemption, load_journey
from api.demo.offers import OfferDesk, cited_id
from api.demo.paperwork import BRAND, Assignment, HandOver, Overview, Purchases, Signed, Spent, Week
from api.demo.plan import Plan
from api.demo.products import load_feeds
from api.demo.promotions import PromotionId, load_promotions
from api.demo.receipts_file import Line, ReceiptRow, ReceiptsFile, hash_lines
from api.demo.return_desk import ReturnDesk
from api.demo.returns import bring_back
from api.demo.standing import Standings
from api.wallet.builder import build
from api.wallet.sealing import NOTHING_CARRIED, Carried, Opening, choose_covers, seal_entry
from ledger.codec import pack
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import (
    Receipt,
    SignedReceipt,
    encode_receipt,
    receipt_hash,
    receipt_signing_hash,
)
from ledger.domains.rewards.redeem import Redeem
from ledger.transaction import Sponsored
from ledger.types import Address, Hash, Height, Points, ReceiptHash, Signature

BATCH_ENTRIES: Final = 500
SALT_TAG: Final = b"fansumer demo receipt "
RANDOM_SEED: Final = 2017
"""The demo's remainders are drawn from a fixed seed, so that a run can be repeated; a real brand's come from the system."""

ReceiptItem = tuple[ReceiptHash, Points]
SALES_COLUMN: Final = 2
"""Of the lines' rows."""


def settlement_height(plan: Plan, period: int) -> Height:
    """The block that holds a period's entries: once it is over, or at the end of the replay."""
    return plan.height_once(PERIODS.ends(period))


class Office:
    """The till, the settlement desk and the fans' wallets over one journey. Weeks are prepared in their order."""

    def __init__(self, purchases: Purchases) -> None:
        journey = load_journey(as_of=purchases.as_of, weeks=purchases.weeks, data_dir=purchases.data_dir)
        self._journey: Journey = journey
        self._weeks = list(journey.iterate_periods())
        self._file: ReceiptsFile | None = None
        promotions = load_promotions(journey, purchases.data_dir)
        self._promotions = {promotion.promotion_id: promotion for promotion in promotions}
        self.overview = Overview(
            weeks=journey.weeks,
            shift_seconds=journey.shift_seconds,
            first_basket=journey.baskets[0].time,
            last_basket=journey.baskets[-1].time,
            baskets=len(journey.baskets),
            lines=journey.line_count,
            redemptions=len(journey.redemptions),
            periods=tuple(period for period, _ in self._weeks),
            cents=journey.sum_cents(),
            promotions=promotions,
            feeds=load_feeds(journey, purchases.data_dir),
        )

    def begin(self, assignment: Assignment) -> None:
        """Open the till."""
        self._assignment = assignment
        self._till_key = open_brand().till.shown_policy().keys[0]
        self._till_signature = Ed25519PrivateKey.from_private_bytes(open_brand().till.seed).sign
        self._file = ReceiptsFile.create(assignment.receipts_path)
        self._carried: dict[HouseholdId, Carried] = {}
        self._household_of: dict[Address, HouseholdId] = {}
        self._random = Random(RANDOM_SEED)
        self._sequence = 0
        self._standings = Standings(assignment.program)
        self._desk = ReturnDesk(assignment)
        self._offers = OfferDesk(assignment, self.overview.promotions)

    def close(self) -> None:
        """Close the receipts file; what was written is kept."""
        if self._file is not None:
            self._file.close()

    def prepare_week(self, index: int) -> Week:
        """Sign everything of the week number `index`: receipts, joins, consents, redemptions, the entries that settle it, and what
        takes points back for goods that came back in it.
        """
        assert self._file is not None, "the till is open"
        period, baskets_of = self._weeks[index]
        is_last = index == len(self._weeks) - 1
        settled = settlement_height(self._assignment.plan, period)
        joins = self._sign_joins(baskets_of)
        spent: defaultdict[tuple[bool, int], Spent] = defaultdict(Spent)
        items, rows, hand_overs = self._write_receipts(period, baskets_of, spent)
        entries, openings = self._seal(period, items, is_last=is_last)
        self._file.write_week([(join.household, join.account) for join in joins], rows, openings)
        if is_last:
            self._file.finish()
        settlements = self._sign_batches(settled, entries, openings)
        reversals, returned = self._desk.post(period, settled, is_last=is_last)
        risen, fallen = self._count_towards_tiers(period, settled, openings)
        return Week(
            period=period,
            settled=settled,
            joins=joins,
            consents=self._sign_consents(joins),
            redemptions=self._sign_redemptions(index),
            settlements=settlements,
            reversals=reversals,
            offers=(*self._offers.settle(settled), *(() if is_last else self._issue_offers(settled))),
            hand_overs=tuple(hand_overs),
            promised={household: Points(sum(points for _, points in found)) for household, found in items.items()},
            credited={self._household_of[opening.member]: opening.points for opening in openings},
            returned=returned,
            spent=dict(spent),
            tiers_risen=risen,
            tiers_fallen=fallen,
        )

    def _issue_offers(self, settled: Height) -> tuple[Signed, ...]:
        members = {household: member for member, household in self._household_of.items()}
        return self._offers.issue(settled, members)

    def _count_towards_tiers(self, period: int, settled: Height, openings: Sequence[Opening]) -> tuple[int, int]:
        """What the week's entries do to tiers, as the block that settles them will see the clock: fans (risen, fallen)."""
        now = self._assignment.plan.times[settled - 1]
        for opening in openings:
            household = self._household_of[opening.member]
            self._standings.credit(household, opening.member, opening.points, PERIODS.ends(period), now)
        return self._standings.review(now)

    def _sign_joins(self, baskets_of: dict[HouseholdId, list[Basket]]) -> tuple[Signed, ...]:
        """New households join, each in the last block before its first basket, counter-signed by the till."""
        facts, program = self._assignment.facts, self._assignment.program
        till = open_brand().till
        joins: list[Signed] = []
        for household, baskets in baskets_of.items():
            if household in self._carried:
                continue
            self._carried[household] = NOTHING_CARRIED
            height = self._assignment.plan.height_before(baskets[0].time)
            fan = open_household(household, program)
            self._household_of[fan.address] = household
            raw = build(
                facts,
                "member.join",
                MemberJoin(program, till.address),
                fan,
                valid_from=height,
                cosigners=(till,),
                payment=Sponsored(program),
                salt=make_salt("join", household),
            )
            joins.append(Signed(height, household, fan.address, raw))
        return tuple(joins)

    def _sign_consents(self, joins: Sequence[Signed]) -> tuple[Signed, ...]:
        """What new fans agree to, in the block after they joined."""
        facts, program = self._assignment.facts, self._assignment.program
        return tuple(
            Signed(height, join.household, join.account, raw)
            for join in joins
            for height in (Height(join.height + 1),)
            for raw in sign_grants(facts, program, join.household, height)
        )

    def _write_receipts(
        self,
        period: int,
        baskets_of: dict[HouseholdId, list[Basket]],
        spent: defaultdict[tuple[bool, int], Spent],
    ) -> tuple[dict[HouseholdId, list[ReceiptItem]], list[ReceiptRow], list[HandOver]]:
        """The till signs every basket in the order of time, numbering them without gaps."""
        items: dict[HouseholdId, list[ReceiptItem]] = {household: [] for household in baskets_of}
        rows: list[ReceiptRow] = []
        hand_overs: list[HandOver] = []
        baskets = [basket for group in baskets_of.values() for basket in group]
        for basket in sorted(baskets, key=lambda basket: (basket.time, basket.basket_id)):
            lines = self._journey.rows_of(basket)
            mailed = self._offers.choose(basket.household_id, basket.time, basket.net)
            hash_of_receipt, signed = self._sign_receipt(basket, lines, cited_id(mailed))
            if mailed is not None:
                self._offers.cite(mailed, period, hash_of_receipt)
            receipt = signed.receipt
            items[basket.household_id].append((hash_of_receipt, receipt.points))
            rows.append((receipt.sequence, receipt.member, period, encode_receipt(signed), pack(lines)))
            if has_app(basket.household_id):
                hand_overs.append(HandOver(basket.household_id, signed, lines))
            group = spent[refuses_consent(basket.household_id), receipt.tier]
            group.receipts, group.cents = group.receipts + 1, group.cents + basket.net
            group.points += receipt.points
            sales = [line[SALES_COLUMN] for line in lines]
            offer = None if mailed is None else mailed.offer
            self._desk.take(bring_back(basket.household_id, basket.basket_id, period, signed, sales, offer))
        return items, rows, hand_overs

    def _sign_receipt(self, basket: Basket, lines: Sequence[Line], offer: Hash) -> tuple[ReceiptHash, SignedReceipt]:
        assignment = self._assignment
        salt = sha256(SALT_TAG + assignment.facts.chain_id + str(basket.basket_id).encode()).digest()
        tier = self._standings.tier(basket.household_id, basket.time)
        purchase = Purchase(basket.time, basket.net, tier=tier)
        receipt = Receipt(
            version=1,
            program=assignment.program,
            terms_version=TERMS_VERSION,
            member=open_household(basket.household_id, assignment.program).address,
            till=self._till_key,
            sequence=self._sequence,
            time=basket.time,
            net_cents=basket.net,
            paid_with_points_cents=0,
            codes=(),
            lines_root=hash_lines(salt, lines),
            points=points_for(TERMS.rules, purchase, offset_minutes=PROGRAM.offset_minutes),
            tier=tier,
            offer=offer,
        )
        self._sequence += 1
        hash_of_receipt = receipt_hash(receipt, salt)
        signature = Signature(self._till_signature(receipt_signing_hash(assignment.facts.chain_id, hash_of_receipt)))
        return hash_of_receipt, SignedReceipt(receipt, salt, signature)

    def _seal(
        self, period: int, items: dict[HouseholdId, list[ReceiptItem]], *, is_last: bool
    ) -> tuple[list[SealedEntry], list[Opening]]:
        """One entry a household that bought, and some without a receipt; in the last week nothing is carried on."""
        if is_last:
            waiting = [household for household, carried in self._carried.items() if carried != NOTHING_CARRIED]
        else:
            waiting = choose_covers(self._carried, items, self._random)
        items = {household: [] for household in waiting} | items
        entries: list[SealedEntry] = []
        openings: list[Opening] = []
        for household in sorted(items):
            member = open_household(household, self._assignment.program).address
            entry, opening = seal_entry(
                member,
                period,
                sorted(items[household]),
                before=self._carried[household],
                remainder_max=REMAINDER_MAX,
                is_last=is_last,
                random=self._random,
            )
            self._carried[household] = opening.after
            entries.append(entry)
            openings.append(opening)
        return entries, openings

    def _sign_batches(
        self, height: Height, entries: Sequence[SealedEntry], openings: Sequence[Opening]
    ) -> tuple[Signed, ...]:
        """The week's entries in batches, whose places the return desk needs to know."""
        facts, program = self._assignment.facts, self._assignment.program
        batches: list[Signed] = []
        pairs = list(zip(entries, openings, strict=True))
        for start in range(0, len(pairs), BATCH_ENTRIES):
            part = sorted(pairs[start : start + BATCH_ENTRIES], key=lambda pair: pair[0].member)
            raw = build(
                facts,
                "earn",
                Earn(program, tuple(entry for entry, _ in part)),
                open_brand().settlement,
                valid_from=height,
                payment=Sponsored(program),
                salt=make_salt("earn", height, start),
            )
            batches.append(Signed(height, BRAND, open_brand().settlement.address, raw, kind="earn"))
            self._desk.file_batch(raw, [opening for _, opening in part])
        return tuple(batches)

    def _sign_redemptions(self, index: int) -> tuple[Signed, ...]:
        """The coupons of a week. Whether the points suffice is for the node to say."""
        assignment = self._assignment
        program = assignment.program
        found: list[Signed] = []
        for number, redemption in self._redemptions_of(index):
            promotion = self._promotions[PromotionId(redemption.campaign_id)]
            reward = assignment.rewards[promotion.promotion_id]
            height = assignment.plan.height_of_act(redemption.time)
            fan = open_household(redemption.household_id, program)
            raw = build(
                assignment.facts,
                "redeem",
                Redeem(program, reward, 1, promotion.price),
                fan,
                valid_from=height,
                payment=Sponsored(program),
                salt=make_salt("redeem", number),
            )
            found.append(
                Signed(height, redemption.household_id, fan.address, raw, promotion.price, promotion.promotion_id)
            )
        return tuple(found)

    def _redemptions_of(self, index: int) -> list[tuple[int, Redemption]]:
        """The redemptions of a week with their numbers; those before the first or after the last week belong to these."""
        periods = self.overview.periods
        first = 0 if index == 0 else periods[index]
        after = periods[index + 1] if index + 1 < len(periods) else 2**63
        return [
            (number, redemption)
            for number, redemption in enumerate(self._journey.redemptions)
            if first <= PERIODS.period_of(redemption.time) < after
        ]
