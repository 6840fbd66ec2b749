"""The records of taking part, as named tuples in the order of the spec: MIS-1, MIS-3, REV-1, REV-3."""

from typing import Any, NamedTuple


class Mission(NamedTuple):
    """MIS-1."""

    payer: bytes
    deposit: int
    program: bytes
    title: str
    text: bytes
    until: int
    places: int
    taken: int


class Slip(NamedTuple):
    """MIS-2: what both sides sign."""

    version: int
    program: bytes
    fan: bytes
    mission: bytes
    role: int
    work: bytes
    issuer: bytes
    time: int
    salt: bytes


class Contribution(NamedTuple):
    """MIS-3."""

    payer: bytes
    deposit: int
    program: bytes
    fan: bytes
    mission: bytes
    role: int
    work: bytes
    issuer: bytes
    worked_at: int
    recorded_at: int
    credited_at: int
    product: bytes


class Scores(NamedTuple):
    """REV-1."""

    endorsing: tuple[int, ...]
    criticising: tuple[int, ...]
    replies: int


class Review(NamedTuple):
    """REV-3."""

    payer: bytes
    deposit: int
    stance: int
    score: int
    text: bytes
    standing: tuple[Any, ...]
    first_at: int
    latest_at: int
    revisions: int
    reply: bytes
    replied_at: int
    replies: int
