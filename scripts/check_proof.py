"""A second checker of proof files, written from `ledger/spec/proofs.md` alone: it imports nothing of this project.

python scripts/check_proof.py FILE [--chain-id HEX] [--trust BLOCKHASH]

Exits 0 and says what the proof shows if it holds, 1 with the reason if it does not, 2 if it could not be read or asked for.
Anchors such as PRF-3 name the paragraphs of `ledger/spec/`. Amounts are printed in their smallest units.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

M = 2**63 - 1
PROOF_BYTES_MAX, DEPTH_MAX, ITEMS_MAX = 1_048_576, 16, 65_536

# First bytes that a number of so many bytes follows (BYTES-1), each kind in ascending widths.
FORMS = {0xC4 + n: ("bytes", 1 << n) for n in range(3)} | {0xCC + n: ("unsigned", 1 << n) for n in range(4)}
FORMS |= {0xD0 + n: ("signed", 1 << n) for n in range(4)} | {0xD9 + n: ("text", 1 << n) for n in range(3)}
FORMS |= {0xDC + n: ("array", 2 << n) for n in range(2)}

# Shapes as the spec writes them: ("int", least, most), ("bytes" or "text", least, most), ("list", shape, least, most),
# ("one of", fields of tag 0, fields of tag 1), and a list for `[x: shape, y: shape]`.
ID, U32, TIME = ("bytes", 32, 32), ("int", 0, 2**32 - 1), ("int", 0, 2**40)
HEADER, COINBASE, COMMITTED = ("bytes", 80, 80), ("bytes", 122, 122), ("bytes", 1, 8_192)
PATH = ("list", ID, 0, 64)
HOME = [HEADER, COINBASE, COMMITTED, ID, TIME, PATH]
TRANSACTION = [("bytes", 1, 262_144), ("list", ("text", 0, 64), 1, 1_000), U32, PATH, ("list", HOME, 0, 1)]
RECORD = [("bytes", 1, 128), ("bytes", 1, 262_144), ("int", 0, M), PATH]
ANCHOR = [HEADER, COINBASE, COMMITTED, ("list", HEADER, 0, 1_000)]
TRUSTED = [U32, ID, ID, TIME, PATH]
PROOF = [("int", 1, 1), ID, ID, ANCHOR, TRUSTED, ("list", ("one of", TRANSACTION, RECORD), 1, 4)]
PAYEES = ("list", [ID, ("int", 1, M)], 0, 64)
COMMITMENT = [ID, U32, ID, ID, ID, ("int", 0, 65_536), ("int", 1, M), PAYEES]  # BLK-1

# POW-3: the fixed bytes of a coinbase by their offsets.
FIXED = {0: "0100000001" + "00" * 32 + "ffffffff0e04", 47: "08", 56: "ffffffff02"}
FIXED |= {69: "016a" + "00" * 8 + "266a24", 118: "00" * 4}

# Names of the fields of the records that people ask for (STA-1, tables.md); of any other record the bare values are shown.
FIELDS = {
    "A": "account: balance policy_hash deposit is_guarded",
    "B": "program: owner payer deposit name unit decimals offset_minutes versions sunset_at closes_at",
    "F": "campaign: creator payer deposit unit status pledged weight own_weight escrowed released returned pledges"
    " taken added stage until until_height step shares_left attempt round submitted_at basis yes no late_days"
    " delivered_at updates refund_total refund_weight backing",
    "K": "program totals: pool issued restored pending available held escrowed redeemed expired reversed members"
    " sponsor_day sponsor_day_spent sponsor_height sponsor_height_spent contest_points contest_points_locked"
    " contest_points_credited contest_coin contests_open adjusted adjust_day adjust_day_used challenge_points"
    " challenge_points_reversed offered offer_day offer_day_used backing contest_backing burn_carry burned"
    " collateral_paid",
    "M": "member: payer deposit prepaid joined_at left_at remainder entries sponsor_day sponsor_spent lots"
    " contest_period contest_count tier_history period_credits gives_back_from_all transfer_day transferred"
    " is_referred referral_period referrals earned redemptions",
    "P": "pledge: payer deposit prepaid backer quantity tier lots add_ons voted_round approves",
    "U": "guardians: payer deposit prepaid guardians approvals failures not_before recovery",
    "b": "former pledge: payer deposit prepaid backer quantity returned",
    "c": "contribution: payer deposit program fan mission role work issuer worked_at recorded_at credited_at product",
    "f": "campaign terms: title unit goal deadline tiers all_or_nothing add_ons stretch milestones reserve"
    " delivery_due grace_seconds vote_seconds retry_seconds silence_approves late_until delivery_key",
    "r": "review: payer deposit stance score text standing first_at latest_at revisions reply replied_at replies",
    "v": "ballot: payer deposit prepaid power age commitment choice cast_at",
}


class Fault(Exception):
    """The proof does not hold, and why."""


def require(holds: bool, reason: str) -> None:
    """Raise `Fault` unless `holds`."""
    if not holds:
        raise Fault(reason)


def decode(data: bytes, bytes_max: int) -> Any:
    """The value whose one encoding `data` is (BYTES-2); arrays are tuples."""
    require(len(data) <= bytes_max, "it is too long")
    value, end = read(data, 0, 0)
    require(end == len(data) and encode(value) == data, "its bytes are not canonical")
    return value


def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The value at `at`, within `depth` arrays, and where it ends (BYTES-1, BYTES-3)."""
    require(at < len(data), "its bytes end too early")
    first, start = data[at], at + 1
    if first < 0x80 or first >= 0xE0:
        return first - 0x100 * (first >= 0xE0), start
    if first in (0xC2, 0xC3):
        return first == 0xC3, start
    if 0x90 <= first < 0xC0:
        kind, number = ("array", first & 15) if first < 0xA0 else ("text", first & 31)
    else:
        require(first in FORMS, "it holds a type that is not allowed")
        kind, width = FORMS[first]
        require(start + width <= len(data), "its bytes end too early")
        number = int.from_bytes(data[start : start + width], "big", signed=kind == "signed")
        start += width
    if kind in ("unsigned", "signed"):
        return number, start
    if kind == "array":
        require(depth < DEPTH_MAX and number <= ITEMS_MAX, "an array is too deep or too long")
        items: list[Any] = []
        for _ in range(number):
            item, start = read(data, start, depth + 1)
            items.append(item)
        return tuple(items), start
    body = data[start : start + number]
    require(len(body) == number, "its bytes end too early")
    try:
        return body if kind == "bytes" else body.decode("utf-8"), start + number
    except UnicodeDecodeError:
        raise Fault("a text is not UTF-8") from None


