"""What the benches work on: a store with many accounts, blocks to replay on it, and a long row of headers.

Everything is made once through the node's own doors (`Chain.build_template`, `Chain.accept_block`) with real signed transactions,
deterministically from fixed seeds, and kept in a folder:

    base/       chain.sqlite: every account funded, one program with a filled fee pool, its members joined
    transfers/  blocks of transfers between random accounts, to be put on a copy of base
    earn/       weekly blocks of sealed entries, to be put on a copy of base
    settled/    base after the blocks of earn: what the HTTP bench reads
    headers/    raw headers of a chain with the dev network's schedule and little work
"""

import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger import difficulty, keys
from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import (
    SCOPES_ALL,
    RatePerAmount,
    RollingExpiry,
    SponsorPolicy,
    Terms,
    load_program,
    load_terms,
)
from ledger.fork_choice import TieKey
from ledger.hashing import object_id
from ledger.header import VERSION_BASE, Header
from ledger.networks import EASIEST_BITS, SIM_ERA, make_era, private_params
from ledger.params import Allocation, Params
from ledger.policy import address_of_key, single_key_policy
from ledger.pow import target_from_compact
from ledger.state import Overlay
from ledger.transaction import (
    ENVELOPE_VERSION,
    Body,
    OwnFee,
    Payment,
    Sponsored,
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
    BlockHash,
    CompactBits,
    Hash,
    Height,
    Points,
    PrivateSeed,
    ProgramId,
    PublicKey,
    Signature,
    Timestamp,
)
from node.chain import Chain
from node.clock import ManualClock
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.mining.search import search_range
from node.store.engine import open_engine
from node.store.migrate import migrate

