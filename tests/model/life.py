"""Somebody's life on the chain: people, how they pay, what they know off chain, and how their transactions go wrong on purpose.

Whoever acts asks a `Chooser` for each choice: a seeded one in long runs, one of hypothesis in the machine. What they choose from is
read off the model, so that most actions are valid, and those that are not are so for a reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, TypeVar

from ledger.networks import COIN
from ledger.params import Allocation, Params
from ledger.registry import KINDS
from ledger.types import Address, Amount, Height, Timestamp
from tests.model.envelope import PREPAID_WEIGHTS, pool_pays_for
from tests.model.participation_records import Slip
from tests.model.records import DAY, M
from tests.model.returns import Return
from tests.model.transaction import Tx
from tests.model.world import Person, World, person
from tests.second_decoder.hashing import plain

Item = TypeVar("Item")

OWNER, BRAND = person("owner"), person("brand")
TILL, KIOSK = person("till"), person("kiosk")
ANNA, BEN, CARL, DORA, EMIL = FANS = tuple(person(name) for name in ("anna", "ben", "carl", "dora", "emil"))
STRANGER = person("stranger")
PEOPLE = (OWNER, BRAND, TILL, KIOSK, *FANS, STRANGER)
FUNDED = (OWNER, BRAND, TILL, ANNA, BEN, STRANGER)
BY_ADDRESS = {someone.address: someone for someone in PEOPLE}
NOWHERE = bytes(32)
IDLE_PERCENT = 90


Act = Callable[["Life"], None]


class Idle(Exception):
    """There is nothing sensible to do for whoever was to act."""


class Chooser(Protocol):
    """Where choices come from."""

    def number(self, low: int, high: int) -> int:
        """Any number from low to high, both included."""
        ...

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        ...


class SeededChooser:
    """Choices from a seed."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def number(self, low: int, high: int) -> int:
        return (
            low + int(self._random.random() * (high - low + 1))
            if high - low < 2**40
            else self._random.randint(low, high)
        )

    def choice(self, items: Sequence[Item]) -> Item:
        return items[int(self._random.random() * len(items))]


@dataclass(frozen=True)
class Receipt:
    """What a till signed (RCP-1), by its fields, with the hash and the leaves that hide them."""

    fields: tuple[Any, ...]
    till: Person
    salt: bytes
    leaves: tuple[bytes, ...]
    hash: bytes
    signature: bytes

    @property
    def program(self) -> bytes:
        return self.fields[1]

    @property
    def version(self) -> int:
        return self.fields[2]

    @property
    def member(self) -> bytes:
        return self.fields[3]

    @property
    def time(self) -> int:
        return self.fields[6]

    @property
    def points(self) -> int:
        return self.fields[11]

    @property
    def offer(self) -> bytes:
        return self.fields[14]


@dataclass(frozen=True)
class PersonalOffer:
    """What a brand hands to a fan (OFR-1)."""

    program: bytes
    member: bytes
    points: int
    expires_at: int
    salt: bytes
    terms: tuple[Any, ...]


@dataclass(frozen=True)
class Settled:
    """What a shop keeps of a sealed entry: what opens it."""

    batch: bytes
    index: int
    period: int
    points: int
    leaves: tuple[tuple[bytes, int], ...]
    salt: bytes
    before: tuple[bytes, int]
    after: tuple[bytes, int]