def encode(value: Any) -> bytes:
    """The shortest encoding of a value."""
    if type(value) is bool:
        return b"\xc3" if value else b"\xc2"
    if type(value) is int:
        if -32 <= value < 128:
            return bytes([value & 0xFF])
        return sized("unsigned", value) if value >= 0 else sized("signed", value)
    body = value.encode() if type(value) is str else value
    if type(value) is bytes or (type(value) is str and len(body) > 31):
        return sized("bytes" if type(value) is bytes else "text", len(body)) + body
    if type(value) is str:
        return bytes([0xA0 + len(body)]) + body
    head = bytes([0x90 + len(value)]) if len(value) < 16 else sized("array", len(value))
    return head + b"".join(encode(item) for item in value)


def sized(kind: str, number: int) -> bytes:
    """The first form of a kind that holds the number."""
    for first, (found, width) in FORMS.items():
        bits = 8 * width - (kind == "signed")
        if found == kind and -(2**bits) <= number < 2**bits:
            return bytes([first]) + number.to_bytes(width, "big", signed=kind == "signed")
    raise Fault("a number is too large")


def check_shape(shape: Any, value: Any) -> None:
    """BYTES-5."""
    if isinstance(shape, list):
        require(type(value) is tuple and len(value) == len(shape), "an array has a wrong number of fields")
        for part, item in zip(shape, value, strict=True):
            check_shape(part, item)
    elif shape[0] == "int":
        require(type(value) is int and shape[1] <= value <= shape[2], "a number is out of its range")
    elif shape[0] == "bytes":
        require(type(value) is bytes and shape[1] <= len(value) <= shape[2], "bytes have a wrong length")
    elif shape[0] == "text":
        require(type(value) is str and shape[1] <= len(value.encode()) <= shape[2], "a text has a wrong length")
    elif shape[0] == "list":
        require(type(value) is tuple and shape[2] <= len(value) <= shape[3], "a list has a wrong length")
        for item in value:
            check_shape(shape[1], item)
    else:
        require(isinstance(value, tuple) and encode(value[:1]) in (b"\x91\x00", b"\x91\x01"), "a union has a wrong tag")
        check_shape(shape[1 + value[0]], value[1:])


