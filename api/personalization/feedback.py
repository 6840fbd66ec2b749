"""What a fan did with messages, and which of it counts.

taken       it counts from the next answer on
repeated    the same was said of this message before: it counts once
unknown     the account was never shown such a message: also one of another account, or one that was held out
early       before the message was shown, or ahead of the node's clock by more than ten minutes
late        more than 30 days after the message ended: it is not counted any more
"""

from dataclasses import dataclass
from typing import Final

from api.receipts.inbox import KeptMessage
from ledger.types import Hash, ProgramId

LATE_SECONDS: Final = 30 * 86_400
CLOCK_SECONDS_MAX: Final = 600
RESULTS: Final = ("taken", "repeated", "unknown", "early", "late")


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a fan says it did with a message."""

    message: Hash
    kind: str
    at: int


def judge_feedback(found: KeptMessage | None, program: ProgramId, heard: Heard, now: int) -> str:
    """Whether feedback on a message counts: one of `RESULTS` but `repeated`, which only the store knows."""
    if found is None or found.program != program or found.is_held_out or found.ready_at > now:
        return "unknown"
    if heard.at < found.ready_at or heard.at > now + CLOCK_SECONDS_MAX:
        return "early"
    if min(heard.at, now) > found.expires_at + LATE_SECONDS or now > found.expires_at + LATE_SECONDS:
        return "late"
    return "taken"
