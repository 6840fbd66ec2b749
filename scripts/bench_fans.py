"""A made-up shop and its fans, for the bench of messages: a chain, and a receipt store with a year's purchases and messages.

Everything on the chain is signed and mined, as in `bench_world`: fans that joined, let the program personalise, and had each week's
points settled. Receipts are signed by the till. Messages are those that the node decided, in the weeks before.
"""

import asyncio
import json
import random
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.consent.gate import ConsentGate
from api.http.app import RECEIPTS_FILE
from api.http.receipt_desk import ReceiptDesk
from api.personalization.consent_gate import PersonalGate
from api.personalization.pacing import OPENED
from api.personalization.service import Personalization
from api.receipts.inbox import KeptFeedback
from api.receipts.lines import lines_root
from api.receipts.store import KeptReceipt, ReceiptStore
from api.wallet.sealing import PeriodRule
from bench_chain import (
    DATABASE,
    DAY_SECONDS,
    FUNDS,
    GENESIS_TIME,
    Filler,
    Owner,
    fan,
    open_program,
    opened_chain,
    transfer_to,
)
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.receipts import Receipt, encode_receipt, sign_receipt
from ledger.domains.rewards.reward_list import RewardList
from ledger.transaction import Prepaid, Sponsored
from ledger.types import Amount, ChainId, Hash, Points, ProgramId, Timestamp
from node.clock import ManualClock
from node.store.engine import open_engine
from node.store.reader import Reader

WEEKS: Final = 40
"""Each fan has bought once in each: so many receipts."""
WEEK_SECONDS: Final = 7 * DAY_SECONDS
PRODUCTS: Final = 1_500
CATEGORIES: Final = 60
LINES: Final = 6
USUAL: Final = 12
"""Products from which a fan takes most of its lines."""
DECIDED_BEFORE_DAYS: Final = (25, 21, 17, 13, 9, 5, 2)
"""How long before the measurement the node decided messages; after each, fans open some."""
RECALLED: Final = "item-0"
"""Called back, and bought by nobody before the measurement: who buys it is told at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder that is ready, for which moment, and what its fans will send: a receipt and a revocation each."""

    program: ProgramId
    now: Timestamp
    receipts: Sequence[bytes]
    revocations: Sequence[bytes]


class NobodyRevoked:
    """Stands for the revocations that a node has received, where no node runs."""

    async def load(self) -> None:
        """There are none."""

    def stands(self, *_: Any) -> bool:
        """None."""
        return False


def prepare_fans(folder: Path, count: int) -> Prepared:
    """Fill the chain and the receipt store in a folder."""
    chance = random.Random("fans")
    with opened_chain(folder) as chain:
        filler = Filler(chain, "fans")
        program = open_shop(filler, count)
        till, store = Till(program, chain.chain_id), ReceiptStore(f"sqlite:///{folder / RECEIPTS_FILE}")
        put_feed(store, program, Timestamp(GENESIS_TIME), cheaper=0)
        tastes = [chance.sample(range(1, PRODUCTS), USUAL) for _ in range(count)]
        for _ in range(WEEKS):
            live_week(filler, till, store, tastes)
        now = Timestamp(chain.tip.header.time + 3_600)
        put_feed(store, program, Timestamp(now - 3 * DAY_SECONDS), cheaper=100)
        revoke = ConsentRevoke(program, PERSONALISE, "")
        revocations = [filler.sign(fan(i), "consent.revoke", revoke, payment=Prepaid()) for i in range(count)]
        receipts = [till.hand_over(till.sign(i, now, [(RECALLED, 1, 500)])) for i in range(count)]
    asyncio.run(decide_messages(folder, store, program, count, now))
    return Prepared(program, now, receipts, revocations)


def open_shop(filler: Filler, count: int) -> ProgramId:
    """The program with its rewards and members, who all let it personalise."""
    treasury, issuer, brand = Owner.of("treasury"), Owner.of("issuer"), Owner.of("brand")
    program = open_program(filler)
    rewards = [RewardList(program, f"Reward {n}", Points(2_000 * n), 10, value_cents=1_000 * n) for n in range(1, 6)]
    filler.mine(filler.sign(brand, "reward.list", reward) for reward in rewards)
    join, agree = MemberJoin(program, issuer.address), ConsentGrant(program, PERSONALISE, "", Timestamp(0))
    filler.mine(filler.sign(treasury, "transfer", transfer_to(fan(i).address, FUNDS)) for i in range(count))
    filler.mine(
        filler.sign(fan(i), "member.join", join, payment=Sponsored(program), cosigners=(issuer,)) for i in range(count)
    )
    filler.mine(filler.sign(fan(i), "consent.grant", agree) for i in range(count))
    return program


