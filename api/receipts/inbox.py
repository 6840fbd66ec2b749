"""Messages that were decided for fans, held out ones among them, and what fans did with them. Part of the receipt store.

A message is kept a year after it was decided, so that reports can compare; then it goes, with its feedback.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.receipts.personal_tables import deliveries, feedback, messages
from ledger.types import Address, Hash, ProgramId, Timestamp

KEPT_SECONDS: Final = 366 * 86_400
MEMBER_MESSAGES_MAX: Final = 2_000
"""Of one account in one program: five a day for a year. Beyond, the oldest go."""


WORDLESS: Final[Mapping[str, Any]] = {
    "subject": "",
    "texts": {"en": "", "ko": ""},
    "why": [],
    "action": {},
    "receipts": ["erased"],
}
"""What stands for the words of a message that rested on a receipt that was erased: no receipt has this name."""


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message as it was decided. `document` is what a fan is shown, in its languages, with its reasons."""

    id: Hash
    member: Address
    program: ProgramId
    topic: str
    decided_at: int
    ready_at: int
    expires_at: int
    is_held_out: bool
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeptFeedback:
    """What a fan did with a message."""

    message: Hash
    member: Address
    program: ProgramId
    kind: str
    at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A message without what it says, and what the fan did with it."""

    topic: str
    ready_at: int
    is_held_out: bool
    answers: frozenset[str]


class Inbox:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, decided: Sequence[KeptMessage], now: Timestamp) -> list[KeptMessage]:
        """Keep messages; those that are there already are left as they are. Returns the new ones."""
        if not decided:
            return []
        member, program = decided[0].member, decided[0].program
        mine = (messages.c.member == member) & (messages.c.program == program)
        with self._transaction() as connection:
            ids = [one.id for one in decided]
            known = {bytes(row[0]) for row in connection.execute(select(messages.c.message).where(_in(ids)))}
            fresh = [one for one in decided if one.id not in known]
            if fresh:
                connection.execute(insert(messages), [_row_of(one) for one in fresh])
                _drop(connection, mine & (messages.c.decided_at < now - KEPT_SECONDS))
                count = select(func.count()).select_from(messages).where(mine)
                more = int(connection.execute(count).scalar_one()) - MEMBER_MESSAGES_MAX
                if more > 0:
                    oldest = select(messages.c.message).where(mine).order_by(messages.c.decided_at).limit(more)
                    _drop(connection, messages.c.message.in_(oldest))
        return fresh

    def drop_waiting(self, member: Address, program: ProgramId, now: Timestamp) -> None:
        """Forget messages whose moment is still to come, so that they are decided anew."""
        mine = (messages.c.member == member) & (messages.c.program == program)
        with self._transaction() as connection:
            _drop(connection, mine & (messages.c.ready_at > now))

    def all_of(self, member: Address, program: ProgramId | None = None) -> list[KeptMessage]:
        """An account's messages, by the time at which they were decided."""
        query = select(messages).where(messages.c.member == member)
        if program is not None:
            query = query.where(messages.c.program == program)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(messages.c.decided_at, messages.c.message)).fetchall()
        return [_message_of(row) for row in rows]

    def outlines(self, members: Sequence[Address], program: ProgramId) -> dict[Address, list[Outline]]:
        """Of several accounts' messages what figures are made of, and what was done with each; nothing of what they say."""
        columns = (messages.c.member, messages.c.message, messages.c.topic, messages.c.ready_at, messages.c.is_held_out)
        told = select(*columns).where(messages.c.member.in_(members), messages.c.program == program)
        answers = select(feedback.c.message, feedback.c.kind).where(
            feedback.c.member.in_(members), feedback.c.program == program
        )
        kinds: dict[bytes, frozenset[str]] = {}
        found: dict[Address, list[Outline]] = {}
        with self._transaction() as connection:
            for message, kind in connection.execute(answers):
                kinds[message] = kinds.get(message, frozenset()) | {kind}
            for member, message, topic, ready_at, is_held_out in connection.execute(told):
                one = Outline(topic, ready_at, is_held_out, kinds.get(message, frozenset()))
                found.setdefault(Address(member), []).append(one)
        return found

    def answered_at(self, members: Sequence[Address], program: ProgramId) -> dict[Address, int]:
        """When several accounts did something with a message last."""
        last = select(feedback.c.member, func.max(feedback.c.at)).group_by(feedback.c.member)
        query = last.where(feedback.c.member.in_(members), feedback.c.program == program)
        with self._transaction() as connection:
            return {Address(member): at for member, at in connection.execute(query)}

    def find(self, member: Address, wanted: Hash) -> KeptMessage | None:
        """One message of the account; None also where it is another account's."""
        query = select(messages).where(messages.c.message == wanted, messages.c.member == member)
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return None if row is None else _message_of(row)

    def add_feedback(self, found: KeptFeedback) -> bool:
        """Keep it; False if the same was kept before."""
        row = {
            "message": found.message,
            "member": found.member,
            "program": found.program,
            "kind": found.kind,
            "at": found.at,
            "received_at": found.received_at,
        }
        try:
            with self._transaction() as connection:
                connection.execute(insert(feedback), [row])
        except IntegrityError:
            return False
        return True

    def feedback_of(self, member: Address, program: ProgramId | None = None) -> list[KeptFeedback]:
        """What an account did with its messages, in the order of arrival."""
        query = select(feedback).where(feedback.c.member == member)
        if program is not None:
            query = query.where(feedback.c.program == program)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(feedback.c.number)).fetchall()
        return [_feedback_of(row) for row in rows]


