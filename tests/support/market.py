"""A program with a filled pool, its till, and a fan, all speaking to a node through the API."""

from pathlib import Path
from random import Random

from api.wallet.brand import Brand, Purchase
from api.wallet.enrolment import JoinRequest
from api.wallet.program_file import EXAMPLE, read_program_file
from api.wallet.sealing import Opening
from api.wallet.settlement import SettlementBook, SettlementTerms, Settler
from api.wallet.wallet import Sent, Wallet
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.types import Amount, Points, ProgramId, Timestamp
from tests.support.wallet_node import WalletNode, main_signer, master_of

TERMS_FILE = EXAMPLE.replace("rate = 1 ", "rate = 2 ")
"""The example at the simulated chain's least fee rate."""
TILL_SCOPES = 1 | 2 | 4 | 8


class Market:
    """A program with a filled pool, its till, and a fan who has joined."""

    def __init__(self, node: WalletNode) -> None:
        self.node = node
        self.owner = Brand(Wallet(master_of("owner"), node.client))
        self.till = Brand(Wallet(master_of("till"), node.client))
        self.fan = Wallet(master_of("fan"), node.client)
        program = read_program_file(TERMS_FILE)
        self.program = ProgramId(self.done(self.owner.create_program(program)).object_id("program"))
        self.done(self.owner.wallet.fill_pool(self.program, Amount(5_000_000)))
        till = main_signer("till").address
        self.done(self.owner.grant_issuer(self.program, till, scopes=TILL_SCOPES, daily_cap=Points(10**6)))
        self.member = self.fan.program_signer(self.program).address
        self._sequence = 0

    def done(self, sent: Sent) -> Sent:
        """Wait for the block."""
        self.fan.wait_for(sent)
        return sent

    def enrol(self) -> None:
        """By an invitation."""
        request = self.fan.answer_invitation(self.till.invite(self.program))
        self.done(self.till.enrol(self.program, JoinRequest.from_json(request.to_json())))

    def buy(self, cents: int, till: Brand | None = None) -> SignedReceipt:
        """A receipt under the terms that the node shows, by this till or another one."""
        facts = self.till.read_program(self.program)
        self._sequence += 1
        now = Timestamp(int(self.node.client.chain()["time"]))
        purchase = Purchase(self.member, self._sequence, now, cents)
        return (till or self.till).sign_receipt(self.program, facts, purchase)

    def settler(self, book: Path, seed: int = 1) -> Settler:
        """The till's settling, with remainders from a seed."""
        facts = self.till.read_program(self.program)
        terms = SettlementTerms(facts.periods, facts.terms.remainder_max)
        return Settler(self.till, SettlementBook.load(book, self.program), terms, random=Random(seed))

    def settle(self, book: Path, *receipts: SignedReceipt, last: bool = True) -> list[Opening]:
        """Settle, and hand out the openings."""
        now = Timestamp(int(self.node.client.chain()["time"]))
        outcome = self.settler(book).settle(receipts, until=now, is_last=last)
        assert not outcome.skipped
        return outcome.openings

    def points(self) -> dict[str, int]:
        """What the fan has."""
        answer = self.node.client.account(self.fan.address_text(self.member))
        return next(found for found in answer["programs"] if found["program"] == self.program.hex())
