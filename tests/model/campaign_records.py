"""The records of crowdfunding, in the order of the spec's fields."""

from typing import Any, NamedTuple

from tests.model.records import Lot

OPEN, FUNDED, FAILED, CANCELLED, REJECTED, OVERDUE, DONE = range(7)
SHARES = 10_000
COIN = (0,)


class CampaignTerms(NamedTuple):
    """CRF-1."""

    title: str
    unit: tuple[Any, ...]
    goal: int
    deadline: int
    tiers: tuple[tuple[str, int, int], ...]
    all_or_nothing: bool
    add_ons: tuple[tuple[str, int, int], ...]
    stretch: tuple[tuple[int, str], ...]
    milestones: tuple[tuple[str, int, int], ...]
    reserve: int
    delivery_due: int
    grace_seconds: int
    vote_seconds: int
    retry_seconds: int
    silence_approves: bool
    late_until: int
    delivery_key: bytes

    @property
    def shares(self) -> tuple[int, ...]:
        """The share of each step: the milestones', then the reserve where something is to be delivered."""
        milestones = tuple(share for _, share, _ in self.milestones)
        return (*milestones, self.reserve) if self.delivery_due else milestones

    @property
    def due_times(self) -> tuple[int, ...]:
        """The due time of each step."""
        milestones = tuple(due for _, _, due in self.milestones)
        return (*milestones, self.delivery_due) if self.delivery_due else milestones


class Campaign(NamedTuple):
    """CRF-1."""

    creator: bytes
    payer: bytes
    deposit: int
    unit: tuple[Any, ...]
    status: int
    pledged: int
    weight: int
    own_weight: int
    escrowed: int
    released: int
    returned: int
    pledges: int
    taken: tuple[int, ...]
    added: tuple[int, ...]
    stage: int
    until: int
    until_height: int
    step: int
    shares_left: int
    attempt: int
    round: int
    submitted_at: int
    basis: int
    yes: int
    no: int
    late_days: tuple[int, ...]
    delivered_at: int
    updates: int
    refund_total: int
    refund_weight: int
    backing: int


class Pledge(NamedTuple):
    """CRF-2."""

    payer: bytes
    deposit: int
    prepaid: int
    backer: bytes
    quantity: int
    tier: int
    lots: tuple[Lot, ...]
    add_ons: tuple[tuple[int, int], ...]
    voted_round: int
    approves: bool


class FormerPledge(NamedTuple):
    """CRF-2."""

    payer: bytes
    deposit: int
    prepaid: int
    backer: bytes
    quantity: int
    returned: int
