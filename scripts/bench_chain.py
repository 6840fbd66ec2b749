"""A private chain that is filled with real signed transactions, block by block, deterministically from names as seeds."""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger import keys
from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import (
    SCOPES_ALL,
    RatePerAmount,
    RollingExpiry,
    SponsorPolicy,
    Terms,
)
from ledger.fork_choice import TieKey
from ledger.hashing import object_id
from ledger.networks import SIM_ERA, private_params
from ledger.params import Allocation, Params
from ledger.policy import address_of_key, single_key_policy
from ledger.transaction import (
    ENVELOPE_VERSION,
    Body,
    OwnFee,
    Payment,
    Witness,
    decode_transaction,
    encode_body,
    encode_transaction,
    signing_hash,
)
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    Height,
    Points,
    PrivateSeed,
    ProgramId,
    PublicKey,
    Timestamp,
)
from node.chain import Chain
from node.clock import ManualClock
from node.mining.engine import search_range
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.store.engine import open_engine
from node.store.migrate import migrate

DATABASE = "chain.sqlite"
GENESIS_TIME = 1_700_000_000
END_OF_TIME = 2**32 - 1
DAY_SECONDS = 86_400
FEE = Amount(5_000)
"""Above the least fee of each transaction here."""
FUNDS = Amount(10**9)
POOL_FUNDS = Amount(10**13)
NONCES = 1_000_000
OWNERS_REMEMBERED = 200_000


# --- accounts and transactions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """One account's key."""

    seed: PrivateSeed
    key: PublicKey
    address: Address

    @staticmethod
    def of(name: str) -> "Owner":
        """The owner whose seed is the hash of a name."""
        seed = PrivateSeed(sha256(f"fansumer bench {name}".encode()).digest())
        key = keys.public_key_of(seed)
        return Owner(seed, key, address_of_key(key))

    def sign(self, message: bytes) -> Witness:
        """The witness of an ordinary account."""
        return Witness(single_key_policy(self.key), ((0, keys.sign(self.seed, message)),))


@lru_cache(maxsize=OWNERS_REMEMBERED)
def fan(index: int) -> Owner:
    """The owner of account number `index`."""
    return Owner.of(f"fan {index}")


def bench_params() -> Params:
    """A private chain with trivial work that is driven by the bench's own clock."""
    treasury = Allocation(Owner.of("treasury").address, Amount(10**17))
    return private_params(name="bench", genesis_time=Timestamp(GENESIS_TIME), eras=(SIM_ERA,), allocations=(treasury,))


def bench_terms() -> Terms:
    """Weekly settlement, points usable after a fortnight and for a year, a sponsor policy without practical limits."""
    unlimited = Amount(INTEGER_MAX)
    return Terms(
        rules=(RatePerAmount(Points(1), 10),),
        expiry=RollingExpiry(365),
        activation_delay_days=14,
        return_window_days=14,
        period_days=7,
        period_anchor_day=0,
        settle_grace_days=7,
        remainder_max=Points(100),
        issuance_cap=Points(2**50),
        hold_seconds=DAY_SECONDS,
        notice_days=30,
        sponsor=SponsorPolicy(Amount(1), unlimited, unlimited, unlimited),
    )


# --- a chain that is filled block by block -----------------------------------------------------------------------------------


@contextmanager
def opened_chain(folder: Path, url: str | None = None) -> Iterator[Chain]:
    """The chain in a folder, or at a URL, with a clock that finds nothing too early.

    Closed, the chain of a folder is one file without a write-ahead log.
    """
    engine = open_engine(url or f"sqlite:///{folder / DATABASE}")
    migrate(engine)
    chain = Chain(engine, bench_params(), ManualClock(END_OF_TIME), TieKey(bytes(32)))
    try:
        yield chain
    finally:
        chain.close()
        engine.dispose()


class Filler:
    """Builds, mines and accepts blocks on a chain. Its randomness is seeded with its purpose."""

    def __init__(self, chain: Chain, purpose: str) -> None:
        self.chain = chain
        self.random = random.Random(purpose)
        self._miner = Owner.of("miner")

    @property
    def height(self) -> Height:
        """Height of the block to come."""
        return Height(self.chain.tip.height + 1)

    def sign(
        self,
        owner: Owner,
        kind: str,
        payload: Any,
        *,
        payment: Payment | None = None,
        cosigners: Sequence[Owner] = (),
    ) -> bytes:
        """A signed transaction for the next block."""
        body = Body(
            version=ENVELOPE_VERSION,
            chain_tag=self.chain.chain_id[:4],
            kind=kind,
            salt=self.random.randbytes(8),
            author=owner.address,
            valid_from=self.height,
            valid_until=Height(self.height + 99),
            payment=OwnFee(FEE) if payment is None else payment,
        )
        body_bytes = encode_body(body, payload)
        message = signing_hash(self.chain.chain_id, body_bytes)
        return encode_transaction(body_bytes, tuple(signer.sign(message) for signer in (owner, *cosigners)))

    def mine(self, transactions: Iterable[bytes], seconds_later: int = 60) -> Block:
        """The next block with all of these transactions, accepted."""
        decoded = [decode_transaction(raw, self.chain.chain_id) for raw in transactions]
        then = Timestamp(self.chain.tip.header.time + seconds_later)
        template = self.chain.build_template(decoded, pay_all_to(self._miner.address), then)
        assert not template.dropped, f"a prepared transaction is not valid: {template.dropped[0][1]}"
        nonce = search_range(struct_prefix(template), template.target, 0, NONCES)
        assert nonce is not None, "trivial work is found at once"
        block = with_nonce(template, nonce)
        accepted = self.chain.accept_block(block)
        assert accepted.is_tip, "the block extends the tip"
        return block


def transfer_to(address: Address, amount: int) -> Transfer:
    """A transfer to an account."""
    return Transfer(ToAccount(address), Amount(amount))


def in_parts(count: int, size: int) -> Iterator[range]:
    """0..count-1 in ranges of at most `size`."""
    return (range(start, min(start + size, count)) for start in range(0, count, size))


def find_program(chain: Chain) -> ProgramId:
    """The bench's one program, by the transaction that made it."""
    owner = Owner.of("brand").address
    for height in range(1, chain.tip.height + 1):
        block = chain.block_at(Height(height))
        assert block is not None, "the active chain is whole"
        for raw in block.transactions:
            transaction = decode_transaction(raw, chain.chain_id)
            if transaction.author == owner and transaction.kind.name == "program.create":
                return ProgramId(object_id("program", transaction.txid, 0))
            break  # it is the first of its block
    raise AssertionError("the store was prepared with a program")


def open_program(filler: Filler) -> ProgramId:
    """Fund a brand and its issuer; create the program, fill its pool, let the issuer settle and enrol."""
    brand, issuer, treasury = Owner.of("brand"), Owner.of("issuer"), Owner.of("treasury")
    filler.mine(
        [
            filler.sign(treasury, "transfer", transfer_to(brand.address, 2 * POOL_FUNDS)),
            filler.sign(treasury, "transfer", transfer_to(issuer.address, FUNDS)),
        ]
    )
    filler.mine([filler.sign(brand, "program.create", ProgramCreate("Bench", "points", 0, -300, bench_terms()))])
    program = find_program(filler.chain)
    filler.mine(
        [
            filler.sign(brand, "transfer", Transfer(ToPool(program), POOL_FUNDS)),
            filler.sign(brand, "issuer.grant", IssuerGrant(program, issuer.address, SCOPES_ALL, Points(2**50))),
        ]
    )
    return program
