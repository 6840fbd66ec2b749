"""One miner's connection as a state machine: lines in, lines out; no socket, no clock (spec MINE-3 to MINE-5).

Whoever owns it gives it lines and jobs with the present time, writes what `take_output` returns, counts what `take_shares`
returns, and closes the connection once `fault` says why. Times are monotonic milliseconds, `wall` is seconds since 1970.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ledger.errors import LedgerError
from ledger.header import VERSION_BASE, VERSION_ROLLING_MASK, Header
from ledger.types import Address, BlockHash, Target, Timestamp, Work
from node.stratum.difficulty import (
    UNITS_MIN,
    UNITS_OF_ONE,
    Units,
    lenient_target_of,
    show_units,
    units_of_weight,
    weight_of,
)
from node.stratum.jobs import EXTRANONCE2_BYTES, Job, Solution
from node.stratum.messages import (
    NotARequest,
    Refusal,
    Refused,
    Request,
    answer,
    parse_request,
    refuse,
    set_difficulty,
    show_message,
)
from node.stratum.vardiff import FIRST_WEIGHT, Vardiff, clamp_units

JOBS_KEPT_MAX: Final = 8
USERS_MAX: Final = 16
BAD_LINES_MAX: Final = 10
REFUSED_IN_A_ROW_MAX: Final = 200
UNAUTHORIZED_MS_MAX: Final = 30_000
SILENCE_MS_MAX: Final = 900_000
HEADERS_REMEMBERED_MAX: Final = 20_000
"""Headers of one tip that one connection handed in: 2 MB. At a share in ten seconds that is two days."""
HASH_BYTES_REMEMBERED: Final = 8
SUGGESTED_MAX: Final = Decimal(10) ** 18

WORKER: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
HEX_WORD: Final = re.compile(r"[0-9a-fA-F]{8}")
MASK: Final = re.compile(r"[0-9a-fA-F]{1,8}")
ROLLING: Final = "version-rolling"


@dataclass(frozen=True, slots=True)
class Counted:
    """A share that counts. `is_block`: its hash meets the block's target, too."""

    address: Address
    worker: str
    weight: Work
    job: Job
    solution: Solution
    header: Header
    hash: BlockHash
    is_block: bool


@dataclass(frozen=True, slots=True)
class _Issued:
    """A job as this connection was sent it."""

    job: Job
    weight: Work
    share_target: Target


