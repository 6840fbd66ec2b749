"""A small reader of Bitcoin's transactions and blocks, written from Bitcoin's documents and not from `ledger`.

Tests hold our headers and coinbases against it, after it has read published blocks of the real network.
"""

import hashlib
from dataclasses import dataclass


def double_sha256(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


class Reader:
    """Takes bytes off the front; a short read is a ValueError."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, length: int) -> bytes:
        piece = self.data[self.offset : self.offset + length]
        if len(piece) != length:
            raise ValueError(f"{length} bytes wanted at {self.offset}, {len(piece)} left")
        self.offset += length
        return piece

    def integer(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def compact_size(self) -> int:
        first = self.integer(1)
        return first if first < 0xFD else self.integer({0xFD: 2, 0xFE: 4, 0xFF: 8}[first])

    def string(self) -> bytes:
        return self.take(self.compact_size())

    @property
    def at_end(self) -> bool:
        return self.offset == len(self.data)


@dataclass(frozen=True)
class Input:
    previous_hash: bytes
    previous_index: int
    script: bytes
    sequence: int


@dataclass(frozen=True)
class Output:
    value: int
    script: bytes


@dataclass(frozen=True)
class BitcoinTransaction:
    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    lock_time: int
    txid: bytes

    @property
    def is_coinbase(self) -> bool:
        """What Bitcoin asks of a coinbase by itself (CheckTransaction)."""
        return (
            len(self.inputs) == 1
            and self.inputs[0].previous_hash == bytes(32)
            and self.inputs[0].previous_index == 0xFFFFFFFF
            and 2 <= len(self.inputs[0].script) <= 100
            and len(self.outputs) >= 1
            and all(output.value <= 21 * 10**14 for output in self.outputs)
            and sum(output.value for output in self.outputs) <= 21 * 10**14
        )


def read_transaction(reader: Reader) -> BitcoinTransaction:
    start = reader.offset
    version = reader.take(4)
    has_witness = reader.data[reader.offset : reader.offset + 2] == b"\x00\x01"  # BIP 144
    if has_witness:
        reader.take(2)
    body_start = reader.offset
    inputs = tuple(
        Input(reader.take(32), reader.integer(4), reader.string(), reader.integer(4))
        for _ in range(reader.compact_size())
    )
    outputs = tuple(Output(reader.integer(8), reader.string()) for _ in range(reader.compact_size()))
    body = reader.data[body_start : reader.offset]
    witnesses: tuple[tuple[bytes, ...], ...] = ()
    if has_witness:
        witnesses = tuple(tuple(reader.string() for _ in range(reader.compact_size())) for _ in inputs)
    lock_time = reader.take(4)
    whole = reader.data[start : reader.offset]
    txid = double_sha256(version + body + lock_time)
    assert has_witness or whole == version + body + lock_time
    return BitcoinTransaction(
        int.from_bytes(version, "little"), inputs, outputs, witnesses, int.from_bytes(lock_time, "little"), txid
    )


def read_block(data: bytes) -> tuple[bytes, tuple[BitcoinTransaction, ...]]:
    """Header and transactions of a whole block; trailing bytes are a ValueError."""
    reader = Reader(data)
    header = reader.take(80)
    transactions = tuple(read_transaction(reader) for _ in range(reader.compact_size()))
    if not reader.at_end:
        raise ValueError("bytes after the last transaction")
    return header, transactions


def compute_merkle_root(leaves: list[bytes]) -> bytes:
    level = leaves
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, level[-1]]
        level = [double_sha256(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def read_merkle_block(data: bytes) -> tuple[bytes, bytes, int]:
    """Header, root computed from the partial tree, and number of matched leaves of a `merkleblock` message (BIP 37)."""
    reader = Reader(data)
    header = reader.take(80)
    leaf_count = reader.integer(4)
    hashes = [reader.take(32) for _ in range(reader.compact_size())]
    flags = int.from_bytes(reader.string(), "little")
    if not reader.at_end:
        raise ValueError("bytes after the flags")
    matched = 0

    def width(level: int) -> int:
        return (leaf_count + (1 << level) - 1) >> level

    def take_flag() -> int:
        nonlocal flags
        flag = flags & 1
        flags >>= 1
        return flag

    def walk(level: int, position: int) -> bytes:
        nonlocal matched
        flag = take_flag()
        if level == 0 or not flag:
            matched += level == 0 and flag
            return hashes.pop(0)
        left = walk(level - 1, position * 2)
        right = walk(level - 1, position * 2 + 1) if position * 2 + 1 < width(level - 1) else left
        return double_sha256(left + right)

    level = 0
    while width(level) > 1:
        level += 1
    root = walk(level, 0)
    if hashes or flags:
        raise ValueError("hashes or flags left over")
    return header, root, matched
