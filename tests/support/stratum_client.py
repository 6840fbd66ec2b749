"""A Stratum miner as small as can be, written from what real miners send and expect, not from the server.

Differences to a real one: it takes one line at a time, so that a test says when what happens, and it hashes with hashlib.
"""

import hashlib
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

DIFFICULTY_ONE = 0xFFFF0000 * 2**192
MASK_ASKED = "1fffe000"
LINE_BYTES_MAX = 65_536


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


@dataclass
class Job:
    """What `mining.notify` said, and the share target that was in force."""

    id: str
    previous: str
    coinb1: str
    coinb2: str
    branch: list[str]
    version: str
    bits: str
    time: str
    clean: bool
    target: int

    def header(
        self, extranonce1: str, extranonce2: str, time: str, nonce: str, rolled: int = 0, mask: int = 0
    ) -> bytes:
        """The 80 bytes, put together as miners do: words of the parent's hash swapped back, numbers turned round."""
        root = sha256d(bytes.fromhex(self.coinb1 + extranonce1 + extranonce2 + self.coinb2))
        for sibling in self.branch:
            root = sha256d(root + bytes.fromhex(sibling))
        words = struct.unpack(">8I", bytes.fromhex(self.previous))
        version = int(self.version, 16) & ~mask | rolled
        return (
            struct.pack("<I8I", version, *words)
            + root
            + struct.pack("<III", int(time, 16), int(self.bits, 16), int(nonce, 16))
        )


@dataclass
class Submission:
    """What is handed in, and the header that it stands for."""

    params: list[str]
    header: bytes

    @property
    def hash(self) -> int:
        """The header's hash as a number."""
        return int.from_bytes(sha256d(self.header), "little")


@dataclass
class MinerMind:
    """What a miner knows: jobs, extranonces, its share target. Lines go in; what to send comes out."""

    extranonce1: str = ""
    extranonce2_size: int = 0
    difficulty: float = 1.0
    mask: int = 0
    jobs: list[Job] = field(default_factory=list)
    difficulties: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    extranonce2: int = 0

    @property
    def job(self) -> Job:
        """The last one."""
        return self.jobs[-1]

    def take_notice(self, message: dict[str, Any]) -> None:
        """A line that the server sent by itself."""
        assert message["id"] is None, message
        params = message["params"]
        if message["method"] == "mining.set_difficulty":
            self.difficulty = float(params[0])
            assert self.difficulty > 0
            self.difficulties.append(self.difficulty)
        elif message["method"] == "client.show_message":
            self.told.append(params[0])
        else:
            assert message["method"] == "mining.notify", message
            job_id, previous, coinb1, coinb2, branch, version, bits, time, clean = params
            assert job_id not in {job.id for job in self.jobs}, "the same id is no new work"
            assert clean in (True, False) and len(previous) == 64 and len(bits) == len(time) == len(version) == 8
            target = min(int(DIFFICULTY_ONE / self.difficulty), 2**256 - 1)
            self.jobs.append(Job(job_id, previous, coinb1, coinb2, branch, version, bits, time, clean, target))

    def find(
        self,
        user: str,
        *,
        job: Job | None = None,
        target: int | None = None,
        above: int = 0,
        time: str | None = None,
        rolled: int = 0,
    ) -> Submission:
        """A share for a job. `target`: easier or harder than asked; `above`: its hash must not be as low as this."""
        job = job or self.job
        wanted = job.target if target is None else target
        time = time or job.time
        while True:
            self.extranonce2 += 1
            extranonce2 = f"{self.extranonce2:0{2 * self.extranonce2_size}x}"
            for nonce in range(4_000):
                header = job.header(self.extranonce1, extranonce2, time, f"{nonce:08x}", rolled, self.mask)
                if above < int.from_bytes(sha256d(header), "little") <= wanted:
                    params = [user, job.id, extranonce2, time, f"{nonce:08x}"]
                    return Submission([*params, f"{rolled:08x}"] if self.mask else params, header)


class StratumClient:
    """A blocking connection to a server."""

    def __init__(self, host: str, port: int, *, timeout: float = 20) -> None:
        self.mind = MinerMind()
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._file = self._socket.makefile("rb")
        self._next_id = 0
        self.first_lines: list[dict[str, Any]] = []

    def __enter__(self) -> "StratumClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def send_bytes(self, data: bytes) -> None:
        """Anything at all."""
        self._socket.sendall(data)

    def read(self) -> dict[str, Any] | None:
        """The next line; None when the server has hung up."""
        try:
            line = self._file.readline(LINE_BYTES_MAX)
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def read_notice(self) -> None:
        """Wait for what the server says by itself."""
        message = self.read()
        assert message is not None, "the server hung up"
        self.mind.take_notice(message)

    def wait_for_job(self, *, clean: bool | None = None) -> Job:
        """Read until there is another job."""
        known = len(self.mind.jobs)
        while len(self.mind.jobs) == known or (clean is not None and self.mind.job.clean is not clean):
            self.read_notice()
        return self.mind.job

    def ask(self, method: str, params: list[Any]) -> dict[str, Any]:
        """The answer to a request; notices before it are taken in."""
        self._next_id += 1
        asked = self._next_id
        self.send_bytes(json.dumps({"id": asked, "method": method, "params": params}).encode() + b"\n")
        while True:
            message = self.read()
            assert message is not None, "the server hung up"
            self.first_lines.append(message)
            if message.get("id") == asked:
                assert set(message) == {"id", "result", "error"}
                assert message["result"] is None or message["error"] is None
                return message
            self.mind.take_notice(message)

    def ask_well(self, method: str, params: list[Any]) -> Any:
        """The result of a request that must succeed."""
        found = self.ask(method, params)
        assert found["error"] is None, found
        return found["result"]

    def refusal(self, method: str, params: list[Any]) -> int:
        """The code with which a request is refused."""
        found = self.ask(method, params)
        assert found["error"] is not None, found
        code, text, nothing = found["error"]
        assert text and nothing is None and found["result"] is None
        return code

    def log_in(self, user: str, *, rolling: bool = False) -> None:
        """Subscribe, authorize, and wait for the first job."""
        if rolling:
            options = {"version-rolling.mask": MASK_ASKED, "version-rolling.min-bit-count": 2}
            found = self.ask_well("mining.configure", [["version-rolling"], options])
            self.mind.mask = int(found["version-rolling.mask"], 16)
        subscriptions, self.mind.extranonce1, self.mind.extranonce2_size = self.ask_well("mining.subscribe", ["test/1"])
        assert subscriptions[0][0] == "mining.notify"
        assert self.ask_well("mining.authorize", [user, "x"]) is True
        while not self.mind.jobs:
            self.read_notice()

    def submit(self, found: Submission) -> dict[str, Any]:
        """Hand a share in."""
        return self.ask("mining.submit", found.params)
