"""A fan's wallet at work: keys from one phrase, a node to talk to, and every act that a fan has.

Acts within a program are signed by the account for that program and paid by its fee pool; leaving, cancelling and revoking were
paid for in advance; coin moves from a main account, which pays its own fees. Asking a node for the balances of all programs
shows that node which accounts belong together: ask your own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from api.wallet.builder import ChainFacts, Signer, build
from api.wallet.challenges import ShownChallenge, contest_of_challenge
from api.wallet.client import Answer, Client
from api.wallet.coin_needed import explain_shortage
from api.wallet.contests import NOT_YOURS, contest_of
from api.wallet.enrolment import Invitation, JoinRequest, request_join
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.key_book import KeyBook, Place, PresentKey
from api.wallet.mnemonic import MasterSeed
from api.wallet.offers import contest_offer_of
from api.wallet.printed_vouchers import PrintedVoucher
from api.wallet.receipts import check_receipt
from api.wallet.request_signing import AccountSigner
from api.wallet.returns import DraftReturn, sign_as_fan
from ledger.address import decode_address, encode_address
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.loyalty.events import NOBODY
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points_claim_collateral import PointsClaimCollateral
from ledger.domains.loyalty.points_transfer import PointsTransfer
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.returns import SignedReturn
from ledger.domains.offers.terms import PersonalOffer
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.errors import Code
from ledger.hashing import object_id
from ledger.transaction import Payment, Prepaid, Sponsored, decode_transaction
from ledger.transition import REPEATED, WRONG_POLICY
from ledger.types import (
    Address,
    Amount,
    CampaignId,
    Hash,
    Height,
    HoldId,
    Points,
    PrivateSeed,
    ProgramId,
    RewardId,
    Timestamp,
    TxId,
)

WRONG_CHAIN = Code(
    "wallet.wrong_chain",
    "this is for the chain {invited}, the node is on {found}",
    "Point the wallet at a node of that chain.",
)
NO_REWARD = Code(
    "wallet.no_reward", "the program offers no reward {reward}", "List them with `fansumer chain rewards`."
)
KEYS_CHANGED = Code(
    "wallet.keys_changed",
    "the account {address} is governed by the policy {policy_hash}, which is none of the keys that this wallet has for it",
    "Open the wallet that holds its present keys; for an account of several keys name its treasury file with --wallet.",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that the node took. Its objects' ids follow from its own."""

    txid: TxId
    raw: bytes

    def object_id(self, noun: str) -> Hash:
        """The id of the first object that it makes: "program", "reward", "hold", "campaign"."""
        return object_id(noun, self.txid, 0)


Found = TypeVar("Found")

OWN_FEE: Final = "own"
"""Choice of payment: the author's account pays the exact fee."""
POOL: Final = "pool"
"""Choice of payment: the program's fee pool pays."""
SHARE: Final = "share"
"""Choice of payment of a claim: it comes out of what is claimed."""

NEVER: Final = Timestamp(0)
"""A consent that ends only when it is revoked."""


