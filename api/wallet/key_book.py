"""Which account stands behind each place of a wallet, and which of its keys is the present one.

A wallet has a **place** for each main account and for each program: its path of derivation. At first the account of a place is that
of its first key. Two things change that: the keys are changed to later ones of the same words (a `rotation`), or the key of this
place governs another account, which guardians recovered or whose owner moved to these words (an `adopted` address). Neither can be
read from the words alone; the chain knows both (`Wallet.find_keys`), and the keystore remembers them as labels:

    keys/main/<index> or keys/program/<64 hex>   ->   <rotation>, or <rotation> <64 hex of the adopted address>
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.wallet.builder import Signer
from api.wallet.derivation import (
    ROTATIONS_MAX,
    derive_seed,
    make_main_path,
    make_program_path,
    make_rotated_path,
)
from api.wallet.mnemonic import MasterSeed
from ledger.types import Address, Hash, ProgramId

LABEL_PREFIX: Final = "keys/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account stands in a wallet: a main account by its index, or the account for a program."""

    index: int = 0
    program: ProgramId | None = None

    @property
    def name(self) -> str:
        """As a label has it."""
        return f"main/{self.index}" if self.program is None else f"program/{self.program.hex()}"

    @property
    def path(self) -> tuple[int, ...]:
        """The levels of its first key."""
        return make_main_path(self.index) if self.program is None else make_program_path(self.program)


@dataclass(frozen=True, slots=True)
class PresentKey:
    """The present key of a place, by its rotation; `adopted` is the account that it governs, if that is not its own."""

    rotation: int = 0
    adopted: Address | None = None

    def to_text(self) -> str:
        """As a label has it."""
        return f"{self.rotation}" if self.adopted is None else f"{self.rotation} {self.adopted.hex()}"

    @staticmethod
    def from_text(text: str) -> "PresentKey":
        """Read a label; a malformed one says nothing."""
        number, _, address = text.partition(" ")
        try:
            adopted = bytes.fromhex(address)
        except ValueError:
            return FIRST_KEY
        if not (number.isascii() and number.isdigit()) or int(number) > ROTATIONS_MAX or len(adopted) not in (0, 32):
            return FIRST_KEY
        return PresentKey(int(number), Address(adopted) if adopted else None)


FIRST_KEY: Final = PresentKey()


@dataclass(slots=True)
class KeyBook:
    """The keys of one wallet by place. Deriving a key takes a while, so each is derived once."""

    master: MasterSeed = field(repr=False)
    present: dict[str, PresentKey] = field(default_factory=dict[str, PresentKey])
    _signers: dict[tuple[str, int], Signer] = field(default_factory=dict[tuple[str, int], Signer], repr=False)

    @staticmethod
    def of_labels(master: MasterSeed, labels: Mapping[str, str]) -> "KeyBook":
        """The book that a keystore's labels hold."""
        found = {
            key.removeprefix(LABEL_PREFIX): PresentKey.from_text(text)
            for key, text in labels.items()
            if key.startswith(LABEL_PREFIX)
        }
        return KeyBook(master, found)

    def present_key(self, place: Place) -> PresentKey:
        """What is known of the place; the first key if nothing is."""
        return self.present.get(place.name, FIRST_KEY)

    def note(self, place: Place, key: PresentKey) -> tuple[str, str]:
        """Remember the present key of a place; returns the label for the keystore."""
        self.present[place.name] = key
        return f"{LABEL_PREFIX}{place.name}", "" if key == FIRST_KEY else key.to_text()

    def key_at(self, place: Place, rotation: int) -> Signer:
        """The key of a place after so many rotations, as the ordinary account of its own."""
        known = self._signers.get((place.name, rotation))
        if known is None:
            known = Signer.of_seed(derive_seed(self.master, make_rotated_path(place.path, rotation)))
            self._signers[place.name, rotation] = known
        return known

    def address(self, place: Place) -> Address:
        """The account that this place stands for."""
        return self.present_key(place).adopted or self.key_at(place, 0).address

    def signer(self, place: Place) -> Signer:
        """The account of a place with its present key, as far as that is known."""
        present = self.present_key(place)
        return Signer(self.key_at(place, present.rotation).seed, self.address(place))

    def find_rotation(self, place: Place, policy_hash: Hash) -> int | None:
        """Which key of the place alone has this policy; None if it is none of them."""
        return next((number for number, key in self.keys(place) if key.address == policy_hash), None)

    def keys(self, place: Place) -> Iterator[tuple[int, Signer]]:
        """All keys that a place can have, the present one first."""
        present = self.present_key(place).rotation
        yield present, self.key_at(place, present)
        yield from ((number, self.key_at(place, number)) for number in range(ROTATIONS_MAX + 1) if number != present)