def twice(data: bytes) -> bytes:
    """sha256d, the hash of a header."""
    return sha256(sha256(data).digest()).digest()


def tagged(name: str, data: bytes) -> bytes:
    """HASH-1."""
    tag = sha256(f"fansumer/{name}".encode()).digest()
    return sha256(tag + tag + data).digest()


def check_included(root: bytes, leaf: bytes, index: int, size: int, path: Sequence[bytes], what: str) -> None:
    """HASH-3: the leaf's bytes are number `index` of `size` under `root`. Levels are halved; an odd last node is lifted."""
    require(index < size, f"{what} lies outside of its tree")
    found, siblings = sha256(b"\x00" + leaf).digest(), list(path)
    while size > 1:
        if index ^ 1 < size:
            require(bool(siblings), f"the path of {what} is too short")
            sibling = siblings.pop(0)
            found = sha256(b"\x01" + (sibling + found if index & 1 else found + sibling)).digest()
        index, size = index >> 1, (size + 1) >> 1
    require(not siblings and found == root, f"{what} is not where the proof says")


def work_of(header: bytes) -> int:
    """POW-4: the expected hashes of a header that is proved."""
    bits = int.from_bytes(header[72:76], "little")
    size, mantissa = bits >> 24, bits & 0x007FFFFF
    mantissa >>= 8 * max(3 - size, 0)
    target = mantissa << 8 * max(size - 3, 0)
    require(not bits & 0x00800000 and 0 < target < 2**256, "a header's bits are no target")
    require(int.from_bytes(twice(header), "little") <= target, "a header does not prove its work")
    return 2**256 // (target + 1)


def open_block(parts: Sequence[Any], chain_id: bytes) -> tuple[Any, ...]:
    """PRF-2: the commitment of a block."""
    header, coinbase, committed = parts[:3]
    work_of(header)
    for offset, part in FIXED.items():
        require(coinbase[offset:].startswith(bytes.fromhex(part)), "a coinbase has not its form")
    require(int.from_bytes(coinbase[61:69], "little") <= 21 * 10**14, "a coinbase shows too much")
    require(coinbase[82:86] != bytes.fromhex("aa21a9ed"), "a coinbase has a reserved magic")
    require(twice(coinbase) == header[36:68], "a coinbase is not its header's")
    require(tagged("commitment", committed) == coinbase[86:118], "a commitment is not its coinbase's")
    commitment = decode(committed, 8_192)
    check_shape(COMMITMENT, commitment)
    require(commitment[0] == chain_id, "a block belongs to another chain")
    return commitment


def check_record(claim: Sequence[Any], anchor: Sequence[Any]) -> list[str]:
    """A record in the anchor's state; what it says."""
    key, value, slot, path = claim
    check_included(anchor[3], b"\x92" + encode(key) + value, slot, anchor[6], path, "a record")
    record = decode(value, PROOF_BYTES_MAX)
    require(type(record) is tuple, "a record is no array")
    title, _, names = FIELDS.get(chr(key[0]), f"record of the table {key[:1]!r}:").partition(":")
    known = names.split() if len(names.split()) == len(record) else map(str, range(len(record)))
    return [f"{title} {key[1:].hex()}", *(f"  {name}: {shown(item)}" for name, item in zip(known, record, strict=True))]


