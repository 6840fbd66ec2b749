"""Stratum v1 as a miner speaks it: lines in, lines and work out; no socket, no clock (MINE-2 to MINE-5, from the other side)."""

import json
import re
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from ledger.errors import Code, Malformed
from ledger.hashing import sha256d
from ledger.pow import target_from_compact
from ledger.types import CompactBits, Target
from node.errors import NodeError

DIFFICULTY_ONE: Final = Target(0xFFFF << 208)
TARGET_MAX: Final = 2**256 - 1
DIFFICULTY_MIN, DIFFICULTY_MAX = Decimal("1e-15"), Decimal("1e40")
MASK_ASKED: Final = 0x1FFFE000
LINE_BYTES_MAX: Final = 65_536
BRANCH_MAX: Final = 64
EXTRANONCE1_BYTES_MAX: Final = 16
EXTRANONCE2_BYTES_MAX: Final = 8
TEXT_BYTES_MAX: Final = 16_384
UNANSWERED_MAX: Final = 16
"""Shares that the server has not answered yet: more work is not given out until it has."""
CONFIGURE, SUBSCRIBE, AUTHORIZE, FIRST_SUBMISSION = 1, 2, 3, 4
STALE: Final = 21

HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
WORD: Final = re.compile(r"[0-9a-fA-F]{8}")

NOT_STRATUM = Code(
    "mining.protocol", "the server said something that is not Stratum: {reason}", "Is this the right port?"
)
REFUSED = Code("mining.refused", "the server does not let {user} work: {reason}", "Name an address of its chain.")


@dataclass(frozen=True, slots=True)
class Work:
    """A header's first 76 bytes to search, and what must be said of it when something is found."""

    job: str
    extranonce2: str
    time: str
    prefix: bytes
    share_target: Target
    block_target: Target
    mask: int

    @property
    def version_bit(self) -> int:
        """A bit of the version that may be flipped, or 0."""
        return self.mask & -self.mask


