"""How the consent gate reads many fans of a large program: a chunk of them in a few statements, and no fan twice.

`read_bought` reads what fans bought, for exports and for the review of models; who asks names the versions that it knows.

`GroupMemory` reads fans for figures.
Of each fan one `FigureRow` is remembered together with the version of what it rests on: its receipts and their marks, its
preferences, the scopes it granted, the brand's feed, the shop's zone, and the predictor. A later walk asks for versions alone. A
row is dropped as soon as its version is another, its consent has ended, or its fan is forgotten; none is used without asking both.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts, Purchase
from api.personalization.figures import ANSWERS_PART, MESSAGES_PART, FanFigures, FigureRow, figures_at, make_row
from api.personalization.predictor import Predictor
from api.receipts.store import KeptReceipt, ReceiptStore, ReceiptsVersion
from ledger.types import Address, ProgramId

PURCHASES_MAX: Final = 2_000
"""The latest receipts of an account that count: five a week for seven years."""
ROWS_REMEMBERED: Final = 500_000
"""Fans whose row is kept in memory, of all programs: about 700 bytes each with twenty purchases. The others are read anew."""
VERSION_BYTES: Final = 16

ReadFacts = Callable[["Granted", tuple[str, int, int] | None, Sequence[KeptReceipt]], FanFacts]
"""What the gate makes of receipts and preferences, as far as a fan granted them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What figures hang on besides the fans: when they are made, by which predictor, by whose clock."""

    now: int
    predictor: Predictor
    offset_minutes: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A fan whose consent is active, the scopes that figures read, and what the chain says of it for them."""

    fan: Address
    scopes: frozenset[str]
    said: int = 0
    is_critic: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """A fan as figures count it, and how many items were read of it."""

    granted: Granted
    figures: FanFigures
    items: int


@dataclass(frozen=True, slots=True)
class Bought:
    """What a fan bought, as far as it granted that. `purchases` None: the same as at the version that was known."""

    fan: Address
    version: int
    """63 bits, not 0: another one as soon as anything is that the purchases hang on."""
    purchases: tuple[Purchase, ...] | None


def read_bought(
    store: ReceiptStore,
    program: ProgramId,
    found: Sequence[Granted],
    catalogue: Catalogue,
    known: Mapping[Address, int],
    read_facts: ReadFacts,
) -> list[Bought]:
    """Of each fan, in their order; of those whose version is `known` only that."""
    asked = _ask_versions(store, program, found, (0, catalogue.version))
    numbers = {fan: int.from_bytes(version[:8], "big") >> 1 | 1 for fan, version in asked.versions.items()}
    cold = {one.fan: one for one in found if known.get(one.fan) != numbers[one.fan]}
    read = {fan: facts.purchases for fan, facts in _read_cold(store, program, cold, asked, read_facts)}
    return [Bought(one.fan, numbers[one.fan], read.get(one.fan)) for one in found]


@dataclass(frozen=True, slots=True)
class Asked:
    """Of some fans the version of all that is read of them, how many receipts each has, and what they said."""

    versions: dict[Address, bytes]
    counts: dict[Address, int]
    said: dict[Address, tuple[str, int, int]]


def _ask_versions(store: ReceiptStore, program: ProgramId, found: Sequence[Granted], place: tuple[int, int]) -> Asked:
    fans = [one.fan for one in found]
    bought, said = store.receipt_versions(fans), store.preferences.find_each(fans, program)
    return Asked(
        {one.fan: _version_of(one.scopes, bought.get(one.fan), said.get(one.fan), place) for one in found},
        {fan: bought[fan].count if fan in bought else 0 for fan in fans},
        said,
    )


def _read_cold(
    store: ReceiptStore, program: ProgramId, cold: Mapping[Address, Granted], asked: Asked, read_facts: ReadFacts
) -> Iterator[tuple[Address, FanFacts]]:
    """The fans that have to be read, in few statements."""
    counts = {fan: asked.counts[fan] for fan in cold}
    for fan, receipts in store.bought_by(counts, program, limit=PURCHASES_MAX):
        yield fan, read_facts(cold[fan], asked.said.get(fan), receipts)


