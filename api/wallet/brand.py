"""What a brand and its tills do: programs, rewards, issuers, enrolment, receipts, handing out. Signed by a main account.

The owner's key and a till's key are main accounts of whatever phrase they live in; a till should have a phrase of its own.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from api.named_accounts import name_addresses
from api.wallet.acceptances import accept_redemption
from api.wallet.client import Answer
from api.wallet.enrolment import Invitation, JoinRequest, counter_sign, make_invitation
from api.wallet.errors import WalletError
from api.wallet.offers import APPLIED_SHOWN, check_offer
from api.wallet.returns import DraftReturn, draft_return
from api.wallet.shown_terms import ProgramFacts, read_program_answer
from api.wallet.wallet import POOL, Sent, Wallet
from ledger import keys
from ledger.domains.challenges.challenge_complete import ChallengeComplete, CompletionEntry
from ledger.domains.challenges.challenge_create import ChallengeCreate
from ledger.domains.challenges.challenge_reverse import ChallengeReverse
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.earn_answer_contest import EarnAnswerContest
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import (
    RECEIPT_VERSION,
    Receipt,
    SignedReceipt,
    check_receipt_shape,
    sign_receipt,
)
from ledger.domains.loyalty.reverse import Reverse
from ledger.domains.loyalty.state import Terms
from ledger.domains.offers.offer_issue import OfferEntry, OfferIssue
from ledger.domains.offers.offer_reverse import OfferReverse
from ledger.domains.offers.offer_settle import Citation, OfferSettle
from ledger.domains.offers.terms import PersonalOffer
from ledger.domains.rewards.acceptance import SETTLED_DEPTH, SignedAcceptance
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.redeem_refund import RedeemRefund
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import ALWAYS, NO_LIMIT, Limit, Window
from ledger.merkle import root
from ledger.transaction import Payment, Sponsored
from ledger.types import Address, FulfilmentId, Hash, HoldId, Points, ProgramId, RewardId, Timestamp

RECEIPT_SALT_BYTES = 32
NO_LINES_ROOT = Hash(root(()))
"""`lines_root` of a receipt without lines."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a till knows of one purchase; money in cents, `time` in seconds. `sequence` counts this till's receipts.

    `tier` is the number of the member's tier and `previous_visit` the time of its visit before this one; 0 for none.
    `offer` is the personal offer that the fan shows, if any.
    """

    member: Address
    sequence: int
    time: Timestamp
    net_cents: int
    paid_with_points_cents: int = 0
    codes: tuple[tuple[str, int], ...] = ()
    lines_root: Hash = NO_LINES_ROOT
    tier: int = 0
    previous_visit: int = 0
    offer: PersonalOffer | None = None


class Brand:
    """A brand's side of a wallet: its main account is the owner, or a till that holds a grant.

    `payment`: who pays where the program's pool may, `pool` or `own`; what makes a program is always paid by its owner.
    """

    def __init__(self, wallet: Wallet, *, payment: str = POOL) -> None:
        self.wallet = wallet
        self._payment = payment

    def pay(self, program: ProgramId) -> Payment | None:
        """The payment for an act within `program`."""
        return Sponsored(program) if self._payment == POOL else None

    # --- the program ------------------------------------------------------------------------------------------------

    def read_program(self, program: ProgramId) -> ProgramFacts:
        """The program's terms in force, as the node shows them."""
        return read_program_answer(self.wallet.client.program(program))

    def create_program(self, program: ProgramCreate) -> Sent:
        """Publish a program. Its id is `sent.object_id("program")`; fill its pool next."""
        return self.wallet.send("program.create", program, self.wallet.main)

    def update_program(self, program: ProgramId, latest_version: int, terms: Terms) -> Sent:
        """Publish new terms, written against `latest_version`."""
        payload = ProgramUpdate(program, latest_version, terms)
        return self.wallet.send("program.update", payload, self.wallet.main, payment=self.pay(program))

    def grant_issuer(self, program: ProgramId, issuer: Address, *, scopes: int, daily_cap: Points) -> Sent:
        """Let `issuer` act: scopes add up, 1 sign receipts, 2 settle, 4 enrol, 8 fulfil, 16 adjust, 32 offer."""
        payload = IssuerGrant(program, issuer, scopes, daily_cap)
        return self.wallet.send("issuer.grant", payload, self.wallet.main, payment=self.pay(program))

    def revoke_issuer(self, program: ProgramId, issuer: Address) -> Sent:
        """End a grant."""
        payload = IssuerRevoke(program, issuer)
        return self.wallet.send("issuer.revoke", payload, self.wallet.main, payment=self.pay(program))

    def list_reward(
        self,
        program: ProgramId,
        *,
        name: str,
        price: Points,
        stock: int,
        value_cents: int = 0,
        limit: Limit = NO_LIMIT,
        window: Window = ALWAYS,
        tier_min: int = 0,
    ) -> Sent:
        """Offer something for points. The reward's id is `sent.object_id("reward")`."""
        payload = RewardList(program, name, price, stock, value_cents, limit, window, tier_min)
        return self.wallet.send("reward.list", payload, self.wallet.main, payment=self.pay(program))

    def update_reward(
        self,
        program: ProgramId,
        reward: RewardId,
        *,
        price: Points,
        stock_change: int,
        listed: bool,
        limit: Limit = NO_LIMIT,
        window: Window = ALWAYS,
        tier_min: int = 0,
    ) -> Sent:
        """Change a reward: all is given as it is to be, of the stock the change; what gets worse waits for the notice."""
        payload = RewardUpdate(program, reward, price, stock_change, listed, limit, window, tier_min)
        return self.wallet.send("reward.update", payload, self.wallet.main, payment=self.pay(program))

    # --- the till ---------------------------------------------------------------------------------------------------

    def invite(self, program: ProgramId, *, blocks: int | None = None) -> Invitation:
        """An invitation that this account will counter-sign."""
        return make_invitation(
            self.wallet.facts,
            program,
            self.wallet.main.address,
            valid_from=self.wallet.next_height(),
            blocks=blocks,
        )

    def enrol(self, program: ProgramId, request: JoinRequest) -> Sent:
        """Counter-sign a fan's request to join and send it."""
        return self.wallet.send_raw(counter_sign(self.wallet.facts, program, request, self.wallet.main))

    def sign_receipt(
        self, program: ProgramId, facts: ProgramFacts, purchase: Purchase, *, salt: bytes | None = None
    ) -> SignedReceipt:
        """The receipt that the fan takes home: a promise of points under the terms of `facts`. Needs no network.

        Raises Malformed receipt.shape for codes that stand twice or a visit before that comes after, and WalletError offer.* for
        an offer that is not this fan's, or asks for something else.
        """
        till = self.wallet.till_seed
        unpriced = Receipt(
            version=RECEIPT_VERSION,
            program=program,
            terms_version=facts.version,
            member=purchase.member,
            till=keys.public_key_of(till),
            sequence=purchase.sequence,
            time=purchase.time,
            net_cents=purchase.net_cents,
            paid_with_points_cents=purchase.paid_with_points_cents,
            codes=tuple(sorted(purchase.codes)),
            lines_root=purchase.lines_root,
            points=Points(0),
            tier=purchase.tier,
            previous_visit=purchase.previous_visit,
        )
        check_receipt_shape(unpriced)
        if purchase.offer is not None:
            try:
                unpriced = replace(unpriced, offer=check_offer(purchase.offer, unpriced))
            except WalletError as fault:
                raise name_addresses(fault, self.wallet.address_text) from None
        offset_minutes = facts.periods.offset_minutes
        points = points_for(facts.terms.rules, unpriced.purchase(), offset_minutes=offset_minutes)
        blinding = secrets.token_bytes(RECEIPT_SALT_BYTES) if salt is None else salt
        return sign_receipt(replace(unpriced, points=points), blinding, self.wallet.facts.chain_id, till)

    def draft_return(self, bought: SignedReceipt, points: Points, time: Timestamp, *, bonus: int = 0) -> DraftReturn:
        """What goes back of a purchase, signed by this till; the fan counter-signs it. Needs no network but for the chain's id.

        `bonus` is what an offer brought besides the receipt's points.
        """
        salt = secrets.token_bytes(RECEIPT_SALT_BYTES)
        chain_id, till = self.wallet.facts.chain_id, self.wallet.main
        return draft_return(bought, points, time, bonus=bonus, chain_id=chain_id, till=till, salt=salt)

    def reverse(self, reversal: Reverse) -> Sent:
        """Take points back for a return that the fan signed."""
        payment = self.pay(reversal.returned.program)
        return self.wallet.send("reverse", reversal, self.wallet.main, payment=payment)

    def adjust(self, program: ProgramId, member: Address, points: Points, reason: str) -> Sent:
        """Give a member points for a reason, a code that everybody can read."""
        payload = Adjust(program, member, points, reason)
        return self.wallet.send("adjust", payload, self.wallet.main, payment=self.pay(program))

    def issue_offers(self, program: ProgramId, offers: Sequence[PersonalOffer]) -> Sent:
        """Promise members their offers, at most 1,000 at once; what each asks for stays with whoever has it."""
        return self.issue_entries(program, entries_of(offers))

    def issue_entries(self, program: ProgramId, entries: Sequence[OfferEntry]) -> Sent:
        """The same where only the sealed terms are known here."""
        payload = OfferIssue(program, tuple(entries))
        return self.wallet.send("offer.issue", payload, self.wallet.main, payment=self.pay(program))

    def foresee_offers(self, program: ProgramId, offers: Sequence[PersonalOffer]) -> list[str]:
        """What the next block would say to each of these offers, as the API shows codes; nothing is sent. Where several people
        have to sign, nobody can ask before: all are taken for applied.
        """
        return self.foresee_entries(program, entries_of(offers))

    def foresee_entries(self, program: ProgramId, entries: Sequence[OfferEntry]) -> list[str]:
        """The same where only the sealed terms are known here."""
        payload = OfferIssue(program, tuple(entries))
        found = self.wallet.dry_run("offer.issue", payload, self.wallet.main, payment=self.pay(program))
        return [APPLIED_SHOWN] * len(entries) if found is None else [str(code) for code in found["codes"]]

    def settle_offers(self, program: ProgramId, citations: Sequence[Citation]) -> Sent:
        """Credit the offers that receipts cite, at most 1,000 at once."""
        payload = OfferSettle(program, tuple(citations))
        return self.wallet.send("offer.settle", payload, self.wallet.main, payment=self.pay(program))

    def reverse_offer(self, reversal: OfferReverse) -> Sent:
        """Take a bonus back for a return that the fan signed."""
        payment = self.pay(reversal.returned.program)
        return self.wallet.send("offer.reverse", reversal, self.wallet.main, payment=payment)

    def announce_sunset(self, program: ProgramId, sunset_at: Timestamp) -> Sent:
        """Announce the program's end. Nothing takes it back."""
        payload = ProgramSunset(program, sunset_at)
        return self.wallet.send("program.sunset", payload, self.wallet.main, payment=self.pay(program))

    def answer_contest(self, program: ProgramId, answer: EarnAnswerContest) -> Sent:
        """Answer a contest with the entry that settled its receipt."""
        return self.wallet.send("earn.answer_contest", answer, self.wallet.main, payment=self.pay(program))

    # --- challenges -------------------------------------------------------------------------------------------------

    def create_challenge(self, challenge: ChallengeCreate) -> Sent:
        """Promise points for a goal. The challenge's id is `sent.object_id("challenge")`; nothing takes it back."""
        return self.wallet.send("challenge.create", challenge, self.wallet.main, payment=self.pay(challenge.program))

    def complete_challenges(self, program: ProgramId, entries: Sequence[CompletionEntry]) -> Sent:
        """Attest who has reached what, at most 250 at a time; the transaction's codes say what became of each."""
        payload = ChallengeComplete(program, tuple(entries))
        return self.wallet.send("challenge.complete", payload, self.wallet.main, payment=self.pay(program))

    def reverse_challenge(self, reversal: ChallengeReverse) -> Sent:
        """Take a reward back for a return that the fan signed."""
        payment = self.pay(reversal.returned.program)
        return self.wallet.send("challenge.reverse", reversal, self.wallet.main, payment=payment)

    # --- redemptions ------------------------------------------------------------------------------------------------

    def fulfil(self, program: ProgramId, hold: HoldId, *, quantity: int = 1, codes: Sequence[Hash] = ()) -> Sent:
        """Hand so many units out; their points are spent. What can be refunded has the id `sent.object_id("fulfilment")`."""
        payload = RedeemFulfil(hold, quantity, tuple(codes))
        return self.wallet.send("redeem.fulfil", payload, self.wallet.main, payment=self.pay(program))

    def refund(self, program: ProgramId, fulfilment: FulfilmentId, *, quantity: int = 1) -> Sent:
        """Take so many units back that were handed out; their points come back to the fan."""
        payload = RedeemRefund(fulfilment, quantity)
        return self.wallet.send("redeem.refund", payload, self.wallet.main, payment=self.pay(program))

    def accept(self, redemption: Answer, *, now: Timestamp, depth: int = SETTLED_DEPTH) -> SignedAcceptance:
        """This account's word that it hands a redemption out at once, at the shop's own risk until `depth` blocks stand on it.

        `redemption` is the node's answer. Sign what you see; the node keeps it where `client.redemptions.accept` sends it.
        """
        return accept_redemption(self.wallet, redemption, now=now, depth=depth)

    def cancel(self, program: ProgramId, hold: HoldId) -> Sent:
        """Give a redemption back that cannot be delivered."""
        return self.wallet.send("redeem.cancel", RedeemCancel(hold), self.wallet.main, payment=self.pay(program))


def entries_of(offers: Sequence[PersonalOffer]) -> list[OfferEntry]:
    """What of offers goes on the chain."""
    return [OfferEntry(offer.member, offer.commitment, offer.points, offer.expires_at) for offer in offers]
