"""Frames: what is accepted, what is refused before it is read, and that the spec's tables say what the code does."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import pack
from ledger.errors import Malformed
from ledger.schema import Struct
from ledger.types import BlockHash, ChainId, Hash, PublicKey, Signature, WtxId
from node.p2p import messages
from node.p2p.messages import LIMITS, Message, decode_message, encode_message, lane_of

SPEC = Path(__file__).resolve().parents[3] / "ledger" / "spec" / "network.md"
ID = bytes(range(32))

EXAMPLES: tuple[Message, ...] = (
    messages.Hello(1, 1, ChainId(ID), PublicKey(ID), ID, 8_790, "a node", 7),
    messages.Proof(Signature(bytes(64))),
    messages.Goodbye("p2p.self"),
    messages.Ping(bytes(8)),
    messages.Pong(bytes(8)),
    messages.GetAddresses(),
    messages.Addresses(((bytes(4), 1, 2), (bytes(16), 65_535, 2**32 - 1))),
    messages.GetHeaders((BlockHash(ID),)),
    messages.Headers(True, bytes(160)),
    messages.GetBlocks((BlockHash(ID),)),
    messages.BlockBody(b"block"),
    messages.Missing(2, (ID,)),
    messages.WantCompact(True),
    messages.GetCompact(BlockHash(ID)),
    messages.CompactBlock(bytes(80), bytes(122), b"c", bytes(8), bytes(12), ((1, ("a", "")),), ((0, b"tx"),)),
    messages.GetBlockTransactions(BlockHash(ID), (0, 3)),
    messages.BlockTransactions(BlockHash(ID), (b"tx",)),
    messages.Inventory((WtxId(ID),)),
    messages.GetTransactions((WtxId(ID),)),
    messages.Transactions((b"tx",)),
    messages.GetSnapshots(),
    messages.Snapshots(((1_000, BlockHash(ID)),)),
    messages.GetSnapshotPieces(BlockHash(ID), (0, 5)),
    messages.SnapshotPiece(BlockHash(ID), 5, b"slots", (Hash(ID),)),
)


def test_there_is_an_example_of_every_message() -> None:
    assert [type(example) for example in EXAMPLES] == [limit.message for limit in LIMITS.values()]
    assert list(LIMITS) == list(range(len(EXAMPLES)))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_frame(message: Message) -> None:
    frame = encode_message(message)
    assert decode_message(frame) == message
    assert frame[:2] == bytes([frame[0], message.tag])
    assert lane_of(frame) == LIMITS[message.tag].lane


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_frame_that_is_too_long_is_not_read(message: Message) -> None:
    limit = LIMITS[message.tag]
    frame = encode_message(message)
    padded = frame + bytes(limit.bytes_max - len(frame) + 1)
    with pytest.raises(Malformed, match="has at most"):
        decode_message(padded)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x91",
        b"\x91\x7f",
        b"\xdc\x00\x02\x03\xc4\x01a",
        b"\x81\x03\x01",
        pack((200, b"")),
        b"\x92\xcc\x03\xc4\x00",
    ],
    ids=["nothing", "no tag", "unknown tag", "long array", "map", "large tag", "long tag"],
)
def test_what_begins_with_no_known_tag_is_no_message(frame: bytes) -> None:
    with pytest.raises(Malformed):
        decode_message(frame)
    assert lane_of(frame) == 0


def test_an_ip_address_has_4_or_16_bytes() -> None:
    with pytest.raises(Malformed, match="4 or 16"):
        decode_message(pack((6, ((bytes(5), 1, 2),))))


def test_a_missing_field_and_one_too_many_are_refused() -> None:
    for frame in (pack((3,)), pack((3, bytes(8), bytes(8)))):
        with pytest.raises(Malformed):
            decode_message(frame)


@given(st.binary(max_size=200), st.integers(0, 19), st.integers(0, 2**32))
def test_any_bytes_are_a_message_or_malformed(tail: bytes, tag: int, seed: int) -> None:
    example = bytearray(encode_message(EXAMPLES[tag]))
    rng = random.Random(seed)
    example[rng.randrange(len(example))] = rng.randrange(256)
    for frame in (bytes(example), bytes(example) + tail, b"\x92" + bytes([tag]) + tail):
        try:
            found = decode_message(frame)
        except Malformed:
            continue
        assert encode_message(found) == frame


def rows_of(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    section = SPEC.read_text().split(f"## {heading}", 1)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_table_of_messages_is_what_the_code_reads() -> None:
    rows = rows_of("NET-2")
    assert [(int(row[0]), row[1], int(row[3])) for row in rows] == [
        (limit.message.tag, limit.message.__name__, limit.lane) for limit in LIMITS.values()
    ]
    for row, limit in zip(rows, LIMITS.values(), strict=True):
        names = re.findall(r"(?:^`|, )(\w+): (?=int|id|bytes|text|list|bool)", re.sub(r"\[[^\]]*\]", "[]", row[2]))
        assert tuple(names) == Struct(limit.message).names, row[1]


def test_the_table_of_limits_is_what_the_code_allows() -> None:
    found = {}
    for names, length, per_minute, at_once, _ in rows_of("NET-3"):
        for name in names.split(", "):
            rate = None if per_minute == "-" else int(per_minute.replace(",", ""))
            burst = 0 if at_once == "-" else int(at_once)
            found[name] = (int(length.replace(",", "")), rate, burst)
    assert found == {
        limit.message.__name__: (limit.bytes_max, limit.per_minute, limit.at_once) for limit in LIMITS.values()
    }
