"""A fan speaks: what it reviews, and on which of its standings (spec REV)."""

from collections.abc import Iterator
from typing import Final

from api.wallet.builder import Signer, build
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.wallet import Sent, Wallet
from ledger.domains.crowdfunding.pledge import Pledged
from ledger.domains.voice.review import NO_STANDING, ReviewWrite
from ledger.domains.voice.review_reply import ReviewReply
from ledger.domains.voice.reviews import (
    CampaignSubject,
    Contributed,
    Earned,
    PledgeStanding,
    ProgramSubject,
    Redeemed,
    Standing,
    Subject,
)
from ledger.errors import Code
from ledger.transaction import Payment, Sponsored
from ledger.types import Address, CampaignId, ContributionId, Hash, ProgramId

NO_SUBJECT = Code(
    "review.unknown_subject",
    "there is no program or campaign {subject}",
    "List them with `fansumer chain programs` or `campaigns`.",
)
NO_TEXT: Final = Hash(b"")


class Reviewer:
    """A wallet that says what it thinks. `pay_own`: the fee comes from the account's own coin, not from the program's pool."""

    def __init__(self, wallet: Wallet, *, pay_own: bool = False) -> None:
        self.wallet = wallet
        self._pay_own = pay_own

    def find_subject(self, found: bytes) -> Subject:
        """The program or the campaign with this id. Raises WalletError review.unknown_subject."""
        client = self.wallet.client
        for read, subject in (
            (client.program, ProgramSubject(ProgramId(found))),
            (client.campaign, CampaignSubject(CampaignId(found))),
        ):
            try:
                read(found)
            except ClientProblem as problem:
                if not problem.code.endswith(".unknown"):
                    raise
            else:
                return subject
        raise WalletError(NO_SUBJECT, subject=found.hex())

    def write(self, subject: Subject, *, stance: int, score: int, text: Hash = NO_TEXT) -> Sent:
        """Review a subject, or revise what was said, on the first standing that the wallet has.

        Raises ClientProblem review.no_standing where it has none, and what else the rules refuse.
        """
        refused: ClientProblem | None = None
        for signer, standing in self._standings(subject):
            payload = ReviewWrite(subject, standing, stance, score, text)
            payment = self._payment(subject, signer)
            try:
                self._try(payload, signer, payment)
            except ClientProblem as problem:
                refused = problem if refused is None or problem.code != NO_STANDING.name else refused
            else:
                return self.wallet.send("review", payload, signer, payment=payment)
        assert refused is not None, "there is always a standing to try"
        raise refused

    def _try(self, payload: ReviewWrite, signer: Signer, payment: Payment | None) -> None:
        wallet = self.wallet
        raw = build(wallet.facts, "review", payload, signer, valid_from=wallet.next_height(), payment=payment)
        wallet.client.dry_run(raw)

    def _standings(self, subject: Subject) -> Iterator[tuple[Signer, Standing]]:
        """Who of this wallet might speak on what: bought, got a reward, helped, backed."""
        wallet = self.wallet
        program = subject.program if isinstance(subject, ProgramSubject) else self._program_of(subject.campaign)
        signers = [wallet.main] if program is None else [wallet.program_signer(program), wallet.main]
        if isinstance(subject, ProgramSubject):
            yield signers[0], Earned()
            yield signers[0], Redeemed()
        for signer in signers:
            address, calls = wallet.address_text(signer.address), wallet.client
            for found in calls.every(calls.reviews.account_contributions, address):
                yield signer, Contributed(ContributionId(bytes.fromhex(found["id"])))
            for row in calls.every(calls.account_history, address):
                if row["name"] == Pledged.name:
                    made = row["data"]
                    yield signer, PledgeStanding(CampaignId(bytes.fromhex(made["campaign"])), int(made["number"]))
        if isinstance(subject, CampaignSubject):
            yield signers[0], Earned()

    def _program_of(self, campaign: CampaignId) -> ProgramId | None:
        return self.wallet.program_of_campaign(campaign)

    def _payment(self, subject: Subject, signer: Signer) -> Payment | None:
        program = subject.program if isinstance(subject, ProgramSubject) else self._program_of(subject.campaign)
        if self._pay_own or program is None or signer.address == self.wallet.main.address:
            return None
        return Sponsored(program)

    def erase(self, subject: Subject, text: Hash) -> int:
        """Erase a text of the wallet's at its node; how many there were."""
        wallet = self.wallet
        erased = 0
        program = subject.program if isinstance(subject, ProgramSubject) else self._program_of(subject.campaign)
        owners = [wallet.main_owner()] if program is None else [wallet.owner(program), wallet.main_owner()]
        for owner in owners:
            erased += int(wallet.client.reviews.erase_text(owner, text)["erased"])
        return erased

    def reply(self, subject: Subject, author: Address, text: Hash) -> Sent:
        """Answer a review as the subject's own account."""
        payment = None
        if isinstance(subject, ProgramSubject) and not self._pay_own:
            payment = Sponsored(subject.program)
        return self.wallet.send("review.reply", ReviewReply(subject, author, text), self.wallet.main, payment=payment)
