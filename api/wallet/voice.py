"""Voting and asking: a fan's ballots, open or sealed, and what a brand proposes, answers and fulfils.

What a node says of a voter's power is checked here against the proposal's own root before anything is signed. The salt of a sealed
ballot follows from the account's first key and the proposal, so the phrase alone can open it again.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from api.voice.opening import encode_opening
from api.wallet.builder import Signer
from api.wallet.client import Answer
from api.wallet.errors import WalletError
from api.wallet.key_book import Place
from api.wallet.wallet import POOL, Sent, Wallet, choose_payment
from ledger.domains.crowdfunding.state import pledge_key
from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.ballot_cast import CastBallot
from ledger.domains.voice.ballot_commit import CommitBallot
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.domains.voice.ballots import seal_choice
from ledger.domains.voice.obligation_fulfil import ObligationFulfil
from ledger.domains.voice.power import PowerProof
from ledger.domains.voice.proposal_create import ProposalCreate
from ledger.domains.voice.proposal_respond import Adopt, Decline, ProposalRespond
from ledger.domains.voice.state import METHOD_NAMES, NO_HASH
from ledger.domains.voice.tally import BAD_CHOICE, is_allowed
from ledger.errors import Code
from ledger.merkle import verify_inclusion
from ledger.state import record_leaf
from ledger.transaction import Prepaid
from ledger.types import CampaignId, Hash, ProgramId, ProposalId, Slot, Timestamp

SALT_PURPOSE: Final = b"fansumer sealed ballot"

BAD_POWER = Code(
    "vote.bad_power",
    "what the node shows of this account's power does not lead to the proposal's snapshot",
    "Do not vote through this node; ask another one.",
)
NO_CHOICE = Code(
    "vote.no_choice",
    "{found} is none of the proposal's options: {options}",
    "Name an option by its number or its text.",
)


class Voter:
    """A fan's side: the ballots of one wallet."""

    def __init__(self, wallet: Wallet) -> None:
        self.wallet = wallet

    def read(self, proposal: ProposalId) -> Answer:
        """The proposal as the node shows it."""
        return self.wallet.client.proposals.one(proposal)

    def choose(self, shown: Answer, named: Sequence[str]) -> tuple[int, ...]:
        """Option numbers from numbers or texts; approvals are put in order. Raises WalletError vote.no_choice, ballot.choice.

        What the method does not allow is refused here, since the chain would take a sealed ballot of it and never count it.
        """
        options = shown["tally"]["options"]
        texts = {option["text"]: int(option["number"]) for option in options}
        found: list[int] = []
        for name in named:
            number = texts.get(name)
            if number is None and name.isascii() and name.isdigit() and int(name[:3]) < len(options):
                number = int(name[:3])
            if number is None:
                listed = ", ".join(f"{option['number']} {option['text']}" for option in options)
                raise WalletError(NO_CHOICE, found=name[:64], options=listed)
            found.append(number)
        chosen = tuple(sorted(set(found)) if shown["method"] == "approval" else found)
        if not is_allowed(METHOD_NAMES.index(shown["method"]), len(options), chosen):
            raise WalletError(BAD_CHOICE, method=shown["method"], count=len(options))
        return chosen

    def signer(self, shown: Answer) -> Signer:
        """The account that votes: that for the program, or, with pledges in coin, the main account."""
        return self.wallet.keys.signer(self._place(shown))

    def _place(self, shown: Answer) -> Place:
        program = ProgramId(bytes.fromhex(shown["program"]))
        campaign = shown["weight"]["campaign"]
        if campaign is None:
            return Place(program=program)
        in_points = self.wallet.program_of_campaign(CampaignId(bytes.fromhex(campaign)))
        return self.wallet.main_place if in_points is None else Place(program=in_points)

    def power(self, proposal: ProposalId) -> Answer:
        """What this wallet's account may vote with, checked against the snapshot's root. Raises WalletError vote.bad_power."""
        shown = self.read(proposal)
        voter = self.signer(shown)
        answer = self.wallet.client.proposals.power(proposal, self.wallet.address_text(voter.address))
        self._check(shown, voter, answer)
        return answer

    def _check(self, shown: Answer, voter: Signer, answer: Answer) -> tuple[PowerProof, ...]:
        root, slots = Hash(bytes.fromhex(shown["snapshot"]["root"])), int(shown["snapshot"]["slots"])
        program, campaign = ProgramId(bytes.fromhex(shown["program"])), shown["weight"]["campaign"]
        proofs: list[PowerProof] = []
        for found in answer["proofs"]:
            path = tuple(Hash(bytes.fromhex(node)) for node in found["path"])
            proof = PowerProof(int(found["number"]), bytes.fromhex(found["value"]), Slot(int(found["slot"])), path)
            if campaign is None:
                key = member_key(program, voter.address)
            else:
                key = pledge_key(CampaignId(bytes.fromhex(campaign)), proof.number)
            if not verify_inclusion(root, record_leaf(key, proof.value), proof.slot, slots, proof.path):
                raise WalletError(BAD_POWER)
            proofs.append(proof)
        return tuple(proofs)

    def cast(self, proposal: ProposalId, choice: Sequence[int], *, payment: str = POOL) -> Sent:
        """An open ballot. It can't be changed."""
        shown = self.read(proposal)
        voter = self.signer(shown)
        payload = CastBallot(proposal, tuple(choice), self._proofs(proposal, shown, voter))
        return self._send("ballot.cast", payload, shown, voter, payment)

    def commit(self, proposal: ProposalId, choice: Sequence[int], *, payment: str = POOL) -> Sent:
        """A sealed ballot. It can't be changed; `hand_over` lets a node open it in time, `reveal` does so here."""
        shown = self.read(proposal)
        voter = self.signer(shown)
        opening = self.opening(proposal, choice)
        commitment = seal_choice(proposal, voter.address, opening.choice, opening.salt)
        payload = CommitBallot(proposal, commitment, self._proofs(proposal, shown, voter))
        return self._send("ballot.commit", payload, shown, voter, payment)

    def _send(self, kind: str, payload: Any, shown: Answer, voter: Signer, payment: str) -> Sent:
        program = ProgramId(bytes.fromhex(shown["program"]))
        is_main = voter.address == self.wallet.main.address
        return self.wallet.send(kind, payload, voter, payment=None if is_main else choose_payment(payment, program))

    def _proofs(self, proposal: ProposalId, shown: Answer, voter: Signer) -> tuple[PowerProof, ...]:
        address = self.wallet.address_text(voter.address)
        return self._check(shown, voter, self.wallet.client.proposals.power(proposal, address))

    def opening(self, proposal: ProposalId, choice: Sequence[int]) -> RevealBallot:
        """What opens this wallet's sealed ballot, if this was its choice."""
        place = self._place(self.read(proposal))
        first_key = self.wallet.keys.key_at(place, 0).seed
        salt = hmac.new(first_key, SALT_PURPOSE + proposal, sha256).digest()
        return RevealBallot(proposal, self.wallet.keys.signer(place).address, tuple(choice), salt)

    def hand_over(self, opening: RevealBallot) -> Answer:
        """Let the node keep the opening and send it when voting is over. Whoever runs the node can read it before."""
        return self.wallet.client.proposals.hand_over(encode_opening(opening))

    def reveal(self, opening: RevealBallot) -> Sent:
        """Open a sealed ballot; committing has paid for it."""
        return self.wallet.send("ballot.reveal", opening, self.wallet.main, payment=Prepaid())

    def propose(self, draft: ProposalCreate, *, payment: str = POOL) -> Sent:
        """Ask as a member, from the account for the program. The id is `sent.object_id("proposal")`."""
        author = self.wallet.program_signer(draft.program)
        return self.wallet.send("proposal.create", draft, author, payment=choose_payment(payment, draft.program))