def check_transaction(claim: Sequence[Any], block: tuple[bytes, Any], chain_id: bytes) -> tuple[bytes, list[str]]:
    """A transaction in its block, which is `block` or one in its history: that block's hash, and what is shown."""
    raw, results, index, path, home = claim
    header, commitment = block
    if home:
        header, commitment = home[0][0], open_block(home[0], chain_id)
        history = encode((twice(header), *home[0][3:5]))
        check_included(block[1][4], history, commitment[1], block[1][1], home[0][5], "a transaction's block")
    leaf = tagged("wtx", raw) + tagged("results", encode(results))
    check_included(commitment[2], leaf, index, commitment[5], path, "a transaction")
    outer = decode(raw, 262_144)
    require(
        isinstance(outer, tuple) and [type(item) for item in outer[:1]] == [bytes] and len(outer) == 2,
        "a transaction is none",
    )
    title = f"transaction {tagged('tx', outer[0]).hex()} in block {commitment[1]} of {moment(header)}"
    return twice(header), [title, f"  results: {shown(results)}"]


def check_proof(data: bytes, chain_id: bytes | None = None, trust: bytes | None = None) -> list[str]:
    """PRF-3 in its order; what the proof shows, in lines. Raises `Fault`."""
    proof = decode(data, PROOF_BYTES_MAX)
    check_shape(PROOF, proof)
    _, chain, rests_on, anchor, trusted, claims = proof
    require(chain_id in (None, chain), "it is about another chain")
    commitment = open_block(anchor, chain)
    hashes, work = [twice(anchor[0])], work_of(anchor[0])
    for header in anchor[3]:
        require(header[4:36] == hashes[-1], "a header that should follow does not")
        hashes, work = [*hashes, twice(header)], work + work_of(header)
    require(rests_on == hashes[-1], "it does not rest on the block that it names")
    require(trusted[0] > 0 or trusted[1] == chain, "the trusted block is not this chain's genesis")
    check_included(commitment[4], encode(trusted[1:4]), trusted[0], commitment[1], trusted[4], "the trusted block")
    known, lines = [*hashes, trusted[1]], [f"holds, as of block {commitment[1]} of {moment(anchor[0])}"]
    for place, claim in enumerate(claims):
        if claim[0] == 1:
            lines += check_record(claim[1:], commitment)
        else:
            home, found = check_transaction(claim[1:], (anchor[0], commitment), chain)
            known += [home] * (not place)
            lines += found
    require(trust is None or trust in known, "nothing in it leads to the block that you trust")
    return [
        *lines,
        f"rests on block {rests_on[::-1].hex()}, and on {work} expected hashes of the {len(hashes)} headers up to it",
        f"descends from block {trusted[0]}, {trusted[1][::-1].hex()}, on the chain {chain.hex()}",
        "taken for granted, unless --trust named it: that the block it rests on is on the chain that everybody follows",
        f"size: {len(data)} bytes",
    ]


def moment(header: bytes) -> str:
    """A header's time."""
    return datetime.fromtimestamp(int.from_bytes(header[68:72], "little"), UTC).isoformat()


def shown(value: Any) -> str:
    """A value in one line; bytes in hex, texts so that they can not act on a terminal."""
    if isinstance(value, bytes):
        return value.hex() or "-"
    return f"[{', '.join(map(shown, value))}]" if isinstance(value, tuple) else repr(value)


def main(arguments: Sequence[str]) -> int:
    """Check the file that is named."""
    parser = argparse.ArgumentParser(description="Check a proof file without any node.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--chain-id", type=bytes.fromhex, help="the chain that it must be about, in hex")
    parser.add_argument("--trust", type=bytes.fromhex, help="the hash of a block that you know, as people write it")
    asked = parser.parse_args(arguments)
    try:
        lines = check_proof(asked.file.read_bytes(), asked.chain_id, asked.trust and asked.trust[::-1])
    except OSError as fault:
        print(f"cannot be read: {fault}", file=sys.stderr)
        return 2
    except Fault as fault:
        print(f"does not hold: {fault}")
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
