"""Texts that the chain names: whoever wrote one may have it erased here; that it is missing is then seen (spec TXT-1).

The chain keeps the hash for ever. Of an erased text only that stays here, too, so that nobody can hand it over again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from api.receipts.tables import erased_texts, scrubs, texts
from ledger.domains.voice.texts import TextDocument, decode_text, encode_text
from ledger.errors import Code, LedgerError
from ledger.types import Address, Hash, Timestamp

ERASED = Code("text.erased", "the text {text} was erased here by its author", "Leave it: what was erased stays so.")


class TextRefused(LedgerError):
    """A text that is well-formed and not taken."""


class Texts:
    """The texts, by the transactions of their store."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, found: Hash, author: Address, document: TextDocument, now: Timestamp) -> bool:
        """Keep a text of `author`; False if it was here already. Raises TextRefused text.erased."""
        with self._transaction() as connection:
            if connection.execute(select(erased_texts.c.text).where(erased_texts.c.text == found)).first() is not None:
                raise TextRefused(ERASED, text=found)
            if connection.execute(select(texts.c.text).where(texts.c.text == found)).first() is not None:
                return False
            row = {"text": found, "author": author, "document": encode_text(document), "kept_at": now}
            connection.execute(insert(texts), [row])
        return True

    def get(self, wanted: Hash) -> TextDocument | None:
        """The text with this hash."""
        with self._transaction() as connection:
            row = connection.execute(select(texts.c.document).where(texts.c.text == wanted)).first()
        return None if row is None else decode_text(row[0])

    def held(self, wanted: set[Hash]) -> set[Hash]:
        """Which of these texts are here."""
        query = select(texts.c.text).where(texts.c.text.in_(wanted))
        with self._transaction() as connection:
            return {Hash(row[0]) for row in connection.execute(query)}

    def was_erased(self, wanted: Hash) -> bool:
        """Whether its author erased it here."""
        with self._transaction() as connection:
            query = select(erased_texts.c.text).where(erased_texts.c.text == wanted)
            return connection.execute(query).first() is not None

    def erase(self, author: Address, now: Timestamp, wanted: Hash) -> int:
        """Delete a text of the account, and never take it again; how many there were. `scrub` is the second half."""
        with self._transaction() as connection:
            return erase_texts(connection, (texts.c.author == author) & (texts.c.text == wanted), now)

    def all_of(self, author: Address) -> list[tuple[Hash, TextDocument, Timestamp]]:
        """The account's texts and when each came, in the order in which they came."""
        query = select(texts.c.text, texts.c.document, texts.c.kept_at).where(texts.c.author == author)
        with self._transaction() as connection:
            rows: Any = connection.execute(query.order_by(texts.c.kept_at, texts.c.text)).fetchall()
        return [(Hash(found), decode_text(document), Timestamp(kept_at)) for found, document, kept_at in rows]


def erase_texts(connection: Connection, chosen: Any, now: Timestamp) -> int:
    """Delete the chosen texts, remember their hashes, and ask for a scrub of the files; how many there were."""
    found = [row[0] for row in connection.execute(select(texts.c.text).where(chosen))]
    if found:
        connection.execute(insert(erased_texts), [{"text": gone, "erased_at": now} for gone in found])
        connection.execute(delete(texts).where(chosen))
        if connection.execute(select(scrubs.c.due_since)).first() is None:
            connection.execute(insert(scrubs), [{"due_since": now}])
    return len(found)
