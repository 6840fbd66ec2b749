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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from bench_chain import (
    DATABASE,
    DAY_SECONDS,
    FUNDS,
    GENESIS_TIME,
    NONCES,
    Filler,
    Owner,
    fan,
    find_program,
    in_parts,
    open_program,
    opened_chain,
    transfer_to,
)
from ledger import difficulty, keys
from ledger.block import Block
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.state import (
    load_program,
    load_terms,
)
from ledger.header import VERSION_BASE, Header
from ledger.networks import EASIEST_BITS, make_era
from ledger.pow import target_from_compact
from ledger.state import Overlay
from ledger.transaction import (
    Sponsored,
)
from ledger.types import (
    BlockHash,
    CompactBits,
    Hash,
    Height,
    Points,
    PublicKey,
    Signature,
    Timestamp,
)
from node.mining.engine import search_range

WEEK_SECONDS = 7 * DAY_SECONDS
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
    refunds: int
    group_members: int
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
    refunds=1_000,
    group_members=30_000,
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
    refunds=100,
    group_members=900,
    hashes=200_000,
    http_seconds=1.0,
)
GROWTH = tuple(
    replace(FULL, name=f"grown-{accounts}", accounts=accounts, members=0) for accounts in (10_000, 100_000, 1_000_000)
)
"""The same blocks of transfers on ever more accounts."""
GROWTH_QUICK = (replace(QUICK, name="grown-quick", members=0),)
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
    headers=500,
)
"""For the fingerprint, and for tests."""


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
            program = open_program(filler)
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