class GroupMemory:
    """Rows of fans by program; of the program that was walked longest ago they go first. Read in the receipt store's thread."""

    def __init__(self) -> None:
        self._rows: OrderedDict[ProgramId, dict[Address, tuple[bytes, FigureRow]]] = OrderedDict()
        self._predictor: Predictor | None = None

    def read(
        self,
        store: ReceiptStore,
        program: ProgramId,
        found: Sequence[Granted],
        moment: Moment,
        parts: frozenset[str],
        catalogue: Catalogue,
        read_facts: ReadFacts,
    ) -> list[Counted]:
        """The fans of a chunk, in its order."""
        fans = [one.fan for one in found]
        rows = self._read_rows(store, program, found, moment, catalogue, read_facts)
        messages = store.inbox.outlines(fans, program) if MESSAGES_PART in parts else {}
        answered = store.inbox.answered_at(fans, program) if ANSWERS_PART in parts else {}
        counted: list[Counted] = []
        for one in found:
            row = rows[one.fan]
            figures = figures_at(
                row,
                moment.now,
                is_critic=one.is_critic,
                messages=tuple(messages.get(one.fan, ())),
                answered_at=answered.get(one.fan, 0),
            )
            counted.append(Counted(one, figures, len(row.times) + one.said))
        return counted

    def _read_rows(
        self,
        store: ReceiptStore,
        program: ProgramId,
        found: Sequence[Granted],
        moment: Moment,
        catalogue: Catalogue,
        read_facts: ReadFacts,
    ) -> dict[Address, FigureRow]:
        asked = _ask_versions(store, program, found, (moment.offset_minutes, catalogue.version))
        known, rows = self._rows_of(program, moment.predictor), dict[Address, FigureRow]()
        cold: dict[Address, Granted] = {}
        for one in found:
            kept = known.get(one.fan)
            if kept is not None and kept[0] == asked.versions[one.fan]:
                rows[one.fan] = kept[1]
            else:
                cold[one.fan] = one
        for fan, facts in _read_cold(store, program, cold, asked, read_facts):
            rows[fan] = make_row(facts, catalogue, moment.predictor, moment.offset_minutes)
            self._keep(program, fan, asked.versions[fan], rows[fan])
        return rows

    def _rows_of(self, program: ProgramId, predictor: Predictor) -> dict[Address, tuple[bytes, FigureRow]]:
        if predictor is not self._predictor:
            self._rows.clear()
            self._predictor = predictor
        known = self._rows.setdefault(program, {})
        self._rows.move_to_end(program)
        return known

    def _keep(self, program: ProgramId, fan: Address, version: bytes, row: FigureRow) -> None:
        known = self._rows[program]
        while fan not in known and sum(map(len, self._rows.values())) >= ROWS_REMEMBERED:
            if next(iter(self._rows)) == program:
                return
            self._rows.popitem(last=False)
        known[fan] = (version, row)

    def drop(self, fans: Iterable[Address], program: ProgramId) -> None:
        """Forget fans whose consent to a program has ended."""
        known = self._rows.get(program, {})
        for fan in fans:
            known.pop(fan, None)

    def forget(self, fan: Address) -> None:
        """Forget a fan in all programs."""
        for known in list(self._rows.values()):
            known.pop(fan, None)

    def __len__(self) -> int:
        """How many rows are remembered."""
        return sum(map(len, self._rows.values()))


def _version_of(
    scopes: frozenset[str],
    bought: ReceiptsVersion | None,
    said: tuple[str, int, int] | None,
    place: tuple[int, int],
) -> bytes:
    """A digest: the marks and the document may be long."""
    return blake2b(repr((sorted(scopes), bought, said, place)).encode(), digest_size=VERSION_BYTES).digest()
