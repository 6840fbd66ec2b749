"""Who may say that a block is final: sets of attestors, numbered as they follow each other (spec FIN-1, FIN-3)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from ledger.codec import pack_shaped, unpack_shaped
from ledger.params import ATTESTORS_MAX, Attestor
from ledger.schema import Boolean, Integer, ListOf, Struct
from ledger.types import PublicKey

SET_NUMBER = Integer(0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class AttestorSet:
    """The attestors whose word counts, by ascending key. Set 0 is the params'.

    `replaces_silent`: recovery keys put it in the place of a set that fell silent, so nobody waits for that one's votes.
    """

    number: Annotated[int, SET_NUMBER]
    members: Annotated[tuple[Attestor, ...], ListOf(Struct(Attestor), 1, ATTESTORS_MAX)]
    replaces_silent: Annotated[bool, Boolean()] = False

    @property
    def weight(self) -> int:
        """The weight of all its members."""
        return sum(member.weight for member in self.members)

    def weight_of(self, keys: Collection[PublicKey]) -> int:
        """The weight of those of its members that are among `keys`."""
        return sum(member.weight for member in self.members if member.key in keys)

    def is_quorum(self, keys: Collection[PublicKey]) -> bool:
        """Whether `keys` hold more than two thirds of its weight: exactly two thirds are not enough."""
        return 3 * self.weight_of(keys) > 2 * self.weight

    def encode(self) -> bytes:
        """Canonical bytes: [number, members, replaces_silent]."""
        return pack_shaped(ATTESTOR_SET_SHAPE.encode(self))

    @staticmethod
    def decode(data: bytes) -> "AttestorSet":
        """Read what `encode` wrote. Raises `Malformed`."""
        return ATTESTOR_SET_SHAPE.decode(unpack_shaped(data, bytes_max=SET_BYTES_MAX), "attestor_set")


ATTESTOR_SET_SHAPE = Struct(AttestorSet)
SET_BYTES_MAX = 16 + ATTESTORS_MAX * 48


def sets_needed(source_set: AttestorSet, target_set: AttestorSet) -> tuple[AttestorSet, ...]:
    """The sets of which each must hold a quorum for a link: one, or both where the link crosses a change (spec FIN-5).

    A set that was put in the place of a silent one needs nobody else. Any other link may cross one change, never two.
    """
    crossed = target_set.number - source_set.number
    assert crossed in (0, 1) or (crossed > 0 and target_set.replaces_silent), (
        "a link crosses at most one change of the set"
    )
    if crossed == 0 or target_set.replaces_silent:
        return (target_set,)
    return (source_set, target_set)


def voters(sets: tuple[AttestorSet, ...]) -> tuple[PublicKey, ...]:
    """The keys of all of these sets, each once, ascending: the places of a certificate's bits."""
    return tuple(sorted({member.key for attestors in sets for member in attestors.members}))


def all_hold_quorum(sets: tuple[AttestorSet, ...], keys: Collection[PublicKey]) -> bool:
    """Whether `keys` hold more than two thirds of the weight of each of these sets."""
    return all(attestors.is_quorum(keys) for attestors in sets)
