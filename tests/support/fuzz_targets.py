"""Everything that reads bytes or text from strangers, with valid bytes of each, for fuzzing.

A new decoder is one more `Target` in `make_targets`: valid bytes, and a function that reads bytes and gives back the bytes that it
would write for what it read (None where there is no one encoding, as in files for people). It raises what it may raise.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.cli.chain_params import parse_params
from api.http.pagination import decode_cursor, encode_cursor
from api.wallet.builder import ChainFacts, Signer
from api.wallet.derivation import derive_main_seed
from api.wallet.enrolment import Invitation, JoinRequest, counter_sign, make_invitation, request_join
from api.wallet.keystore import FILE_BYTES_MAX, MEMORY_KIB_MIN, Content, Cost, open_content, seal_content
from api.wallet.mnemonic import Entropy, MasterSeed, check_phrase, create_phrase
from api.wallet.program_file import EXAMPLE, read_program_file
from api.wallet.receipts import find_in_opening
from api.wallet.sealing import Carried, Opening, opening_to_mapping
from api.wallet.settlement import SettlementBook
from ledger import coinbase
from ledger.address import decode_address, encode_address
from ledger.block import Block, Commitment
from ledger.codec import pack, unpack
from ledger.domains.loyalty.receipts import decode_receipt, encode_receipt, receipt_hash
from ledger.errors import LedgerError
from ledger.header import Header
from ledger.networks import NETWORKS
from ledger.params import BLOCK_BYTES_MAX, params_to_mapping
from ledger.proofs import check_proof, encode_proof, read_proof
from ledger.state import Table, decode_record, encode_record
from ledger.transaction import decode_transaction, encode_body, encode_transaction
from ledger.transition import Undo
from ledger.types import Address, ChainId, Height, Points, ProgramId, RecordKey
from node.dump import DumpHead, DumpReader, write_dump

GOLDEN: Final = Path(__file__).parents[1] / "vectors" / "golden"
PASSPHRASE: Final = "correct horse"
CHEAP: Final = Cost(memory_kib=MEMORY_KIB_MIN, iterations=1, lanes=1)
PROGRAM: Final = ProgramId(bytes(range(32)))
DUMPED_BLOCKS: Final = 3
"""Enough to go from one item to the next; a longer seed only makes each case slower."""


@dataclass(frozen=True)
class Target:
    """A reader of hostile bytes. `read` raises a `LedgerError`, or gives the bytes of what it read (None: it has no one form)."""

    name: str
    read: Callable[[bytes], bytes | None]
    seeds: Sequence[bytes]

    def judge(self, data: bytes) -> str:
        """`refused: <code>` or `accepted`. Raises AssertionError where accepted bytes are not what would be written, and
        whatever the reader raises that is not a `LedgerError`."""
        try:
            again = self.read(data)
        except LedgerError as fault:
            return f"refused: {str(fault).partition(':')[0]}"
        assert again is None or again == data, f"{self.name} accepts bytes that it would write as {again!r}"
        return "accepted"


def golden(name: str) -> Any:
    """One file of the golden vectors."""
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def every_hex(value: Any, field: str) -> list[bytes]:
    """The bytes of all fields of this name, at any depth."""
    if isinstance(value, list):
        return [data for item in value for data in every_hex(item, field)]
    if not isinstance(value, dict):
        return []
    here = [bytes.fromhex(value[field])] if isinstance(value.get(field), str) else []
    return here + [data for item in value.values() for data in every_hex(item, field)]


def make_targets(folder: Path) -> dict[str, Target]:
    """All targets by name. `folder` is for readers that want a path."""
    chain = golden("chain")
    chain_id = ChainId(bytes.fromhex(chain["genesis"]["hash"]))
    blocks = every_hex(chain, "block")
    return {
        target.name: target for target in (*ledger_targets(chain, chain_id, blocks), *file_targets(folder, chain_id))
    }


def ledger_targets(chain: Any, chain_id: ChainId, blocks: Sequence[bytes]) -> list[Target]:
    """What a node reads from its peers, from senders, and from its own store."""
    decoded = [Block.decode(data) for data in blocks]

    def read_transaction(data: bytes) -> bytes:
        found = decode_transaction(data, chain_id)
        assert encode_body(found.body, found.payload) == found.body_bytes, "the body has one encoding"
        return encode_transaction(found.body_bytes, found.witnesses)

    def read_coinbase(data: bytes) -> bytes:
        found = coinbase.parse(data)
        return coinbase.build(
            height=found.height,
            extranonce=found.extranonce,
            reward=found.reward,
            magic=found.magic,
            commitment=found.commitment,
        )

    def read_whole_proof(data: bytes) -> bytes:
        proof = read_proof(data)
        written = encode_proof(proof)
        try:
            check_proof(proof)
        except LedgerError as fault:
            str(fault)
        return written

    def read_receipt(data: bytes) -> bytes:
        found = decode_receipt(data)
        receipt_hash(found.receipt, found.salt)
        return encode_receipt(found)

    return [
        Target("codec", lambda data: pack(unpack(data)), every_hex(golden("codec")["accepted"], "hex")),
        Target("header", lambda data: Header.decode(data).encode(), [block.header.encode() for block in decoded]),
        Target("coinbase", read_coinbase, [block.coinbase for block in decoded]),
        Target("commitment", lambda data: Commitment.decode(data).encode(), [b.commitment_bytes for b in decoded]),
        Target("block", lambda data: Block.decode(data).encode(), blocks),
        Target("transaction", read_transaction, [raw for block in decoded for raw in block.transactions]),
        Target("proof", read_whole_proof, every_hex(golden("proofs"), "hex")),
        Target("receipt", read_receipt, [bytes.fromhex(golden("receipts")["signed"])]),
        # Only a node's own store holds these: a slot that did not exist may carry anything, which is not looked at.
        Target("undo", lambda data: _none(Undo.decode(data).encode()), every_hex(chain, "undo")),
        *record_targets(),
    ]


def record_targets() -> list[Target]:
    """One target for the values of each table of the state."""
    found: list[Target] = []
    for prefix, table in sorted(Table.catalogue.items()):
        key = RecordKey(bytes([prefix]) + bytes(32))
        rows = [row for row in golden("records")["records"] if row["table"] == table.name]
        seeds = [bytes.fromhex(row["value"]) for row in rows]
        if seeds:
            found.append(Target(f"record-{table.name}", _record_reader(key), seeds))
    return found


def _record_reader(key: RecordKey) -> Callable[[bytes], bytes]:
    return lambda data: encode_record(key, decode_record(key, unpack(data)))


def file_targets(folder: Path, chain_id: ChainId) -> list[Target]:
    """What the wallet and the command line read from files and from other people's screens."""
    signer = Signer.of_seed(derive_main_seed(MasterSeed(bytes(64))))
    facts = ChainFacts.of_params(NETWORKS["dev"], chain_id)
    invitation = make_invitation(facts, PROGRAM, signer.address, valid_from=Height(3))
    receipt = decode_receipt(bytes.fromhex(golden("receipts")["signed"]))
    settled = (receipt_hash(receipt.receipt, receipt.salt), receipt.receipt.points)
    carried = Carried(Points(7), bytes(32))
    opening = Opening(
        Address(receipt.receipt.member), 3, receipt.receipt.points, (settled,), bytes(32), carried, carried
    )
    book = SettlementBook(folder / "book.json", PROGRAM, {Address(bytes(32)): carried}, {settled[0]})
    book.save()
    phrase = create_phrase(lambda count: bytes(range(count)))
    prefix = facts.address_prefix

    def read_book(data: bytes) -> None:
        book.path.write_bytes(data)
        SettlementBook.load(book.path, PROGRAM)

    def read_dump(data: bytes) -> None:
        (folder / "chain.dump").write_bytes(data)
        with DumpReader(folder / "chain.dump") as reader:
            for raw in reader.blocks():
                assert len(raw) <= BLOCK_BYTES_MAX

    def read_cursor(data: bytes) -> None:
        decode_cursor(_text(data), "blocks", (b"x", None))

    def read_address(data: bytes) -> bytes:
        text = _text(data)
        written = encode_address(prefix, decode_address(prefix, text))
        assert written == text.lower(), "an address has one lower-case form"
        return data

    return [
        Target(
            "params",
            lambda data: _none(parse_params(_text(data))),
            [_json(params_to_mapping(p)) for p in NETWORKS.values()],
        ),
        Target("keystore", lambda data: _none(open_content(data, PASSPHRASE)), [sealed_keystore(phrase)]),
        Target(
            "invitation",
            lambda data: _none(request_join(Invitation.from_json(_text(data)), signer)),
            [invitation.to_json().encode()],
        ),
        Target(
            "join-request",
            lambda data: _none(counter_sign(facts, PROGRAM, JoinRequest.from_json(_text(data)), signer)),
            [request_join(invitation, signer, bytes(8)).to_json().encode()],
        ),
        Target(
            "opening", lambda data: _none(find_in_opening(receipt, _text(data))), [_json(opening_to_mapping(opening))]
        ),
        Target("dump", read_dump, small_dumps(folder, chain_id)),
        Target("settlement-book", read_book, [book.path.read_bytes()]),
        Target("terms-file", lambda data: _none(read_program_file(_text(data))), [EXAMPLE.encode()]),
        Target("phrase", lambda data: _none(check_phrase(_text(data))), [phrase.encode()]),
        Target("cursor", read_cursor, [encode_cursor("blocks", (b"x", b""), (5, 6)).encode()]),
        Target("address", read_address, [encode_address(prefix, signer.address).encode()]),
    ]


def small_dumps(folder: Path, chain_id: ChainId) -> list[bytes]:
    """The golden chain as a dump, plain and in both compressions."""
    raws = every_hex(golden("chain"), "block")[:DUMPED_BLOCKS]
    last = Block.decode(raws[-1])
    head = DumpHead(chain_id, NETWORKS["sim"], Height(len(raws) - 1), last.hash)
    found: list[bytes] = []
    for suffix in ("", ".gz", ".xz"):
        path = folder / f"seed.dump{suffix}"
        write_dump(path, head, raws)
        found.append(path.read_bytes())
    return found


def sealed_keystore(phrase: str) -> bytes:
    """A keystore at the least cost, so that many can be opened."""
    content = Content(Entropy(bytes(range(32))), (("account/0", phrase[:20]),))
    data = seal_content(content, PASSPHRASE, cost=CHEAP, random_bytes=bytes)
    assert len(data) <= FILE_BYTES_MAX
    return data


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _text(data: bytes) -> str:
    """What the command line makes of a file's bytes: UTF-8; here nothing is refused for it."""
    return data.decode("utf-8", "replace")


def _none(_: object) -> None:
    """Files for people have no one form: it is enough that they were read."""