class Asker:
    """A program owner's side: what it proposes, answers and fulfils. Signed and paid by its main account."""

    def __init__(self, wallet: Wallet) -> None:
        self.wallet = wallet

    def propose(self, draft: ProposalCreate) -> Sent:
        """Ask. The id is `sent.object_id("proposal")`."""
        return self.wallet.send("proposal.create", draft, self.wallet.main)

    def adopt(self, proposal: ProposalId, *, due_at: Timestamp, why: Hash, product: Hash = NO_HASH) -> Sent:
        """Promise the winner by a time; `why` is the hash of a text that says why (spec TXT-1)."""
        payload = ProposalRespond(proposal, Adopt(due_at, product), why)
        return self.wallet.send("proposal.respond", payload, self.wallet.main)

    def decline(self, proposal: ProposalId, *, why: Hash) -> Sent:
        """Say no, and why."""
        return self.wallet.send("proposal.respond", ProposalRespond(proposal, Decline(), why), self.wallet.main)

    def fulfil(self, proposal: ProposalId, *, evidence: Hash) -> Sent:
        """Say that what was adopted is done; `evidence` is a hash of what shows it."""
        return self.wallet.send("obligation.fulfil", ObligationFulfil(proposal, evidence), self.wallet.main)


def hash_evidence(file: bytes) -> Hash:
    """The hash under which a file that shows what was done is named: SHA-256 of its bytes, as any tool computes it."""
    return Hash(sha256(file).digest())
