"""Golden vectors that need no chain: encodings, hashes, addresses, policies, receipts and compact bits."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from golden_chain import BOARD_KEYS, FAN, OWNER, TILL
from golden_offers import make_offer
from ledger import hashing, keys
from ledger.address import decode_id, encode_id
from ledger.codec import pack, unpack
from ledger.domains.loyalty import receipts, returns
from ledger.domains.offers.terms import encode_offer
from ledger.errors import Malformed
from ledger.merkle import inclusion_path, leaf_hash, root
from ledger.policy import Policy
from ledger.pow import compact_from_target, target_from_compact, work_of
from ledger.types import ChainId, CompactBits, Points, PrivateSeed, ProgramId, ReceiptHash, Timestamp, TxId

TAGS = (
    "TX",
    "WTX",
    "SIGHASH",
    "POLICY",
    "COMMITMENT",
    "OBJECT",
    "PARAMS",
    "RESULTS",
    "FREE_SLOT",
    "RECEIPT_FIELD_SALT",
    "RECEIPT_SIGNATURE",
    "LINE_SALT",
    "SUM_LEAF",
    "SUM_NODE",
    "EARN_SUM",
    "EARN_REMAINDER",
    "CONTEST",
    "RETURN",
    "RETURN_SIGNATURE",
    "RETURN_CONSENT",
    "REFERRAL",
    "COUNT",
    "VOUCHER_CODE",
    "ACCEPTANCE",
    "BALLOT",
    "ACHIEVEMENT",
    "OFFER_TERMS",
    "OFFER",
    "JOIN_VOUCHER",
    "JOIN_VOUCHER_SIGNATURE",
    "JOIN_VOUCHER_PROOF",
    "ATTESTATION",
    "ATTESTOR_SET",
    "REPLACEMENT",
    "TEXT",
    "CONTRIBUTION",
    "CONTRIBUTION_SIGNATURE",
)
"""Names of the hash functions of `ledger.hashing`."""


def shown(value: Any) -> dict[str, Any]:
    """A canonical value as JSON that keeps its kind."""
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, str):
        return {"text": value}
    return {"array": [shown(item) for item in value]}


def codec_vectors(_: ChainId) -> dict[str, Any]:
    """Values with their one encoding, and bytes that are refused, each with its code (BYTES-1 to BYTES-3)."""
    edges = [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1]
    below = [-1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63)]
    sizes = (0, 1, 31, 32, 255, 256)
    values: list[Any] = [*edges, *below, False, True]
    values += [bytes(size) for size in sizes] + ["x" * size for size in sizes] + ["ä\u0301€😀", "\x00"]
    values += [(), (1,), (0,) * 15, (0,) * 16, (((),),), (1, b"\x01", "1", True, (-1, ()))]
    deepest: Any = ()
    for _level in range(15):
        deepest = (deepest,)
    values.append(deepest)
    refused = (
        "c0 c1 c7000000 ca00000000 cb0000000000000000 80 de0000 d400 d90161 cc7f cd00ff ce0000ffff cf00000000ffffffff d0ff d0e0"
        " d1ff80 d2ffff8000 d3ffffffff80000000 c50001ff c600000001ff dc0001c2 dd00000001c2 da000161 db0000000161 d07f 0000 92 9201"
        " c4 c402ff a2 a1 a1ff a2c080 a3eda080 a4f4908080 cd d9 " + "91" * 17 + "00 dd00010001"
    )
    return {
        "accepted": [{"value": shown(value), "hex": pack(value).hex()} for value in values],
        "refused": [{"hex": text, "code": code_of(unpack, bytes.fromhex(text))} for text in refused.split()],
    }


def code_of(read: Callable[..., object], *arguments: object) -> str:
    """The code with which a reader refuses its arguments."""
    try:
        read(*arguments)
    except Malformed as fault:
        return fault.code.name
    raise AssertionError(f"{arguments} were accepted")


def hash_vectors(_: ChainId) -> dict[str, Any]:
    """Tagged hashes, ids of objects, trees of 0 to 9 leaves with every inclusion path (HASH-1 to HASH-4)."""
    datas = (b"", b"abc", bytes(64))
    txid = TxId(hashing.TX(b"body"))
    leaves = [leaf_hash(bytes([number])) for number in range(9)]
    return {
        "tagged": [
            {"name": name, "data": data.hex(), "hash": getattr(hashing, name)(data).hex()}
            for name in TAGS
            for data in datas
        ],
        "sha256d": [{"data": data.hex(), "hash": hashing.sha256d(data).hex()} for data in datas],
        "object_ids": [
            {"noun": noun, "txid": txid.hex(), "index": index, "id": hashing.object_id(noun, txid, index).hex()}
            for noun, index in (("program", 0), ("reward", 0), ("hold", 0), ("campaign", 0), ("earn", 0), ("hold", 258))
        ],
        "leaves": [{"data": bytes([number]).hex(), "leaf": leaf.hex()} for number, leaf in enumerate(leaves)],
        "trees": [
            {
                "size": size,
                "root": root(leaves[:size]).hex(),
                "paths": [[node.hex() for node in inclusion_path(leaves[:size], index)] for index in range(size)],
            }
            for size in range(10)
        ],
    }


def address_vectors(_: ChainId) -> dict[str, Any]:
    """Texts of ids, and texts that are refused, each with its code (BYTES-7)."""
    payloads = (bytes(32), bytes(range(32)), b"\xff" * 32, FAN.address, OWNER.address)
    accepted = [(prefix, payload, encode_id(prefix, payload)) for prefix in ("fan", "gold") for payload in payloads]
    good = encode_id("fan", FAN.address)
    spoiled = good[:-1] + ("q" if good[-1] != "q" else "p")
    refused = {
        "too long": good + "q" * 40,
        "mixed case": good[:10] + good[10:].upper(),
        "character": good.replace("1", "1b", 1),
        "separator": good.replace("1", "q", 1).replace("1", "q"),
        "checksum": spoiled,
        "network": encode_id("gold", FAN.address),
        "cut": good[:-3],
    }
    return {
        "accepted": [
            {"prefix": prefix, "payload": payload.hex(), "text": text, "upper": text.upper()}
            for prefix, payload, text in accepted
        ],
        "refused": [
            {"prefix": "fan", "text": text, "why": why, "code": code_of(decode_id, "fan", text)}
            for why, text in refused.items()
        ],
    }


def policy_vectors(_: ChainId) -> dict[str, Any]:
    """Policies with encoding and hash, single keys with their address, and policies that are refused (ACC-1, KEY-2)."""
    seeds = [sha256(bytes([number])).digest() for number in range(16)]
    sorted_keys = sorted(keys.public_key_of(PrivateSeed(seed)) for seed in seeds)
    policies = [Policy(1, tuple(sorted_keys[:1])), Policy(2, tuple(sorted_keys[:3])), Policy(16, tuple(sorted_keys))]
    bad = [
        Policy(1, (sorted_keys[1], sorted_keys[0])),
        Policy(1, (sorted_keys[0],) * 2),
        Policy(3, tuple(sorted_keys[:2])),
    ]
    return {
        "seeds": [
            {
                "seed": seed.hex(),
                "public_key": keys.public_key_of(PrivateSeed(seed)).hex(),
                "signature_of_abc": keys.sign(PrivateSeed(seed), b"abc").hex(),
            }
            for seed in seeds[:4]
        ],
        "policies": [
            {
                "threshold": policy.threshold,
                "keys": [key.hex() for key in policy.keys],
                "encoding": pack((policy.threshold, policy.keys)).hex(),
                "hash": policy.hash.hex(),
            }
            for policy in (*policies, BOARD_KEYS.policy)
        ],
        "refused": [{"threshold": policy.threshold, "keys": [key.hex() for key in policy.keys]} for policy in bad],
    }


def receipt_vectors(chain_id: ChainId) -> dict[str, Any]:
    """Receipts, openings of each field, lines, sums of 0 to 5 receipts, R and K, a return, and an offer (RCP-1 to RCP-9, OFR-1)."""
    lines = (("5901234123457", 2, 598), ("oat drink", 1, 249))
    salt = sha256(b"receipt salt").digest()
    receipt = receipts.Receipt(
        version=1,
        program=ProgramId(sha256(b"program").digest()),
        terms_version=1,
        member=FAN.address,
        till=TILL.key,
        sequence=41,
        time=Timestamp(1_767_225_570),
        net_cents=847,
        paid_with_points_cents=0,
        codes=(("bakery", 249), ("dairy", 598)),
        lines_root=root([receipts.line_leaf(salt, index, line) for index, line in enumerate(lines)]),
        points=Points(84),
    )
    signed = receipts.sign_receipt(receipt, salt, chain_id, TILL.seeds[0])
    leaves = receipts.field_leaves(receipt, salt)
    found = receipts.receipt_hash(receipt, salt)
    return {
        "chain_id": chain_id.hex(),
        "signed": receipts.encode_receipt(signed).hex(),
        "salt": salt.hex(),
        "hash": found.hex(),
        "signing_hash": receipts.receipt_signing_hash(chain_id, found).hex(),
        "signature": signed.signature.hex(),
        "fields": [
            {
                "index": index,
                "name": receipts.RECEIPT.names[index],
                "value": shown(value),
                "salt": receipts.field_salt(salt, index).hex(),
                "leaf": leaves[index].hex(),
                "path": [node.hex() for node in inclusion_path(leaves, index)],
            }
            for index, value in enumerate(receipts.RECEIPT.encode(receipt))
        ],
        "lines": [
            {"index": index, "line": shown(line), "leaf": receipts.line_leaf(salt, index, line).hex()}
            for index, line in enumerate(lines)
        ],
        "lines_root": receipt.lines_root.hex(),
        "returned": _describe_return(chain_id, receipt, found),
        "offer": _describe_offer(receipt.program),
        "sums": [_describe_sum(size) for size in range(6)],
        "remainders": [_describe_remainder(number) for number in (0, 1, 99, 2**31 - 1)],
    }


def _describe_return(chain_id: ChainId, bought: receipts.Receipt, receipt: ReceiptHash) -> dict[str, Any]:
    """A part of the purchase goes back, an hour later; the fan's account is the board's, two of three keys (RCP-9)."""
    returned = returns.ReturnReceipt(
        version=1,
        program=bought.program,
        member=BOARD_KEYS.address,
        receipt=receipt,
        till=bought.till,
        time=Timestamp(bought.time + 3_600),
        points=Points(24),
        salt=sha256(b"return salt").digest(),
    )
    found = returns.return_id_of(returned)
    witness = BOARD_KEYS.sign(returns.fan_message(chain_id, found))
    signature = returns.sign_return_as_till(returned, chain_id, TILL.seeds[0])
    signed = returns.SignedReturn(returned, signature, returns.FanConsent(witness.policy, witness.signatures))
    return {
        "signed": returns.encode_return(signed).hex(),
        "id": found.hex(),
        "till_message": returns.till_message(chain_id, found).hex(),
        "fan_message": returns.fan_message(chain_id, found).hex(),
    }


def _describe_offer(program: ProgramId) -> dict[str, Any]:
    """An offer as it is handed over, with what stands for its terms, and its id (OFR-1)."""
    offer = make_offer(program, FAN.address, 1)
    return {"offer": encode_offer(offer).hex(), "terms": offer.commitment.hex(), "id": offer.offer_id.hex()}


def _describe_sum(size: int) -> dict[str, Any]:
    items = [(ReceiptHash(sha256(bytes([size, number])).digest()), Points(number * 37)) for number in range(size)]
    leaves = [receipts.sum_leaf(*item) for item in items]
    top, salt = receipts.sum_root(leaves), sha256(b"sum" + bytes([size])).digest()
    return {
        "receipts": [[found.hex(), points] for found, points in items],
        "leaves": [leaf.hash.hex() for leaf in leaves],
        "root": top.hash.hex(),
        "sum": top.points,
        "paths": [
            [[node.hash.hex(), node.points] for node in receipts.sum_path(leaves, index)] for index in range(size)
        ],
        "salt": salt.hex(),
        "R": receipts.seal_sum(salt, top).hex(),
    }


def _describe_remainder(number: int) -> dict[str, Any]:
    salt = sha256(b"remainder" + number.to_bytes(8, "big")).digest()
    return {"remainder": number, "salt": salt.hex(), "K": receipts.seal_remainder(salt, Points(number)).hex()}


def describe_bits(number: CompactBits) -> dict[str, Any]:
    """Target, work and canonical spelling of compact bits (POW-4)."""
    target = target_from_compact(number)
    work = work_of(target)
    return {"bits": number, "target": f"{target:064x}", "canonical": compact_from_target(target), "work": str(work)}
