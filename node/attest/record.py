"""What a key has signed, on disk: it never signs two votes that conflict (spec ATT-1, ATT-2).

For each chain the highest source and the highest target that the key ever voted for are kept. A vote is signed only if its target
is higher than that and its source no lower: then no two votes share a target's height and none lies around another. Both numbers
are on the disk, synced, before there is a signature; a crash loses a vote at most, never the memory of one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from ledger.errors import Code, LedgerError
from ledger.finality.votes import SignedVote, Vote, sign_vote
from ledger.types import ChainId, Height, PrivateSeed, PublicKey
from node.attest.disk import RECORD_FAILED, Disk
from node.errors import NodeError

FORMAT: Final = "fansumer-signing-record"
VERSION: Final = 1
RECORD_BYTES_MAX: Final = 65_536
GROUND: Final = Height(0)
NUMBER_MAX: Final = 2**32 - 1
CHAINS_MAX: Final = 32
"""Chains that one key attests on."""

NO_RECORD = Code(
    "attest.no_record",
    "there is no signing record at {path}",
    "`fansumer attest init` makes one. Was it lost? Then stop every other attestor with this key first.",
)
RECORD_EXISTS = Code(
    "attest.record_exists",
    "there is a signing record at {path} already",
    "Go on with it: `fansumer attest run`. A record is never overwritten.",
)
RECORD_DAMAGED = Code(
    "attest.record_damaged",
    "the signing record {path} is damaged: {reason}",
    "Move it away, see that no other attestor uses the key, and make a new one: fansumer attest init.",
)
OTHER_KEY = Code(
    "attest.other_key",
    "the signing record {path} is that of the key {found}, not of {expected}",
    "Name the keystore and the record that belong together.",
)
WOULD_CONFLICT = Code(
    "attest.would_conflict",
    "a vote from {source} to {target} could conflict with one that this key signed: it went from {source_floor} to {target_floor}",
    "Nothing: it is not signed. The attestor goes on at a higher checkpoint.",
)
TOO_MANY_CHAINS = Code(
    "attest.chains", "this key attests on {maximum} chains already", "Use a key of its own for each chain."
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a key has signed on one chain: the highest source and target, how many votes, and the last of them."""

    source_floor: Height = GROUND
    target_floor: Height = GROUND
    votes: int = 0
    last: Vote | None = None

    def admits(self, vote: Vote) -> bool:
        """Whether a vote can conflict with nothing that was signed: it is the last one again, or goes beyond all."""
        is_beyond = vote.target.height > self.target_floor and vote.source.height >= self.source_floor
        return vote == self.last or is_beyond

    def raised(self, vote: Vote) -> "Signed":
        """The same with no lower floors than a vote that was seen."""
        source = Height(max(self.source_floor, vote.source.height))
        return replace(self, source_floor=source, target_floor=Height(max(self.target_floor, vote.target.height)))


NOTHING: Final = Signed()