@dataclass
class Life:
    """A world, and those who act in it."""

    world: World
    choose: Chooser
    receipts: list[Receipt] = field(default_factory=list)
    openings: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    evidences: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    offers: dict[bytes, PersonalOffer] = field(default_factory=dict)
    vouchers: list[tuple[Person, int, Person]] = field(default_factory=list)
    ballots: dict[tuple[bytes, bytes], tuple[tuple[int, ...], bytes]] = field(default_factory=dict)
    slips: list[Slip] = field(default_factory=list)
    drawn: int = 0

    def __post_init__(self) -> None:
        for someone in PEOPLE:
            self.world.policies[someone.address] = someone.policy

    # --- choices ---

    @property
    def model(self):
        """What most choices are made from."""
        return self.world.model

    def chance(self, percent: int) -> bool:
        """Whether something happens."""
        return self.choose.number(1, 100) > 100 - percent

    def some(self, likely: Sequence[Item], anything: Sequence[Item], percent: int = 88) -> Item:
        """One of the likely ones, now and then any. Where none is likely, there is mostly nothing to do: `Idle`."""
        if likely and self.chance(percent):
            return self.choose.choice(likely)
        if not likely and self.chance(IDLE_PERCENT):
            raise Idle
        return self.choose.choice(anything)

    def fresh(self) -> bytes:
        """32 bytes that nobody has seen."""
        self.drawn += 1
        return plain(b"fresh" + self.drawn.to_bytes(8, "big") + self.world.steps.to_bytes(8, "big"))

    def any_program(self) -> bytes:
        """A program, hardly ever one that does not exist."""
        return self.some(list(self.model.programs), [NOWHERE], 98)

    def owner_of(self, program: bytes) -> bytes:
        """The owner, now and then somebody else."""
        found = self.model.programs.get(program)
        return self.some([found.owner] if found else [], [OWNER.address, TILL.address, ANNA.address], 93)

    def members_of(self, program: bytes) -> list[bytes]:
        """Those that have joined and not left."""
        return [fan for (of, fan), member in self.model.members.items() if of == program and not member.left_at]

    def fan_of(self, program: bytes) -> bytes:
        """Mostly a member."""
        return self.some(self.members_of(program), [fan.address for fan in (*FANS, STRANGER)], 93)

    def issuers_of(self, program: bytes, scope: int) -> list[bytes]:
        """Those with a live grant and the scope."""
        return [
            issuer
            for (of, issuer), grant in self.model.grants.items()
            if of == program and not grant.revoked_at and grant.scopes & scope
        ]

    def issuer_of(self, program: bytes, scope: int, *others: bytes) -> bytes:
        """Mostly one that may."""
        likely = [*self.issuers_of(program, scope), *others]
        return self.some(likely, [TILL.address, KIOSK.address, OWNER.address, ANNA.address], 95)

    # --- sending ---

    def send(
        self, kind: str, payload: tuple[Any, ...], author: bytes, program: bytes = b"", **changes: Any
    ) -> tuple[str, Tx]:
        """Send a transaction that is paid for somehow; the code, and what was sent."""
        if "payment" not in changes and "fee_change" not in changes:
            changes.update(self._payment(kind, payload, author, program))
        if self.chance(3):
            changes.update(self._spoil(author))
        tx, raw = self.world.make(kind, payload, author, **changes)
        return self.world.offer(tx, raw), tx

    def _payment(self, kind: str, payload: tuple[Any, ...], author: bytes, program: bytes) -> dict[str, Any]:
        if kind in PREPAID_WEIGHTS and self.chance(60):
            return {"payment": (2,)}
        if self.chance(2):
            return {"payment": self.choose.choice([(2,), (1, self.any_program()), (0, M), (0, 0)])}
        poor = self.model.balance(author) < 100_000
        if program in self.model.programs:
            asking = Tx(kind, b"", author, 0, 0, (), payload, (), 0, b"")
            filled = self.model.books[program].pool > 100_000 or self.chance(10)
            if filled and pool_pays_for(self.model, program, asking) and self.chance(97 if poor else 45):
                return {"payment": (1, program)}
        if poor and program in self.model.programs and self.chance(80):
            raise Idle
        return {"fee_change": self.choose.choice((-1, 1, 7_000, 20_000))} if self.chance(6) else {}

    def _spoil(self, author: bytes) -> dict[str, Any]:
        """A fault of the envelope, or its boundary."""
        height, longest = self.model.height, self.world.params.validity_blocks_max
        other = self.choose.choice(list(self.world.policies.values()))
        choices: list[dict[str, Any]] = [
            {"valid_from": height + 1, "valid_until": height + 1},
            {"valid_from": height, "valid_until": height},
            {"valid_from": max(height - longest, 0), "valid_until": height - 1},
            {"valid_from": max(height - longest + 1, 0), "valid_until": max(height - longest + 1, 0) + longest - 1},
            {"valid_until": height + longest},
            {"valid_from": height + 1, "valid_until": height},
            {"shown": (other,)},
            {"shown": ((2, other[1]),)},
        ]
        sent = [tx.salt for tx, _ in self.world.sent[-30:] if tx.author == author]
        if sent:
            choices.append({"salt": self.choose.choice(sent)})
        return self.choose.choice(choices)


def draw_params(choose: Chooser) -> Params:
    """A chain's params: small limits, so that lives come to them."""
    allocations = tuple(Allocation(Address(someone.address), Amount(10_000 * COIN)) for someone in FUNDED)
    late = choose.choice(
        ("", "", "", "pledge", "redeem.cancel", "earn.contest", "challenge.contest", "offer.settle", "ballot.reveal")
    )
    return Params(
        name="model",
        address_prefix="fmodel",
        magic=b"fmod",
        genesis_time=Timestamp(choose.choice((1_767_225_600, 1_767_225_600, 1_767_225_600 + 40_000, DAY))),
        eras=((0, 60, 7_200, 0x207FFFFF, 0x207FFFFF, 0),),
        subsidy_initial=Amount(choose.choice((0, 1, 5_000_000))),
        halving_interval_blocks=choose.choice((2, 40, 1_000)),
        maturity_blocks=choose.choice((1, 3, 10)),
        block_weight_max=choose.choice((100_000, 4_000_000)),
        due_weight_max=choose.choice((10_000, 10_000, 1_000_000)),
        fee_rate_min=Amount(choose.choice((0, 1, 2, 2))),
        record_deposit=Amount(choose.choice((0, 1_000, 10_000, 10_000))),
        account_minimum=Amount(choose.choice((0, 1_000, 1_000))),
        validity_blocks_max=choose.choice((1, 12, 100, 100)),
        allocations=tuple(sorted(allocations, key=lambda item: item.address)),
        kinds=tuple(sorted(kind for kind in KINDS if kind != late)),
        upgrades=((late, Height(choose.choice((5, 30)))),) if late else (),
    )