class Session:
    """`name_job` gives a name that no job had; `read_address` raises `Malformed` where a text is no address of this chain."""

    def __init__(
        self,
        *,
        extranonce1: bytes,
        now_ms: int,
        read_address: Callable[[str], Address],
        name_job: Callable[[], str],
    ) -> None:
        self.extranonce1 = extranonce1
        self.fault: str | None = None
        self.users: dict[str, tuple[Address, str]] = {}
        self.has_new_user = False
        self.refused: dict[Refusal, int] = {}
        self._read_address, self._name_job = read_address, name_job
        self._opened_ms = self._heard_ms = now_ms
        self._is_subscribed = False
        self._mask: int | None = None
        self._vardiff = Vardiff(units_of_weight(FIRST_WEIGHT), now_ms)
        self._told_units: Units | None = None
        self._previous: BlockHash | None = None
        self._issued: dict[str, _Issued] = {}
        self._paused = ""
        self._handed_in: set[bytes] = set()
        self._bad_lines = self._refused_in_a_row = 0
        self._output: list[bytes] = []
        self._shares: list[Counted] = []
        self._methods: dict[str, Callable[[Request, int, Timestamp], Any]] = {
            "mining.submit": self._submit,
            "mining.subscribe": self._subscribe,
            "mining.authorize": self._authorize,
            "mining.configure": self._configure,
            "mining.suggest_difficulty": self._suggest_difficulty,
            "mining.extranonce.subscribe": lambda *_: True,
        }

    # --- for the owner ---

    @property
    def is_ready(self) -> bool:
        """Whether it is subscribed and has an authorized user: only then jobs are sent."""
        return self._is_subscribed and bool(self.users)

    def take_output(self) -> bytes:
        """What is to be written, whole lines."""
        found = b"".join(self._output)
        self._output.clear()
        return found

    def take_shares(self) -> list[Counted]:
        """The shares that counted since the last time."""
        found, self._shares = self._shares, []
        return found

    def receive(self, line: bytes, now_ms: int, wall: Timestamp) -> None:
        """Answer one line, given without its end."""
        self._heard_ms = now_ms
        if not line.strip():
            return
        try:
            request = parse_request(line)
        except NotARequest as fault:
            self._bad_lines += 1
            self._output.append(refuse(None, Refused(Refusal.OTHER, f"not a request: {fault}")))
            if self._bad_lines >= BAD_LINES_MAX:
                self.fault = "too many lines that are no requests"
            return
        if request is None:
            return
        try:
            method = self._methods.get(request.method)
            if method is None:
                raise Refused(Refusal.OTHER, "unknown method")
            result = method(request, now_ms, wall)
        except Refused as fault:
            self._output.append(refuse(request.id, fault))
            self._note_refusal(fault.code, is_share=request.method == "mining.submit")
        else:
            self._output.append(answer(request.id, result))
            if request.method == "mining.submit":
                self._adjust_difficulty(now_ms)

    def look_at_clock(self, now_ms: int) -> None:
        """To be called every few seconds: closes what is silent, and lowers a difficulty that is too high."""
        if not self.users and now_ms - self._opened_ms > UNAUTHORIZED_MS_MAX:
            self.fault = "no user was authorized"
        elif now_ms - self._heard_ms > SILENCE_MS_MAX:
            self.fault = "silent"
        else:
            self._adjust_difficulty(now_ms)

    def send_job(self, job: Job) -> None:
        """Send a job, after a difficulty that changed. If it is for another tip than the last one, all before it is stale."""
        assert self.is_ready, "jobs are sent to those that are subscribed and authorized"
        is_clean = job.previous != self._previous
        if is_clean:
            self._previous = job.previous
            self._issued.clear()
            self._handed_in.clear()
        self._send(job, clean=is_clean)

    def pause(self, reason: str) -> None:
        """There is no work now: what was given out is worth nothing, and the miner is told why."""
        self._issued.clear()
        self._paused = reason
        self._output.append(show_message(reason))

    def drop_jobs(self) -> None:
        """The tip is another one, and there is no job on it yet."""
        self._issued.clear()

    # --- sending ---

    def _send(self, job: Job, *, clean: bool) -> None:
        name, self._paused = self._name_job(), ""
        units = clamp_units(self._vardiff.units, job.units_min, job.units_max)
        if units != self._told_units:
            self._told_units = units
            self._output.append(set_difficulty(show_units(units)))
        self._issued[name] = _Issued(job, weight_of(units), lenient_target_of(units))
        while len(self._issued) > JOBS_KEPT_MAX:
            del self._issued[next(iter(self._issued))]
        self._output.append(job.notify(name, clean=clean))

    def _adjust_difficulty(self, now_ms: int) -> None:
        """Where a measurement has ended with another difficulty: say so, and send the present job under a new name."""
        if not self._issued or not self.is_ready:
            return
        job = next(reversed(self._issued.values())).job
        if self._vardiff.adjust(now_ms, job.units_min, job.units_max):
            self._send(job, clean=False)

    def _note_refusal(self, code: Refusal, *, is_share: bool) -> None:
        self.refused[code] = self.refused.get(code, 0) + 1
        if is_share and code is not Refusal.STALE:
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= REFUSED_IN_A_ROW_MAX:
                self.fault = "too many refused shares in a row"

    # --- methods ---

    def _subscribe(self, request: Request, now_ms: int, wall: Timestamp) -> Any:
        self._is_subscribed = True
        return [[["mining.notify", self.extranonce1.hex()]], self.extranonce1.hex(), EXTRANONCE2_BYTES]

    def _authorize(self, request: Request, now_ms: int, wall: Timestamp) -> bool:
        user = request.params[0] if request.params else None
        if not isinstance(user, str):
            raise Refused(Refusal.UNAUTHORIZED, "the user name is the address to be paid")
        text, dot, worker = user.partition(".")
        if dot and not WORKER.fullmatch(worker):
            raise Refused(Refusal.UNAUTHORIZED, "after the address and a dot: 1 to 32 of A-Z a-z 0-9 _ -")
        try:
            address = self._read_address(text)
        except LedgerError as fault:
            raise Refused(Refusal.UNAUTHORIZED, f"the user name is the address to be paid: {fault}") from fault
        if user not in self.users and len(self.users) >= USERS_MAX:
            raise Refused(Refusal.UNAUTHORIZED, f"a connection has at most {USERS_MAX} users")
        self.has_new_user = self.has_new_user or user not in self.users
        self.users[user] = (address, worker)
        return True

    def _configure(self, request: Request, now_ms: int, wall: Timestamp) -> Any:
        match request.params:
            case [list() as extensions, dict() as options] if all(isinstance(name, str) for name in extensions):
                pass
            case _:
                raise Refused(Refusal.OTHER, "configure takes a list of extensions and their options")
        result: dict[str, Any] = dict.fromkeys(extensions[:USERS_MAX], False)
        if ROLLING in result:
            asked = options.get(f"{ROLLING}.mask", "ffffffff")
            if not isinstance(asked, str) or not MASK.fullmatch(asked):
                raise Refused(Refusal.OTHER, "a mask is at most 8 hex digits")
            self._mask = int(asked, 16) & VERSION_ROLLING_MASK
            result |= {ROLLING: True, f"{ROLLING}.mask": f"{self._mask:08x}"}
        return result

    def _suggest_difficulty(self, request: Request, now_ms: int, wall: Timestamp) -> bool:
        match request.params:
            case [int() | Decimal() as asked, *_] if not isinstance(asked, bool) and 0 < asked <= SUGGESTED_MAX:
                pass
            case _:
                raise Refused(Refusal.OTHER, "a difficulty is a number above 0")
        if not self._vardiff.has_counted:
            self._vardiff.suggest(max(Units(int(asked * UNITS_OF_ONE)), UNITS_MIN), now_ms)
        return True

    def _submit(self, request: Request, now_ms: int, wall: Timestamp) -> bool:
        """Checks in the order of the spec, the cheapest first."""
        if not self._is_subscribed:
            raise Refused(Refusal.NOT_SUBSCRIBED, "not subscribed")
        user, name, words = self._read_submission(request.params)
        issued = self._issued.get(name)
        if issued is None:
            raise Refused(Refusal.STALE, self._paused or "stale or unknown job")
        extranonce2, time, nonce, rolled = words
        if rolled & ~(self._mask or 0):
            raise Refused(Refusal.OTHER, "version bits outside of the mask that was agreed")
        if not issued.job.time_min <= time <= max(wall + issued.job.time_ahead_s_max, issued.job.time_min):
            raise Refused(Refusal.OTHER, "time is not later than the parent's, or too far ahead")
        solution = Solution(
            self.extranonce1 + extranonce2.to_bytes(EXTRANONCE2_BYTES, "big"),
            Timestamp(time),
            nonce,
            VERSION_BASE & ~(self._mask or 0) | rolled,
        )
        header = issued.job.header(solution)
        found = header.hash
        remembered = found[:HASH_BYTES_REMEMBERED]
        if remembered in self._handed_in:
            raise Refused(Refusal.DUPLICATE, "duplicate share")
        number = int.from_bytes(found, "little")
        if number > issued.share_target:
            raise Refused(Refusal.LOW_DIFFICULTY, "low difficulty share")
        if len(self._handed_in) >= HEADERS_REMEMBERED_MAX:
            raise Refused(Refusal.OTHER, "too many shares for one block")
        self._handed_in.add(remembered)
        self._refused_in_a_row = 0
        self._vardiff.note_share(issued.weight)
        address, worker = user
        is_block = number <= issued.job.template.target
        self._shares.append(Counted(address, worker, issued.weight, issued.job, solution, header, found, is_block))
        return True

    def _read_submission(self, params: list[Any]) -> tuple[tuple[Address, str], str, tuple[int, int, int, int]]:
        """The user, the job's name, and extranonce2, time, nonce, rolled bits."""
        if not params or not isinstance(params[0], str) or params[0] not in self.users:
            raise Refused(Refusal.UNAUTHORIZED, "unauthorized user")
        if not 5 <= len(params) <= 6 or not all(isinstance(found, str) for found in params):
            raise Refused(
                Refusal.OTHER, "submit takes user, job, extranonce2, time, nonce, and with version rolling its bits"
            )
        if not all(HEX_WORD.fullmatch(found) for found in params[2:]):
            raise Refused(Refusal.OTHER, "extranonce2, time, nonce and version bits are 8 hex digits")
        words = [int(found, 16) for found in params[2:]]
        return self.users[params[0]], params[1], (words[0], words[1], words[2], words[3] if len(words) == 4 else 0)
