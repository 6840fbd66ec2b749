"""Jobs: a block that lacks its work, as Stratum's miners are told it and as they hand it back (spec MINE-3, MINE-4)."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from ledger.block import Block
from ledger.coinbase import EXTRANONCE_BYTES, split_for_stratum
from ledger.hashing import sha256d
from ledger.header import VERSION_BASE, Header
from ledger.reward import Payee
from ledger.types import BlockHash, Hash, Timestamp
from node.stratum.difficulty import Units, easiest_for, hardest_for
from node.stratum.payout import Window
from node.tip import Template

EXTRANONCE1_BYTES: Final = 4
EXTRANONCE2_BYTES: Final = EXTRANONCE_BYTES - EXTRANONCE1_BYTES
WORD_BYTES: Final = 4


class Solution(NamedTuple):
    """What a miner chose: the whole extranonce, time, nonce, and the version with its rolled bits."""

    extranonce: bytes
    time: Timestamp
    nonce: int
    version: int


@dataclass(frozen=True)
class Job:
    """The same for all connections but for extranonce1. `payees` are those of the template, by the shares of `window`."""

    template: Template
    window: Window
    payees: tuple[Payee, ...]
    time_min: Timestamp
    time_ahead_s_max: int
    is_complete: bool
    """Whether what waits was tried; else it holds no transactions because it had to be quick."""

    @property
    def previous(self) -> BlockHash:
        """The tip that it extends."""
        return self.template.block.header.previous

    @cached_property
    def units_max(self) -> Units:
        """The hardest share that it may ask for."""
        return hardest_for(self.template.target)

    @cached_property
    def units_min(self) -> Units:
        """The easiest one."""
        return easiest_for(self.template.target)

    @cached_property
    def _coinbase_parts(self) -> tuple[bytes, bytes]:
        return split_for_stratum(self.template.block.coinbase)

    @cached_property
    def _notify_parts(self) -> tuple[str, str]:
        """The line before and after the word for `clean`, but for the job's name, which stands in front."""
        header = self.template.block.header
        before, after = self._coinbase_parts
        fields = (swap_words(header.previous).hex(), before.hex(), after.hex())
        numbers = f'"{VERSION_BASE:08x}","{header.bits:08x}","{header.time:08x}"'
        return '","'.join(fields), numbers

    def notify(self, name: str, *, clean: bool) -> bytes:
        """The line `mining.notify`."""
        fields, numbers = self._notify_parts
        word = "true" if clean else "false"
        return f'{{"id":null,"method":"mining.notify","params":["{name}","{fields}",[],{numbers},{word}]}}\n'.encode()

    def coinbase(self, extranonce: bytes) -> bytes:
        """The coinbase with a miner's extranonce."""
        before, after = self._coinbase_parts
        return before + extranonce + after

    def header(self, solution: Solution) -> Header:
        """The header that a miner hashed."""
        return replace(
            self.template.block.header,
            version=solution.version,
            merkle_root=Hash(sha256d(self.coinbase(solution.extranonce))),
            time=solution.time,
            nonce=solution.nonce,
        )

    def block(self, solution: Solution) -> Block:
        """The block that a miner found."""
        coinbase = self.coinbase(solution.extranonce)
        return replace(self.template.block, header=self.header(solution), coinbase=coinbase)


def swap_words(data: bytes) -> bytes:
    """The bytes of each 4-byte word reversed: how Stratum shows the parent's hash."""
    return b"".join(data[place : place + WORD_BYTES][::-1] for place in range(0, len(data), WORD_BYTES))
