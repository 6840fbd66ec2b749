"""A bucket of tokens: so many at once, so many a minute (spec NET-3)."""

from dataclasses import dataclass

from node.p2p.messages import MessageLimit


@dataclass(slots=True)
class TokenBucket:
    """How many messages of one kind a peer may still send. Full at the start."""

    capacity: int
    per_second: float
    tokens: float
    filled_at: float

    @staticmethod
    def of(limit: MessageLimit, seconds: float) -> "TokenBucket":
        """A full bucket for a message's limit."""
        return TokenBucket(limit.at_once, (limit.per_minute or 0) / 60, limit.at_once, seconds)

    def take(self, seconds: float) -> bool:
        """Take one token; False if there is none."""
        passed = max(0.0, seconds - self.filled_at)
        self.tokens = min(self.capacity, self.tokens + passed * self.per_second)
        self.filled_at = seconds
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
