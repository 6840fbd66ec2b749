"""The lower part of a long chain of headers while its state is fetched as a snapshot: 80 bytes a header, and no object each."""

from collections.abc import Iterator, Sequence

from ledger.difficulty import Eras
from ledger.header import HEADER_BYTES, Header
from ledger.header_chain import check_headers
from ledger.types import BlockHash, Height, Work
from node.store.blocks import KnownHeader

TRUNK_HEADERS_MAX = 4_194_304
"""320 MiB, eight years of blocks of a minute; a longer chain is not begun with a snapshot."""
CHUNK_HEADERS = 2_000


class Trunk:
    """Headers in a row from the block after `base` on. `end` is the last of them, `base` where there is none."""

    def __init__(self, base: KnownHeader, eras: Eras) -> None:
        self._base, self._eras = base, eras
        self._raw = bytearray()
        self.end = base

    def __len__(self) -> int:
        return len(self._raw) // HEADER_BYTES

    def append(self, branch: Sequence[KnownHeader]) -> None:
        """Add headers that follow, which were checked."""
        if branch:
            assert branch[0].header.previous == self.end.hash, "they follow the last one"
            self._raw += b"".join(known.header.encode() for known in branch)
            self.end = branch[-1]

    def clear(self) -> None:
        """Begin again."""
        self._raw.clear()
        self.end = self._base

    def hash_at(self, height: Height) -> BlockHash | None:
        """The hash of the header at a height; None for one that is not here."""
        index = height - self._base.height - 1
        if not 0 <= index < len(self):
            return None
        return Header.decode(bytes(self._raw[index * HEADER_BYTES : (index + 1) * HEADER_BYTES])).hash

    def headers(self) -> Iterator[KnownHeader]:
        """All of them, with what follows from each."""
        at = self._base
        for start in range(0, len(self._raw), CHUNK_HEADERS * HEADER_BYTES):
            raw = bytes(self._raw[start : start + CHUNK_HEADERS * HEADER_BYTES])
            checked = check_headers(self._eras, at.difficulty, at.hash, raw)
            work = at.work
            for index, block_hash in enumerate(checked.hashes):
                work = Work(work + checked.works[index])
                header = Header.decode(raw[index * HEADER_BYTES : (index + 1) * HEADER_BYTES])
                at = KnownHeader(block_hash, header, checked.state_after(index), work, "")
                yield at