def forget_words(connection: Connection, member: Address, program: ProgramId, since: int) -> None:
    """Take the words from what was decided by way of receipts since a time, because one of these is erased, and drop deliveries.

    That something was said stays, of which topic and when: caps and back-off count it.
    """
    mine = (messages.c.member == member) & (messages.c.program == program) & (messages.c.decided_at >= since)
    for row in connection.execute(select(messages).where(mine)).fetchall():
        document = json.loads(row.document)
        if not any(scope.startswith("receipts") for scope in document["consent"]["scopes"]):
            continue
        kept = {"kind": document["kind"], "consent": document["consent"], **WORDLESS}
        values = {"document": json.dumps(kept, sort_keys=True)}
        connection.execute(update(messages).where(messages.c.number == row.number).values(values))
        waiting = (deliveries.c.message == row.message) & (deliveries.c.done_at == 0)
        connection.execute(delete(deliveries).where(waiting))


def _in(ids: Sequence[Hash]) -> Any:
    return messages.c.message.in_(ids)


def _drop(connection: Connection, which: Any) -> None:
    connection.execute(delete(feedback).where(feedback.c.message.in_(select(messages.c.message).where(which))))
    connection.execute(delete(messages).where(which))


def _row_of(one: KeptMessage) -> dict[str, Any]:
    return {
        "message": one.id,
        "member": one.member,
        "program": one.program,
        "topic": one.topic,
        "decided_at": one.decided_at,
        "ready_at": one.ready_at,
        "expires_at": one.expires_at,
        "is_held_out": one.is_held_out,
        "document": json.dumps(one.document, sort_keys=True, ensure_ascii=False),
    }


def _message_of(row: Row[Any]) -> KeptMessage:
    return KeptMessage(
        id=Hash(bytes(row.message)),
        member=Address(bytes(row.member)),
        program=ProgramId(bytes(row.program)),
        topic=row.topic,
        decided_at=row.decided_at,
        ready_at=row.ready_at,
        expires_at=row.expires_at,
        is_held_out=row.is_held_out,
        document=json.loads(row.document),
    )


def _feedback_of(row: Row[Any]) -> KeptFeedback:
    return KeptFeedback(
        message=Hash(bytes(row.message)),
        member=Address(bytes(row.member)),
        program=ProgramId(bytes(row.program)),
        kind=row.kind,
        at=row.at,
        received_at=row.received_at,
    )