@dataclass(frozen=True, slots=True)
class _Job:
    id: str
    previous: bytes
    coinb1: bytes
    coinb2: bytes
    branch: tuple[bytes, ...]
    version: int
    bits: int
    time: str
    share_target: Target


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of what was handed in. `blocks` are hashes of accepted ones, in display order, the newest last."""

    accepted: int = 0
    stale: int = 0
    refused: int = 0
    blocks: tuple[str, ...] = ()


@dataclass(slots=True)
class MinerProtocol:
    """One connection's state. `user` is the payout address, perhaps with `.` and a worker's name."""

    user: str
    tally: Tally = field(default_factory=Tally)
    told: str = ""
    """The last words of the server for a person."""
    _mask: int = 0
    _extranonce1: bytes | None = None
    _extranonce2_bytes: int = 0
    _counter: int = 0
    _share_target: Target = DIFFICULTY_ONE
    _difficulty: Decimal | None = None
    _job: _Job | None = None
    _is_authorized: bool = False
    _next_id: int = FIRST_SUBMISSION
    _unanswered: dict[int, bytes] = field(default_factory=dict)
    _solved: str = ""

    @property
    def difficulty(self) -> Decimal | None:
        """Of a share, as the server said it last."""
        return self._difficulty

    @property
    def block_target(self) -> Target | None:
        """Of the present job's block."""
        return None if self._job is None else target_from_compact(CompactBits(self._job.bits))

    def greet(self) -> bytes:
        """The first lines."""
        options = {"version-rolling.mask": f"{MASK_ASKED:08x}", "version-rolling.min-bit-count": 1}
        return (
            _request(CONFIGURE, "mining.configure", [["version-rolling"], options])
            + _request(SUBSCRIBE, "mining.subscribe", ["fansumer/1"])
            + _request(AUTHORIZE, "mining.authorize", [self.user, "x"])
        )

    def receive(self, line: bytes) -> bool:
        """Take in a line; whether there is a new job. Raises NodeError mining.protocol or mining.refused."""
        message = _parse(line)
        method = message.get("method")
        if method is None:
            self._take_answer(message)
            return False
        params = message.get("params")
        if not isinstance(params, list):
            raise _fault("a notice without params")
        if method == "mining.notify":
            if self._job is None:
                self.told = ""
            self._job = self._read_job(params)
            return True
        if method == "mining.set_difficulty":
            self._set_difficulty(params)
        elif method == "client.show_message" and params and isinstance(params[0], str):
            self.told = params[0][:200]
        return False  # what else a server may say asks for nothing

    def next_work(self) -> Work | None:
        """Work that was not given out before; None as long as there is none."""
        job = self._job
        if job is None or self._extranonce1 is None or not self._is_authorized or self._is_waiting:
            return None
        self._counter = (self._counter + 1) % 256**self._extranonce2_bytes
        extranonce2 = self._counter.to_bytes(self._extranonce2_bytes, "big")
        root = sha256d(job.coinb1 + self._extranonce1 + extranonce2 + job.coinb2)
        for sibling in job.branch:
            root = sha256d(root + sibling)
        prefix = struct.pack("<I", job.version) + job.previous + root + struct.pack("<II", int(job.time, 16), job.bits)
        block_target = target_from_compact(CompactBits(job.bits))
        return Work(job.id, extranonce2.hex(), job.time, prefix, job.share_target, block_target, self._mask)

    @property
    def _is_waiting(self) -> bool:
        """Whether more would be in vain now: of the job that a block was found for the tip is about to change."""
        return len(self._unanswered) >= UNANSWERED_MAX or (self._job is not None and self._job.id == self._solved)

    def submit(self, work: Work, header: bytes) -> bytes:
        """The line that hands a share in."""
        version, nonce = int.from_bytes(header[:4], "little"), int.from_bytes(header[76:], "little")
        params = [self.user, work.job, work.extranonce2, work.time, f"{nonce:08x}"]
        if work.mask:
            params.append(f"{version & work.mask:08x}")
        asked, self._next_id = self._next_id, self._next_id + 1
        found = sha256d(header)
        is_block = int.from_bytes(found, "little") <= work.block_target
        self._unanswered[asked] = found if is_block else b""
        if is_block and self._job is not None and self._job.id == work.job:
            self._solved = work.job
        return _request(asked, "mining.submit", params)

    def _take_answer(self, message: dict[str, Any]) -> None:
        asked, result, error = message.get("id"), message.get("result"), message.get("error")
        if not isinstance(asked, int):
            return
        if asked in self._unanswered:
            self._count(self._unanswered.pop(asked), result, error)
            if result is not True:
                self._solved = ""
        elif asked == CONFIGURE and isinstance(result, dict) and result.get("version-rolling") is True:
            self._mask = int(_word(result.get("version-rolling.mask")), 16) & MASK_ASKED
        elif asked == SUBSCRIBE:
            self._take_subscription(result)
        elif asked == AUTHORIZE:
            if result is not True:
                raise NodeError(REFUSED, user=self.user, reason=_reason_of(error))
            self._is_authorized = True

    def _take_subscription(self, result: Any) -> None:
        match result:
            case [_, str() as extranonce1, int() as size, *_] if 1 <= size <= EXTRANONCE2_BYTES_MAX:
                self._extranonce1 = _bytes(extranonce1, EXTRANONCE1_BYTES_MAX)
                self._extranonce2_bytes = size
            case _:
                raise _fault("no answer to subscribe that could be used")

    def _count(self, block: bytes, result: Any, error: Any) -> None:
        old = self.tally
        if result is True:
            found = (block[::-1].hex(),) if block else ()
            self.tally = Tally(old.accepted + 1, old.stale, old.refused, old.blocks + found)
        elif isinstance(error, list) and error and error[0] == STALE:
            self.tally = Tally(old.accepted, old.stale + 1, old.refused, old.blocks)
        else:
            self.told = _reason_of(error)
            self.tally = Tally(old.accepted, old.stale, old.refused + 1, old.blocks)

    def _set_difficulty(self, params: list[Any]) -> None:
        match params:
            case [int() | Decimal() as asked, *_] if DIFFICULTY_MIN <= asked <= DIFFICULTY_MAX:
                self._difficulty = Decimal(asked)
                self._share_target = Target(min(int(DIFFICULTY_ONE / Fraction(asked)), TARGET_MAX))
            case _:
                raise _fault("a difficulty is a number above 0")

    def _read_job(self, params: list[Any]) -> _Job:
        match params:
            case [
                str() as name,
                str() as previous,
                str() as one,
                str() as two,
                list() as branch,
                version,
                bits,
                time,
                *_,
            ]:
                pass
            case _:
                raise _fault("a job is a list of nine")
        if len(name) > 64 or len(branch) > BRANCH_MAX or len(previous) != 64:
            raise _fault("a job of wrong lengths")
        words = struct.unpack(">8I", _bytes(previous, 32))
        job = _Job(
            id=name,
            previous=struct.pack("<8I", *words),
            coinb1=_bytes(one, TEXT_BYTES_MAX),
            coinb2=_bytes(two, TEXT_BYTES_MAX),
            branch=tuple(_bytes(sibling, 32) for sibling in branch),
            version=int(_word(version), 16),
            bits=int(_word(bits), 16),
            time=_word(time),
            share_target=self._share_target,
        )
        try:
            target_from_compact(CompactBits(job.bits))
        except Malformed as fault:
            raise _fault(str(fault)) from None
        return job


def _request(asked: int, method: str, params: list[Any]) -> bytes:
    return json.dumps({"id": asked, "method": method, "params": params}).encode() + b"\n"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):  # decimal's own fault is an ArithmeticError
        raise _fault("no JSON") from None
    if not isinstance(found, dict):
        raise _fault("no object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _fault(reason: str) -> NodeError:
    return NodeError(NOT_STRATUM, reason=reason)


def _reason_of(error: Any) -> str:
    match error:
        case [code, str() as text, *_]:
            return f"{text[:200]} ({code})"
        case _:
            return "it does not say why"


def _bytes(text: Any, bytes_max: int) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * bytes_max or not HEX.fullmatch(text):
        raise _fault("no hex, or too much of it")
    return bytes.fromhex(text)


def _word(text: Any) -> str:
    if not isinstance(text, str) or not WORD.fullmatch(text):
        raise _fault("a number is 8 hex digits")
    return text
