"""People who send transactions to nodes that come and go, as a wallet does: what is not in a block after a while is sent again."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import Amount, Height
from tests.support.cluster.nodes import Away, ClusterNode
from tests.support.memory_chain import Scenario, Signer

SENDERS = tuple(Signer.named(f"sender {number}") for number in range(12))
SEND_AGAIN_SECONDS = 15.0
FINAL_CODES = ("envelope.expired", "mempool.replaced")


@dataclass(slots=True)
class Sending:
    """One transaction, and what became of it so far."""

    transaction: Transaction
    sent_at: float = 0.0
    times: int = 0
    was_taken: bool = False
    refused: str = ""
    height: int | None = None
    codes: list[str] = field(default_factory=list)


class Senders:
    """Signs, sends, looks after what was sent."""

    def __init__(self, params: Params, rng: random.Random) -> None:
        self._scenario = Scenario(params=params)
        self._params, self._rng = params, rng
        self.all: list[Sending] = []
        self.forgotten = 0
        """Taken by a node that was killed before it told others; sent again by who had sent it."""

    def send(self, node: ClusterNode, height: int) -> None:
        """Somebody sends something new."""
        author = self._rng.choice(SENDERS)
        # One in twelve is more than its author can have: refused, and the reason must be there.
        amount = Amount(10**15 if self._rng.random() < 1 / 12 else self._rng.randrange(2_000, 90_000))
        receiver = self._rng.choice(SENDERS).address
        begin = max(height - 5, 1)
        transaction = self._scenario.sign(
            "transfer",
            Transfer(ToAccount(receiver), amount),
            author=author,
            valid_from=Height(begin),
            valid_until=Height(begin + self._params.validity_blocks_max - 1),
        )
        self.all.append(Sending(transaction))
        self._submit(node, self.all[-1])

    def _submit(self, node: ClusterNode, sending: Sending) -> None:
        sending.sent_at = time.monotonic()
        try:
            answer = node.ask(
                "POST",
                "/v1/transactions",
                content=sending.transaction.raw,
                headers={"content-type": "application/msgpack"},
            )
        except Away:
            return
        sending.times += 1
        if answer.is_success:
            self.forgotten += sending.was_taken
            sending.was_taken = True
        elif answer.status_code < 500:
            code = answer.json()["code"]
            sending.codes.append(code)
            if code not in ("transaction.repeated", "http.rate") and not sending.was_taken:
                sending.refused = code

    def send_again(self, node: ClusterNode, count: int) -> None:
        """Look whether what was sent a while ago is known there, and send it again where it is not."""
        now = time.monotonic()
        open_ones = [one for one in self.all if not one.refused and one.height is None]
        for one in [found for found in open_ones if now - found.sent_at > SEND_AGAIN_SECONDS][:count]:
            one.sent_at = now
            try:
                self.look(node, one)
            except Away:
                return
            if one.height is None and not one.refused:
                self._submit(node, one)

    def doubt_all(self) -> None:
        """The chain is another one now: whatever was in a block is looked for again."""
        for one in self.all:
            one.height, one.sent_at = None, 0.0

    def look(self, node: ClusterNode, one: Sending) -> str:
        """What a node says of a transaction; what is in a block may be taken back, so this is asked again at the end."""
        answer = node.ask("GET", f"/v1/transactions/{one.transaction.txid.hex()}")
        if answer.status_code == 404:
            one.height = None
            return "unknown"
        if not answer.is_success:
            raise Away(answer.text[:200])
        found = answer.json()
        one.height = found.get("height")
        if found["status"] == "dropped":
            one.codes.append(found["code"])
            if found["code"] in FINAL_CODES:
                one.refused = found["code"]
        return found["status"]

    def judge(self, node: ClusterNode) -> tuple[Counter[str], list[str]]:
        """What became of everything by one node's word; and what is lost, by txid."""
        counts: Counter[str] = Counter()
        lost: list[str] = []
        for one in self.all:
            status = self.look(node, one)
            if status == "confirmed":
                counts["in the chain"] += 1
            elif status == "unconfirmed":
                counts["waiting"] += 1
            elif one.refused or one.codes:
                counts[f"refused: {one.refused or one.codes[-1]}"] += 1
            elif not one.times:
                counts["never reached a node"] += 1
            else:
                lost.append(one.transaction.txid.hex())
        return counts, lost