class Till:
    """Signs receipts, numbered on."""

    def __init__(self, program: ProgramId, chain_id: ChainId) -> None:
        self.program, self._chain_id, self._sequence = program, chain_id, 0
        self._periods = PeriodRule(-300, 7, 0)
        self._owner = Owner.of("issuer")

    def sign(self, index: int, time: int, lines: Sequence[tuple[str, int, int]]) -> KeptReceipt:
        """What a fan bought, as a store keeps it."""
        self._sequence += 1
        salt = self._sequence.to_bytes(4, "big") * 8
        cents = sum(line[2] for line in lines)
        receipt = Receipt(
            version=1,
            program=self.program,
            terms_version=1,
            member=fan(index).address,
            till=self._owner.key,
            sequence=self._sequence,
            time=Timestamp(time),
            net_cents=Amount(cents),
            paid_with_points_cents=0,
            codes=(),
            lines_root=Hash(lines_root(salt, lines)),
            points=Points(cents // 10),
        )
        signed = sign_receipt(receipt, salt, self._chain_id, self._owner.seed)
        return KeptReceipt(signed, tuple(lines), self._periods.period_of(Timestamp(time)), Timestamp(time))

    def hand_over(self, kept: KeptReceipt) -> bytes:
        """The body by which a till hands a receipt over, in JSON."""
        receipt = b64encode(encode_receipt(kept.signed)).decode()
        return json.dumps({"receipt": receipt, "lines": kept.lines}).encode()


def live_week(filler: Filler, till: Till, store: ReceiptStore, tastes: Sequence[Sequence[int]]) -> None:
    """Each fan buys once, on its own weekday more often than not; a block a week later settles the week before."""
    chance, issuer, program_id = filler.random, Owner.of("issuer"), till.program
    begins = filler.chain.tip.header.time
    for index, usual in enumerate(tastes):
        day = index % 7 if chance.random() < 0.7 else chance.randrange(7)
        time = begins + day * DAY_SECONDS + (index % 12) * 3_600
        chosen = [*chance.sample(usual, LINES - 1), chance.randrange(1, PRODUCTS)]
        store.add(till.sign(index, time, [(f"item-{number}", 1, 200 + number % 900) for number in chosen]))
    last_week = (begins + WEEK_SECONDS) // WEEK_SECONDS - 1
    entries = tuple(
        SealedEntry(
            member=fan(index).address,
            period=last_week,
            points=Points(chance.randint(1, 400)),
            receipts=Hash(chance.randbytes(32)),
            remainder=Hash(chance.randbytes(32)),
        )
        for index in range(len(tastes))
    )
    earn = filler.sign(issuer, "earn", Earn(program_id, entries), payment=Sponsored(program_id))
    block = filler.mine([earn], WEEK_SECONDS)
    assert not any(code for codes in block.results for code in codes), "each entry is applied"


def put_feed(store: ReceiptStore, program: ProgramId, now: Timestamp, *, cheaper: int) -> None:
    """All products; the first ones `cheaper` by so many cents."""
    store.products.put(program, list(_feed(cheaper)), now, zone="Asia/Seoul", is_whole=True)


def _feed(cheaper: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(PRODUCTS):
        document: dict[str, Any] = {
            "names": {"en": f"Product {number}", "ko": f"상품 {number}"},
            "category": f"category {number % CATEGORIES}",
            "price_cents": 1_000 + number - (cheaper if number % 20 == 1 else 0),
            "pairs_with": [f"item-{(number * 7 + step) % PRODUCTS}" for step in (1, 2, 3)],
            "lasts": number % 10 == 3,
        }
        if number % 20 == 5:
            document["how_to"] = {"en": "Rinse it first.", "ko": "먼저 헹구세요."}
        if cheaper and not number:
            document["recall"] = {"en": "Glass was found.", "ko": "유리가 발견되었습니다."}
        yield f"item-{number}", document


async def decide_messages(folder: Path, store: ReceiptStore, program: ProgramId, count: int, now: Timestamp) -> None:
    """What the node says to each fan in the weeks before, and which of it is opened. Closes the store."""
    reader = Reader(open_engine(f"sqlite:///{folder / DATABASE}", read_only=True))
    clock, desk, nobody, chance = ManualClock(now), ReceiptDesk(store), NobodyRevoked(), random.Random("opened")
    gate = PersonalGate(reader, ConsentGate(nobody, clock), desk, clock)  # type: ignore[arg-type] - nobody revokes in a bench
    personal = Personalization(reader, gate, desk, clock)
    for days in DECIDED_BEFORE_DAYS:
        clock.set(Timestamp(now - days * DAY_SECONDS))
        for index in range(count):
            for message in await personal.messages(fan(index).address, program):
                if chance.random() < 0.3:
                    at = clock.now()
                    said = KeptFeedback(Hash(bytes.fromhex(message["id"])), fan(index).address, program, OPENED, at, at)
                    await desk.run(lambda open_store, said=said: open_store.inbox.add_feedback(said))
    desk.close()
    reader.close()
