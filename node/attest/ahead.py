"""Certificates of blocks that are not here yet (spec NET-21): checked in full, each on the one before, without any block.

A node that starts late learns so which of the chains that it is shown holds what attestors made final, before it fetches one.
"""

from dataclasses import dataclass
from typing import Final

from ledger.errors import Violation
from ledger.finality.attestors import AttestorSet, sets_needed
from ledger.finality.certificates import Certificate, verify_certificate
from ledger.finality.votes import Checkpoint, Vote
from ledger.types import BlockHash, Height
from node.finality.book import FinalityBook

AHEAD_MAX: Final = 16_384
"""Checkpoints that were certified and whose blocks are not here: eight months of the main network, two megabytes."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a certificate was for."""

    source: Checkpoint
    target: Checkpoint


class CertifiedAhead:
    """Checkpoints that certificates justify, above those whose blocks are here. Not thread-safe."""

    def __init__(self) -> None:
        self._justified: dict[Checkpoint, int] = {}
        self._links: dict[Link, None] = {}

    def __len__(self) -> int:
        return len(self._justified)

    def heights(self) -> dict[BlockHash, Height]:
        """Height by hash."""
        return {found.hash: found.height for found in self._justified}

    def admits(self, certificate: Certificate, book: FinalityBook) -> bool:
        """Whether a certificate proves something; False where its source or a set is not known. Raises what is wrong with it."""
        vote = certificate.vote
        if Link(vote.source, vote.target) in self._links:
            return True
        number = self._set_number_of(vote.source, book)
        if number is None or number > vote.set_number:
            return False
        fault: Violation | None = None
        for sets in _candidates(number, vote.set_number, book):
            try:
                verify_certificate(certificate, sets)
            except Violation as found:
                fault = found
            else:
                return True
        if fault is not None:
            raise fault
        return False

    def _set_number_of(self, source: Checkpoint, book: FinalityBook) -> int | None:
        """By which set a checkpoint was justified; None if it was not."""
        if source in self._justified:
            return self._justified[source]
        return next((found.set_number for found in book.all_justified() if found.checkpoint == source), None)

    def add(self, vote: Vote, book: FinalityBook) -> bool:
        """Take what a certificate that was admitted proves; whether that was new."""
        link = Link(vote.source, vote.target)
        if link in self._links:
            return False
        if not book.is_justified(vote.target.hash) and len(self._justified) < AHEAD_MAX:
            self._justified.setdefault(vote.target, vote.set_number)
            self._links[link] = None
        return True

    def forget(self, book: FinalityBook) -> None:
        """Drop what the book knows itself by now, or what is final."""
        low = book.final.height
        gone = [found for found in self._justified if found.height <= low or book.is_justified(found.hash)]
        for found in gone:
            del self._justified[found]
        if gone:
            self._links = {link: None for link in self._links if link.target in self._justified}


def _candidates(source_number: int, target_number: int, book: FinalityBook) -> list[tuple[AttestorSet, ...]]:
    """The sets that a link may need, as far as they are known: branches may differ in them until they are final."""
    found: list[tuple[AttestorSet, ...]] = []
    for target_set in book.sets_numbered(target_number):
        if target_number == source_number or target_set.replaces_silent:
            found.append((target_set,))
        elif target_number == source_number + 1:
            found.extend(sets_needed(source_set, target_set) for source_set in book.sets_numbered(source_number))
    return found
