"""An attestor beside a node: it looks at what the node shows, votes, and goes on, until it is stopped or must stop itself."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from api.data_folder import data_folder
from api.wallet.client import Client
from api.wallet.errors import ClientProblem, Unreachable
from ledger.errors import Code, Malformed
from ledger.finality.votes import SignedVote
from ledger.keys import public_key_of
from ledger.types import ChainId, PrivateSeed, PublicKey
from node.attest.attestor import Attestor, Phase, Sight
from node.attest.disk import FileDisk, FileLock
from node.attest.record import SigningRecord

log = structlog.get_logger()

LOOK_SECONDS: Final = 2.0
"""Between two looks at the node: short against a block's time, and nothing for the node to answer."""
KEYSTORE_FILE: Final = "attestor.json"
RECORDS_FOLDER: Final = "attest"

BAD_SIGHT = Code(
    "attest.bad_sight", "the node at {url} shows nothing that makes sense: {reason}", "Is it a node of this version?"
)

Say = Callable[[str], None]
PHASE_WORDS: Final = {
    Phase.WAITING: "waits until its node has a young block",
    Phase.LISTENING: "listens, for a full interval, whether anybody else votes with this key",
    Phase.STRANGER: "is in no set of attestors that counts now",
    Phase.ATTESTING: "attests",
}


def record_path(key: PublicKey) -> Path:
    """Where the signing record of a key lies, unless another place is named."""
    return data_folder() / RECORDS_FOLDER / f"{key.hex()}.json"


@dataclass(slots=True)
class Lease:
    """The key and its record, for this process alone."""

    record: SigningRecord
    _locks: tuple[FileLock, ...]

    @staticmethod
    def take(keystore: Path, record: Path, key: PublicKey) -> "Lease":
        """Raises `attest.in_use` and what the record raises."""
        locks: list[FileLock] = []
        try:
            for path in (keystore.resolve(), record.resolve()):
                locks.append(FileLock(path))
            return Lease(SigningRecord(FileDisk(record), key), tuple(locks))
        except BaseException:
            for lock in locks:
                lock.release()
            raise

    def release(self) -> None:
        """Let another process take it."""
        for lock in self._locks:
            lock.release()


class AttestorRun:
    """One attestor at one node."""

    def __init__(self, client: Client, seed: PrivateSeed, lease: Lease, say: Say) -> None:
        self._client, self._say = client, say
        self._key = public_key_of(seed)
        self._chain_id = ChainId(bytes.fromhex(str(client.chain()["chain_id"])))
        self._attestor = Attestor(seed, lease.record, self._chain_id)
        self._phase: Phase | None = None
        self._is_away = False
        self.votes = 0

    def run(self, stop: threading.Event, seconds: float = LOOK_SECONDS) -> None:
        """Look, vote, wait, until `stop` is set. Raises what ends an attestor: `attest.*`."""
        while not stop.is_set():
            self.look()
            stop.wait(seconds)

    def look(self) -> SignedVote | None:
        """Look once; the vote that was sent. A node that does not answer is waited for."""
        try:
            made = self._attestor.look(self._sight())
            self._tell_phase()
            if made is not None:
                self._client.attesting.vote(made)
        except Unreachable as fault:
            self._tell_away(str(fault.detail))
            return None
        except ClientProblem as fault:
            self._tell_away(f"{fault.detail} ({fault.code})")
            return None
        if self._is_away:
            self._is_away = False
            self._say("The node answers again.")
        if made is not None:
            self.votes += 1
            vote = made.vote
            self._say(f"Voted for height {vote.target.height}, from {vote.source.height}.")
        return made

    def _sight(self) -> Sight:
        try:
            return self._client.attesting.sight(self._key)
        except (ValueError, KeyError, TypeError, AttributeError, Malformed) as fault:
            raise Unreachable.of_code(BAD_SIGHT, url=self._client.url, reason=str(fault)) from None

    def _tell_phase(self) -> None:
        if self._attestor.phase is self._phase:
            return
        self._phase = self._attestor.phase
        first = self._attestor.first_target
        until = f"; its first vote can be for height {first}" if self._phase is Phase.LISTENING else ""
        self._say(f"The attestor {PHASE_WORDS[self._phase]}{until}.")

    def _tell_away(self, reason: str) -> None:
        if not self._is_away:
            self._is_away = True
            self._say(f"The node can't be used now, and is tried on: {reason}")