DATABASE = "chain.sqlite"
GENESIS_TIME = 1_700_000_000
END_OF_TIME = 2**32 - 1
DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
FEE = Amount(5_000)
"""Above the least fee of each transaction here."""
FUNDS = Amount(10**9)
POOL_FUNDS = Amount(10**13)
NONCES = 1_000_000
POINTS_MAX = 900


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. `FULL` is what the targets are about; `QUICK` only shows that the benches work."""

    name: str
    accounts: int
    members: int
    transfers_per_block: int
    transfer_blocks: int
    entries_per_batch: int
    batches_per_block: int
    earn_blocks: int
    leaves: int
    changes: int
    headers: int
    signatures: int
    hashes: int
    http_seconds: float


FULL = Sizes(
    name="full",
    accounts=100_000,
    members=10_000,
    transfers_per_block=4_000,
    transfer_blocks=10,
    entries_per_batch=500,
    batches_per_block=8,
    earn_blocks=5,
    leaves=2**20,
    changes=4_000,
    headers=200_000,
    signatures=20_000,
    hashes=3_000_000,
    http_seconds=8.0,
)
QUICK = Sizes(
    name="quick",
    accounts=2_000,
    members=500,
    transfers_per_block=500,
    transfer_blocks=3,
    entries_per_batch=100,
    batches_per_block=4,
    earn_blocks=2,
    leaves=2**14,
    changes=500,
    headers=5_000,
    signatures=1_000,
    hashes=200_000,
    http_seconds=1.0,
)
SMALLEST = replace(
    QUICK,
    name="smallest",
    accounts=20,
    members=10,
    transfers_per_block=10,
    transfer_blocks=1,
    entries_per_batch=10,
    batches_per_block=1,
    earn_blocks=1,
)
"""For the fingerprint."""


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


@lru_cache(maxsize=FULL.accounts)
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
def opened_chain(folder: Path) -> Iterator[Chain]:
    """The chain in a folder, with a clock that finds nothing too early. Closed, it is one file without a write-ahead log."""
    engine = open_engine(f"sqlite:///{folder / DATABASE}")
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


# --- preparations ------------------------------------------------------------------------------------------------------------


class World:
    """A folder with what is prepared. Each property makes what it names if it is not there yet."""

    def __init__(self, folder: Path, sizes: Sizes, say: Callable[[str], None]) -> None:
        self.sizes = sizes
        self.folder = folder
        self._say = say

    def part(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of one preparation, made whole or not at all."""
        ready, unfinished = self.folder / name, self.folder / f"{name}.part"
        if not ready.exists():
            started = time.perf_counter()
            self._say(f"preparing {name} ...")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            make(unfinished)
            unfinished.rename(ready)
            self._say(f"preparing {name}: {time.perf_counter() - started:.0f} s")
        return ready

    @property
    def base(self) -> Path:
        """The store that the measured blocks are put on."""
        return self.part("base", self._make_base)

    @property
    def transfers(self) -> Path:
        """Blocks of transfers."""
        return self.part("transfers", self._make_transfers)

    @property
    def earn(self) -> Path:
        """Blocks of sealed entries."""
        return self.part("earn", self._make_earn)

    @property
    def settled(self) -> Path:
        """The store after the blocks of `earn`."""
        return self.part("settled", self._make_settled)

    @property
    def headers(self) -> Path:
        """Headers in one file, `headers.bin`."""
        return self.part("headers", self._make_headers)

    def _make_base(self, folder: Path) -> None:
        sizes = self.sizes
        with opened_chain(folder) as chain:
            filler, treasury = Filler(chain, "base"), Owner.of("treasury")
            for part in in_parts(sizes.accounts, sizes.transfers_per_block):
                filler.mine(filler.sign(treasury, "transfer", transfer_to(fan(i).address, FUNDS)) for i in part)
            program = _open_program(filler)
            issuer = Owner.of("issuer")
            join = MemberJoin(program, issuer.address)
            for part in in_parts(sizes.members, sizes.transfers_per_block):
                filler.mine(
                    filler.sign(fan(i), "member.join", join, payment=Sponsored(program), cosigners=(issuer,))
                    for i in part
                )
            filler.mine((), WEEK_SECONDS + DAY_SECONDS)  # a whole week lies behind each member, to be settled

    def _make_transfers(self, folder: Path) -> None:
        sizes = self.sizes

        def random_transfer(filler: Filler) -> bytes:
            sender, recipient = filler.random.sample(range(sizes.accounts), 2)
            payload = transfer_to(fan(recipient).address, filler.random.randint(1_000, 5_000))
            return filler.sign(fan(sender), "transfer", payload)

        self._make_blocks(
            folder,
            sizes.transfer_blocks,
            lambda filler: filler.mine(random_transfer(filler) for _ in range(sizes.transfers_per_block)),
        )

    def _make_earn(self, folder: Path) -> None:
        self._make_blocks(folder, self.sizes.earn_blocks, self._mine_week)

    def _mine_week(self, filler: Filler) -> Block:
        """A block a week later, with last week's entries of random members."""
        sizes, issuer = self.sizes, Owner.of("issuer")
        program_id = find_program(filler.chain)
        view, now = Overlay(filler.chain.state), filler.chain.next_context().time
        program = load_program(view, program_id)
        terms = load_terms(view, program_id, program.version_at(now))
        last_week = (program.day_at(now) - terms.period_anchor_day) // terms.period_days - 1
        chance = filler.random

        def batch() -> bytes:
            entries = tuple(
                SealedEntry(
                    member=fan(chance.randrange(sizes.members)).address,
                    period=last_week,
                    points=Points(chance.randint(1, POINTS_MAX)),
                    receipts=Hash(chance.randbytes(32)),
                    remainder=Hash(chance.randbytes(32)),
                )
                for _ in range(sizes.entries_per_batch)
            )
            return filler.sign(issuer, "earn", Earn(program_id, entries), payment=Sponsored(program_id))

        block = filler.mine((batch() for _ in range(sizes.batches_per_block)), WEEK_SECONDS)
        assert not any(code for codes in block.results for code in codes), "each entry is applied"
        return block

    def _make_blocks(self, folder: Path, count: int, mine: Callable[[Filler], Block]) -> None:
        """Mine blocks on a copy of `base` and keep their bytes."""
        work = folder / "work"
        copy_store(self.base, work)
        with opened_chain(work) as chain:
            filler = Filler(chain, folder.name)
            for number in range(count):
                (folder / f"{number:04}.block").write_bytes(mine(filler).encode())
        shutil.rmtree(work)

    def _make_settled(self, folder: Path) -> None:
        copy_store(self.base, folder)
        with opened_chain(folder) as chain:
            for raw in read_blocks(self.earn):
                chain.accept_block(Block.decode(raw))

    def _make_headers(self, folder: Path) -> None:
        (folder / "headers.bin").write_bytes(b"".join(_mine_headers(self.sizes.headers)))


