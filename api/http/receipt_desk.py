"""The way of requests to the receipt store: a thread of its own, so that the event loop never waits for a disk.

Erasures that come together share one scrub of the files: deleting is quick, writing the database anew is not.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from api.receipts.revocation_notes import Note
from api.receipts.store import Deleted, ReceiptStore
from ledger.types import Address, Hash, ProgramId, ReceiptHash, Timestamp

Result = TypeVar("Result")


class ReceiptDesk:
    """The receipt store for one event loop."""

    def __init__(self, store: ReceiptStore) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="receipts")
        self._next_scrub: asyncio.Future[None] | None = None
        self._planning = threading.Lock()
        """Held while the next scrub is planned, so that it is known as planned before it can begin."""

    async def run(self, work: Callable[[ReceiptStore], Result]) -> Result:
        """Let the store's thread do something, after all that was given to it before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._store)

    def post(self, work: Callable[[ReceiptStore], Result]) -> "Future[Result]":
        """The same for any thread, which may wait for it or not."""
        return self._thread.submit(work, self._store)

    async def erase(
        self, member: Address, now: Timestamp, *, wanted: ReceiptHash | None = None, program: ProgramId | None = None
    ) -> int:
        """Delete receipts of an account, and return once no file of the store holds their bytes; how many there were."""
        count = await self.run(lambda store: store.erase(member, now, wanted=wanted, program=program))
        await self._scrubbed()
        return count

    async def delete_all(self, member: Address, now: Timestamp, ended: Collection[Note]) -> Deleted:
        """Delete all that may be deleted of an account's, and return once no file of the store holds its bytes; how much it was."""
        deleted = await self.run(lambda store: store.delete_all(member, now, ended))
        await self._scrubbed()
        return deleted

    async def erase_text(self, author: Address, now: Timestamp, wanted: Hash) -> int:
        """Delete a text of an account, and return once no file of the store holds its bytes; how many there were."""
        count = await self.run(lambda store: store.texts.erase(author, now, wanted))
        await self._scrubbed()
        return count

    async def reset_profile(
        self,
        member: Address,
        program: ProgramId,
        now: Timestamp,
        keep: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> int:
        """Let personalization forget an account but for what `keep` leaves of its word; how many rows it was.

        It returns once no file of the store holds their bytes.
        """
        count = await self.run(lambda store: store.preferences.reset(member, program, now, keep))
        await self._scrubbed()
        return count

    async def _scrubbed(self) -> None:
        with self._planning:
            if self._next_scrub is None:
                self._next_scrub = asyncio.get_running_loop().run_in_executor(self._thread, self._scrub)
            planned = self._next_scrub
        await asyncio.shield(planned)

    def _scrub(self) -> None:
        with self._planning:
            self._next_scrub = None  # what is deleted from here on waits for the next one
        self._store.scrub()

    def close(self) -> None:
        """Let what is under way finish, and close the store; harmless a second time."""
        self._thread.shutdown(wait=True)
        self._store.close()