class Wallet:
    """The accounts of one phrase, at one node. `account` numbers the main account that it acts as.

    `keys` tells what is known of changed keys; what is not known is found out when the node refuses a signature for it.
    """

    def __init__(self, master: MasterSeed, client: Client, *, account: int = 0, keys: KeyBook | None = None) -> None:
        self.keys = KeyBook(master) if keys is None else keys
        self.client = client
        self.main_place = Place(account)

    @property
    def main(self) -> Signer:
        """The main account that it acts as, with its present key."""
        return self.keys.signer(self.main_place)

    @cached_property
    def facts(self) -> ChainFacts:
        """The facts of the node's chain, asked for once."""
        return ChainFacts.of_answer(self.client.chain())

    @property
    def till_seed(self) -> PrivateSeed:
        """The key that signs receipts: the first one, by which the chain knows a till. A stolen one is revoked, not changed."""
        return self.keys.key_at(self.main_place, 0).seed

    def program_signer(self, program: ProgramId) -> Signer:
        """The one account that this wallet shows to `program`, with its present key."""
        return self.keys.signer(Place(program=program))

    def owner(self, program: ProgramId) -> AccountSigner:
        """Signs requests for what belongs to the account for `program` alone."""
        signer = self.program_signer(program)
        return AccountSigner(signer, self.address_text(signer.address))

    def main_owner(self) -> AccountSigner:
        """Signs requests as the main account, such as a partner's for what fans share with it."""
        return AccountSigner(self.main, self.address_text(self.main.address))

    def address_text(self, address: Address) -> str:
        """An address as this chain writes it."""
        return encode_address(self.facts.address_prefix, address)

    def read_address(self, text: str) -> Address:
        """The address that a text of this chain stands for. Raises Malformed address.*."""
        return decode_address(self.facts.address_prefix, text)

    def next_height(self) -> Height:
        """The height of the next block."""
        return Height(int(self.client.chain()["next_height"]))

    def send(
        self,
        kind: str,
        payload: Any,
        author: Signer,
        *,
        payment: Payment | None = None,
        cosigners: Sequence[Signer] = (),
    ) -> Sent:
        """Build, sign and send one transaction. `payment` None: the author pays the exact least fee.

        If the author's keys were changed meanwhile, the present one is looked for among the keys of this wallet. Raises
        WalletError wallet.keys_changed where it is none of them.
        """
        options = {"cosigners": cosigners, "payment": payment}
        return self._with_present_key(kind, payload, author, self.send_raw, **options)

    def dry_run(self, kind: str, payload: Any, author: Signer, *, payment: Payment | None = None) -> Answer | None:
        """What one transaction would do in the next block, with its codes; nothing is sent. None where one key alone can't sign it.

        Raises as `send`.
        """
        return self._with_present_key(kind, payload, author, self.client.dry_run, payment=payment)

    def _with_present_key(
        self, kind: str, payload: Any, author: Signer, use: Callable[[bytes], Found], **options: Any
    ) -> Found:
        """What `use` makes of a signed transaction; once more with the account's present key where the first is its no more."""
        options["valid_from"] = self.next_height()
        try:
            return self._use(use, build(self.facts, kind, payload, author, **options))
        except ClientProblem as problem:
            if problem.code != WRONG_POLICY.name:
                raise
        present = self.find_present(author)
        return self._use(use, build(self.facts, kind, payload, present, **options))

    def _use(self, use: Callable[[bytes], Found], raw: bytes) -> Found:
        """What `use` makes of a transaction; of coin that does not suffice the problem says all that is needed."""
        try:
            return use(raw)
        except ClientProblem as problem:
            raise explain_shortage(self.facts, raw, problem) from None

    def find_present(self, signer: Signer) -> Signer:
        """An account of this wallet with the key that governs it now, as the node says. Raises WalletError wallet.keys_changed."""
        text = self.address_text(signer.address)
        policy_hash = Hash(bytes.fromhex(self.client.account(text)["policy_hash"] or signer.address.hex()))
        place = next((place for place in self._places() if self.keys.address(place) == signer.address), None)
        rotation = None if place is None else self.keys.find_rotation(place, policy_hash)
        if place is None or rotation is None:
            raise WalletError(KEYS_CHANGED, address=text, policy_hash=policy_hash.hex())
        self.keys.note(place, PresentKey(rotation, self.keys.present_key(place).adopted))
        return self.keys.signer(place)

    def _places(self) -> Iterator[Place]:
        """The main account that it acts as, and the accounts for all programs that the node knows."""
        yield self.main_place
        for program in self.client.every(self.client.programs):
            yield Place(program=ProgramId(bytes.fromhex(program["id"])))

    def send_raw(self, raw: bytes) -> Sent:
        """Send finished bytes. That they stand in a block already, after a request was sent again, is what was wanted."""
        txid = decode_transaction(raw, self.facts.chain_id).txid
        try:
            self.client.submit(raw)
        except ClientProblem as problem:
            if problem.code != REPEATED.name:
                raise
        return Sent(txid, raw)

    def wait_for(self, sent: Sent, *, confirmations: int = 1, seconds_max: float = 120.0) -> Answer:
        """As `Client.wait_for`."""
        return self.client.wait_for(sent.txid, confirmations=confirmations, seconds_max=seconds_max)

    # --- programs ---------------------------------------------------------------------------------------------------

    def join(
        self,
        program: ProgramId,
        *,
        till: Signer | None = None,
        referrer: Address = NOBODY,
        gives_back_from_all: bool = False,
    ) -> Sent:
        """Join a program: with a till's key the pool pays, without one this program's account pays from its own coin.

        `referrer` is the member that brought the fan. `gives_back_from_all`: what the fan returns may be taken from any lot.
        """
        fan = self.program_signer(program)
        if till is None:
            return self.send("member.join", MemberJoin(program, NOBODY, referrer, gives_back_from_all), fan)
        payload = MemberJoin(program, till.address, referrer, gives_back_from_all)
        return self.send("member.join", payload, fan, payment=Sponsored(program), cosigners=(till,))

    def answer_invitation(
        self, invitation: Invitation, *, referrer: Address = NOBODY, gives_back_from_all: bool = False
    ) -> JoinRequest:
        """A request to join that the till counter-signs. Needs no node."""
        return request_join(
            invitation,
            self.program_signer(invitation.program),
            referrer=referrer,
            gives_back_from_all=gives_back_from_all,
        )

    def join_with_voucher(
        self, text: str, *, referrer: Address = NOBODY, gives_back_from_all: bool = False
    ) -> tuple[ProgramId, Sent]:
        """Join with a voucher, as its text says; the pool pays. Returns the program, too.

        Raises WalletError voucher.bad_text, or wallet.wrong_chain before anything is sent.
        """
        voucher = PrintedVoucher.from_text(text)
        if voucher.chain_id != self.facts.chain_id:
            raise WalletError(WRONG_CHAIN, invited=voucher.chain_id.hex()[:16], found=self.facts.chain_id.hex()[:16])
        fan = self.program_signer(voucher.program)
        payload = MemberJoin(voucher.program, NOBODY, referrer, gives_back_from_all, (voucher.show(fan.address),))
        return voucher.program, self.send("member.join", payload, fan, payment=Sponsored(voucher.program))

    def check_invitation(self, invitation: Invitation) -> None:
        """Raise WalletError wallet.wrong_chain unless the invitation is for the chain of this wallet's node."""
        if invitation.facts.chain_id != self.facts.chain_id:
            raise WalletError(
                WRONG_CHAIN, invited=invitation.facts.chain_id.hex()[:16], found=self.facts.chain_id.hex()[:16]
            )

    def leave(self, program: ProgramId) -> Sent:
        """Leave a program, without a fee; points stay usable until they expire."""
        return self.send("member.leave", MemberLeave(program), self.program_signer(program), payment=Prepaid())

    def redeem(
        self, program: ProgramId, reward: RewardId, *, price_accepted: Points, quantity: int = 1, payment: str = POOL
    ) -> Sent:
        """Ask for a reward; its points are held. The hold's id is `sent.object_id("hold")`."""
        payload = Redeem(program, reward, quantity, price_accepted)
        return self.send("redeem", payload, self.program_signer(program), payment=choose_payment(payment, program))

    def cancel(self, program: ProgramId, hold: HoldId) -> Sent:
        """Give a redemption up, without a fee; its points come back."""
        return self.send("redeem.cancel", RedeemCancel(hold), self.program_signer(program), payment=Prepaid())

    def give_points(self, program: ProgramId, recipient: Address, points: Points, *, payment: str = POOL) -> Sent:
        """Give points to another member, where the program's terms allow it; they keep their days."""
        payload = PointsTransfer(program, recipient, points)
        return self.send(
            "points.transfer", payload, self.program_signer(program), payment=choose_payment(payment, program)
        )

    def claim_collateral(self, program: ProgramId, *, payment: str = SHARE) -> Sent:
        """After a program has closed: give all its points up for the coin behind them. The fee comes out of that coin, or is paid
        by `payment`.
        """
        chosen = Prepaid() if payment == SHARE else choose_payment(payment, program)
        payload = PointsClaimCollateral(program)
        return self.send("points.claim_collateral", payload, self.program_signer(program), payment=chosen)

    def sign_return(self, draft: DraftReturn) -> SignedReturn:
        """Counter-sign what goes back: the shop may then take these points. Raises WalletError returns.*."""
        fan = self.program_signer(draft.returned.program)
        return sign_as_fan(draft, fan, self.facts.chain_id, self.facts.address_prefix)

    def contest(self, signed: SignedReceipt, *, wrong_points: bool = False, pay_own: bool = False) -> Sent:
        """Contest a receipt that was not settled, or whose points are wrong; joining paid for it, unless `pay_own`.

        Raises WalletError receipt.not_signed or contest.not_yours before anything is sent.
        """
        fan = self._signer_of(signed)
        payload = contest_of(signed, wrong_points=wrong_points)
        return self.send("earn.contest", payload, fan, payment=None if pay_own else Prepaid())

    def contest_offer(self, signed: SignedReceipt, offer: PersonalOffer, *, pay_own: bool = False) -> Sent:
        """Contest an offer that a receipt cites and nobody credited; joining paid for it, unless `pay_own`.

        Raises WalletError receipt.not_signed, contest.not_yours or offer.cites_another before anything is sent.
        """
        fan = self._signer_of(signed)
        payload = contest_offer_of(signed, offer)
        return self.send("offer.contest", payload, fan, payment=None if pay_own else Prepaid())

    def _signer_of(self, signed: SignedReceipt) -> Signer:
        """This wallet's account that a receipt names. Raises WalletError receipt.not_signed or contest.not_yours."""
        check_receipt(signed, self.facts.chain_id)
        fan = self.program_signer(signed.receipt.program)
        if fan.address != signed.receipt.member:
            raise WalletError(
                NOT_YOURS, member=self.address_text(signed.receipt.member), account=self.address_text(fan.address)
            )
        return fan

    def contest_challenge(
        self, challenge: ShownChallenge, number: int, receipts: Sequence[SignedReceipt], *, pay_own: bool = False
    ) -> Sent:
        """Show receipts that reach the goal of an occurrence that nobody completed; the challenge pays, unless `pay_own`.

        Raises WalletError receipt.not_signed or contest.not_yours before anything is sent.
        """
        fan = self.program_signer(challenge.program)
        for signed in receipts:
            check_receipt(signed, self.facts.chain_id)
            if fan.address != signed.receipt.member:
                raise WalletError(
                    NOT_YOURS, member=self.address_text(signed.receipt.member), account=self.address_text(fan.address)
                )
        payload = contest_of_challenge(challenge, number, receipts)
        return self.send("challenge.contest", payload, fan, payment=None if pay_own else Prepaid())

    # --- coin and campaigns -----------------------------------------------------------------------------------------

    def transfer(self, recipient: Address, amount: Amount) -> Sent:
        """Coin from the main account to another account."""
        return self.send("transfer", Transfer(ToAccount(recipient), amount), self.main)

    def fill_pool(self, program: ProgramId, amount: Amount) -> Sent:
        """Coin from the main account into a program's fee pool, for good."""
        return self.send("transfer", Transfer(ToPool(program), amount), self.main)

    def pledge(
        self,
        campaign: CampaignId,
        quantity: int,
        *,
        tier: int = 0,
        program: ProgramId | None = None,
        payment: str = POOL,
    ) -> Sent:
        """Back a campaign: in coin from the main account, or in the points of `program` from the account for it."""
        payload = PledgeMake(campaign, quantity, tier)
        if program is None:
            return self.send("pledge", payload, self.main)
        return self.send("pledge", payload, self.program_signer(program), payment=choose_payment(payment, program))

    # --- consent ----------------------------------------------------------------------------------------------------

    def grant_consent(
        self,
        program: ProgramId,
        *,
        purpose: int,
        scope: str = "",
        expires_at: Timestamp = NEVER,
        grantee: bytes | None = None,
        payment: str = POOL,
    ) -> Sent:
        """Let the program, or another `grantee`, use what this program's account did, for one purpose."""
        payload = ConsentGrant(program if grantee is None else grantee, purpose, scope, expires_at)
        return self.send(
            "consent.grant", payload, self.program_signer(program), payment=choose_payment(payment, program)
        )

    def revoke_consent(
        self, program: ProgramId, *, purpose: int, scope: str = "", grantee: bytes | None = None
    ) -> Sent:
        """Take a consent back, without a fee."""
        payload = ConsentRevoke(program if grantee is None else grantee, purpose, scope)
        return self.send("consent.revoke", payload, self.program_signer(program), payment=Prepaid())

    # --- looking ----------------------------------------------------------------------------------------------------

    def balances(self) -> Iterator[tuple[str, Answer]]:
        """What the main account and the accounts for all known programs hold: (address, the node's answer)."""
        main = self.address_text(self.main.address)
        yield main, self.client.account(main)
        for program in self.client.every(self.client.programs):
            signer = self.program_signer(ProgramId(bytes.fromhex(program["id"])))
            address = self.address_text(signer.address)
            answer = self.client.account(address)
            if answer.get("programs"):
                yield address, answer

    def find_reward(self, program: ProgramId, reward: RewardId) -> Answer:
        """A reward as the node shows it. Raises WalletError wallet.no_reward."""
        for found in self.client.every(self.client.rewards, program):
            if found["id"] == reward.hex():
                return found
        raise WalletError(NO_REWARD, reward=reward)

    def price_of(self, program: ProgramId, reward: RewardId) -> Points:
        """Today's price of a reward. Raises WalletError wallet.no_reward."""
        return Points(int(self.find_reward(program, reward)["price"]))

    def program_of_campaign(self, campaign: CampaignId) -> ProgramId | None:
        """The program whose points a campaign collects; None if it collects coin."""
        unit = self.client.campaign(campaign)["unit"]
        return ProgramId(bytes.fromhex(unit["program"])) if unit.get("program") else None

    def consents(self, program: ProgramId) -> list[Answer]:
        """Every consent of the account for `program`, and whether the node lets the grantee act on it now."""
        return list(self.client.every(self.client.own_consents, self.owner(program)))

    def obeyed_consents(self, program: ProgramId | None) -> Iterator[tuple[ProgramId, Answer]]:
        """What the node lets others act on now: of the account for `program`, or for each program that the node knows."""
        every = [row["id"] for row in self.client.every(self.client.programs)] if program is None else [program.hex()]
        for found in (ProgramId(bytes.fromhex(one)) for one in every):
            yield from ((found, row) for row in self.consents(found) if row["obeyed"])


def choose_payment(choice: str, program: ProgramId) -> Payment | None:
    """`pool` or `own` as a payment; None asks the builder for the exact own fee."""
    assert choice in (OWN_FEE, POOL), "a payment is `own` or `pool`"
    return Sponsored(program) if choice == POOL else None