def fingerprint() -> str:
    """Changes with the bytes of blocks and with the store's tables, not with their speed: a small world's hash.

    What was prepared by an older ledger is not taken for the present one's.
    """
    digest = sha256()
    with tempfile.TemporaryDirectory(prefix="fansumer-bench-") as name:
        world = World(Path(name), SMALLEST, lambda _: None)
        for raw in (*read_blocks(world.transfers), *read_blocks(world.earn)):
            digest.update(raw)
        database = sqlite3.connect(world.base / DATABASE)
        for (statement,) in database.execute("SELECT sql FROM sqlite_schema ORDER BY name"):
            digest.update(str(statement).encode())
        database.close()
    return digest.hexdigest()[:12]


def copy_store(source: Path, target: Path) -> None:
    """A closed store in another folder, which may exist."""
    target.mkdir(exist_ok=True)
    shutil.copyfile(source / DATABASE, target / DATABASE)


def read_blocks(folder: Path) -> list[bytes]:
    """The bytes of prepared blocks, in their order."""
    return [path.read_bytes() for path in sorted(folder.glob("*.block"))]


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


def _open_program(filler: Filler) -> ProgramId:
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


# --- headers -----------------------------------------------------------------------------------------------------------------

HEADER_ANCHOR_BITS = CompactBits(0x203FFFFF)
"""Four hashes a block: below the limit, so that the bits move both ways as a living chain's do."""


def header_eras() -> difficulty.Eras:
    """The dev network's schedule, with less work."""
    era = make_era(0, 5, limit_bits=EASIEST_BITS, anchor_bits=HEADER_ANCHOR_BITS, retarget=True)
    start, block_time_s, half_life_s, limit, anchor, retarget = era
    return (
        difficulty.Era(
            Height(start), block_time_s, half_life_s, CompactBits(limit), CompactBits(anchor), bool(retarget)
        ),
    )


def header_start() -> tuple[difficulty.DifficultyState, BlockHash]:
    """What stands before the first header."""
    return difficulty.initial(header_eras(), Timestamp(GENESIS_TIME)), BlockHash(bytes(32))


def _mine_headers(count: int) -> Iterator[bytes]:
    """Headers whose times are those of a constant hash rate, so that the difficulty answers as on a real chain."""
    eras = header_eras()
    state, previous = header_start()
    chance = random.Random("headers")
    anchor_target = target_from_compact(HEADER_ANCHOR_BITS)
    for _ in range(count):
        bits = difficulty.next_bits(eras, state)
        target = target_from_compact(bits)
        elapsed_s = max(1, round(chance.expovariate(1.0) * eras[0].block_time_s * anchor_target / target))
        when = Timestamp(state.time + elapsed_s)
        header = Header(VERSION_BASE, previous, Hash(chance.randbytes(32)), when, bits, 0).encode()
        nonce = search_range(header[:76], target, 0, NONCES)
        assert nonce is not None, "little work is found soon"
        raw = header[:76] + nonce.to_bytes(4, "little")
        state, previous = difficulty.advance(eras, state, when), Header.decode(raw).hash
        yield raw


def signed_messages(count: int) -> list[tuple[PublicKey, bytes, Signature]]:
    """Good signatures by as many keys."""
    chance = random.Random("signatures")
    messages = [chance.randbytes(32) for _ in range(count)]
    return [(fan(i).key, message, keys.sign(fan(i).seed, message)) for i, message in enumerate(messages)]