@dataclass(frozen=True, slots=True)
class RecordContent:
    """One key and what it signed, by chain."""

    key: PublicKey
    chains: Mapping[ChainId, Signed] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The file: a JSON object with a checksum over all that stands before it."""
        chains = {
            chain_id.hex(): {
                "source_height": signed.source_floor,
                "target_height": signed.target_floor,
                "votes": signed.votes,
                "last": None if signed.last is None else signed.last.encode().hex(),
            }
            for chain_id, signed in sorted(self.chains.items())
        }
        found: dict[str, Any] = {"format": FORMAT, "version": VERSION, "key": self.key.hex(), "chains": chains}
        return json.dumps(found | {"checksum": _checksum(found)}, indent=1).encode() + b"\n"

    @staticmethod
    def decode(data: bytes) -> "RecordContent":
        """Read what `encode` wrote. Raises ValueError with what is wrong."""
        if len(data) > RECORD_BYTES_MAX:
            raise ValueError(f"it has more than {RECORD_BYTES_MAX} bytes")
        try:
            found = json.loads(data)
            checksum = found.pop("checksum")
            if found["format"] != FORMAT or found["version"] != VERSION:
                raise ValueError("it has another format or version")
            if checksum != _checksum(found):
                raise ValueError("its checksum does not fit")
            chains = {ChainId(bytes.fromhex(name)): _read_signed(entry) for name, entry in found["chains"].items()}
            return RecordContent(PublicKey(bytes.fromhex(found["key"])), chains)
        except (KeyError, TypeError, AttributeError, RecursionError, LedgerError) as fault:
            raise ValueError(f"a part is missing or malformed ({fault})") from fault


def _checksum(found: Mapping[str, Any]) -> str:
    return sha256(json.dumps(found, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_signed(entry: Mapping[str, Any]) -> Signed:
    numbers = entry["source_height"], entry["target_height"], entry["votes"]
    if not all(type(number) is int and 0 <= number <= NUMBER_MAX for number in numbers):
        raise ValueError("a number in it is none")
    last = None if entry["last"] is None else Vote.decode(bytes.fromhex(entry["last"]))
    return Signed(Height(numbers[0]), Height(numbers[1]), numbers[2], last)


class SigningRecord:
    """The record of one key, open. Whoever opens it holds its lock."""

    def __init__(self, disk: Disk, key: PublicKey) -> None:
        """Raises `attest.no_record`, `attest.record_failed`, `attest.record_damaged` or `attest.other_key`."""
        self._disk = disk
        content = read_record(disk)
        if content is None:
            raise NodeError(NO_RECORD, path=str(disk.path))
        if content.key != key:
            raise NodeError(OTHER_KEY, path=str(disk.path), found=content.key, expected=key)
        self._content = content

    @property
    def key(self) -> PublicKey:
        """Whose record it is."""
        return self._content.key

    def signed(self, chain_id: ChainId) -> Signed:
        """What the key signed on a chain."""
        return self._content.chains.get(chain_id, NOTHING)

    def sign(self, seed: PrivateSeed, vote: Vote) -> SignedVote:
        """Write a vote down, then sign it. Raises `attest.would_conflict`, `.chains` or `.record_failed`: nothing is signed."""
        signed = self.signed(vote.chain_id)
        vote.check()
        if not signed.admits(vote):
            raise NodeError(
                WOULD_CONFLICT,
                source=vote.source.height,
                target=vote.target.height,
                source_floor=signed.source_floor,
                target_floor=signed.target_floor,
            )
        if vote != signed.last:
            self._keep(vote.chain_id, replace(signed.raised(vote), votes=signed.votes + 1, last=vote))
        made = sign_vote(seed, self.key, vote)
        assert self.signed(vote.chain_id).last == vote, "a signature leaves after its vote was written down"
        return made

    def learn(self, vote: Vote) -> bool:
        """A vote of this key was seen, signed well; whether the record did not know of it. Raises `attest.record_failed`."""
        signed = self.signed(vote.chain_id)
        raised = signed.raised(vote)
        if raised == signed:
            return False
        self._keep(vote.chain_id, raised)
        return True

    def _keep(self, chain_id: ChainId, signed: Signed) -> None:
        chains = {**self._content.chains, chain_id: signed}
        if len(chains) > CHAINS_MAX:
            raise NodeError(TOO_MANY_CHAINS, maximum=CHAINS_MAX)
        content = replace(self._content, chains=chains)
        _write(self._disk, content)
        self._content = content


def read_record(disk: Disk) -> RecordContent | None:
    """What a record holds; None if there is none. Raises `attest.record_failed` or `attest.record_damaged`."""
    try:
        data = disk.read()
    except OSError as fault:
        raise NodeError(RECORD_FAILED, path=str(disk.path), reason=fault.strerror or str(fault)) from fault
    if data is None:
        return None
    try:
        return RecordContent.decode(data)
    except ValueError as fault:
        raise NodeError(RECORD_DAMAGED, path=str(disk.path), reason=str(fault)) from fault


def make_record(disk: Disk, key: PublicKey) -> None:
    """Make the empty record of a key. Raises `attest.record_exists` or `attest.record_failed`."""
    try:
        if disk.read() is not None:
            raise NodeError(RECORD_EXISTS, path=str(disk.path))
    except OSError as fault:
        raise NodeError(RECORD_FAILED, path=str(disk.path), reason=fault.strerror or str(fault)) from fault
    _write(disk, RecordContent(key))


def _write(disk: Disk, content: RecordContent) -> None:
    """Bytes, name and folder reach the disk, in this order: before it returns the old record is there, after it the new one."""
    try:
        disk.write_fresh(content.encode())
        disk.rename_fresh()
        disk.sync_folder()
    except OSError as fault:
        raise NodeError(RECORD_FAILED, path=str(disk.path), reason=fault.strerror or str(fault)) from fault
