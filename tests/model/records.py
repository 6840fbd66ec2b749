"""The records of the state, as named tuples in the order of the spec: each equals the array of its canonical value."""

from typing import Any, NamedTuple

M = 2**63 - 1
DAY = 86_400
NEVER = 2**31 - 1
UNLIMITED = 2**53
NOBODY = b""

ENROL, SIGN, SETTLE, FULFIL, ADJUST, OFFER, RECORD = 4, 1, 2, 8, 16, 32, 64
PERSONALISE, PUBLISH = 0, 2
UNDECIDED, IN_TIME, LATE, SHORT, UNSETTLED, RETURNED = range(6)


class Refused(Exception):
    """A transaction breaks a rule; its code says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def refuse_unless(holds: bool, code: str) -> None:
    """Raise `Refused`."""
    if not holds:
        raise Refused(code)


class Account(NamedTuple):
    """ACC-2."""

    balance: int
    policy_hash: bytes
    deposit: int
    is_guarded: bool = False


class Recovery(NamedTuple):
    """ACC-5."""

    policy_hash: bytes
    started_at: int
    effective_at: int
    effective_height: int
    expires_at: int
    expires_height: int


class Guardianship(NamedTuple):
    """ACC-5."""

    payer: bytes
    deposit: int
    prepaid: int
    guardians: tuple[int, tuple[bytes, ...], int]
    approvals: tuple[tuple[int, bytes, int], ...]
    failures: int
    not_before: int
    recovery: tuple[Recovery, ...]


class Program(NamedTuple):
    """LOY-1."""

    owner: bytes
    payer: bytes
    deposit: int
    name: str
    unit: str
    decimals: int
    offset_minutes: int
    versions: tuple[tuple[int, int], ...]
    sunset_at: int = 0
    closes_at: int = 0


class Sponsor(NamedTuple):
    """LOY-2."""

    rate: int
    member_day_max: int
    block_max: int
    day_max: int


class Terms(NamedTuple):
    """LOY-2."""

    rules: tuple[tuple[Any, ...], ...]
    expiry: tuple[int, ...]
    activation_delay_days: int
    return_window_days: int
    period_days: int
    period_anchor_day: int
    settle_grace_days: int
    remainder_max: int
    issuance_cap: int
    hold_seconds: int
    notice_days: int
    sponsor: Sponsor
    tiers: tuple[tuple[str, int], ...] = ()
    tier_period_days: int = 0
    tier_anchor_day: int = 0
    tier_grace_days: int = 0
    adjust_day_max: int = 0
    transfer_day_max: int = 0
    wind_down_days: int = 30
    referral: tuple[int, int] = (0, 0)
    floor: tuple[int, int] = (0, 0)
    refund_days: int = 0
    offer_day_max: int = 0
    collateral: int = 0
    burn: int = 0


def terms_of_array(array: Any) -> Terms:
    """The terms in a payload."""
    terms = Terms(*array)
    return terms._replace(sponsor=Sponsor(*terms.sponsor))


def array_of_terms(terms: Terms) -> tuple[Any, ...]:
    """The terms as a payload holds them."""
    return tuple(terms._replace(sponsor=tuple(terms.sponsor)))


class Books(NamedTuple):
    """LOY-1."""

    pool: int = 0
    issued: int = 0
    restored: int = 0
    pending: int = 0
    available: int = 0
    held: int = 0
    escrowed: int = 0
    redeemed: int = 0
    expired: int = 0
    reversed: int = 0
    members: int = 0
    sponsor_day: int = 0
    sponsor_day_spent: int = 0
    sponsor_height: int = 0
    sponsor_height_spent: int = 0
    contest_points: int = 0
    contest_points_locked: int = 0
    contest_points_credited: int = 0
    contest_coin: int = 0
    contests_open: int = 0
    adjusted: int = 0
    adjust_day: int = 0
    adjust_day_used: int = 0
    challenge_points: int = 0
    challenge_points_reversed: int = 0
    offered: int = 0
    offer_day: int = 0
    offer_day_used: int = 0
    backing: int = 0
    contest_backing: int = 0
    burn_carry: int = 0
    burned: int = 0
    collateral_paid: int = 0

    @property
    def thousandths(self) -> int:
        """COL-2."""
        credits = self.contest_points_locked - self.contest_points_credited + self.challenge_points + self.offered
        return self.backing + credits * self.contest_backing + self.burn_carry

    @property
    def security(self) -> int:
        """COL-2."""
        return -(-self.thousandths // 1_000)


class Grant(NamedTuple):
    """LOY-4."""

    payer: bytes
    deposit: int
    scopes: int
    daily_cap: int
    granted_at: int
    revoked_at: int
    day: int
    day_used: int
    earlier: tuple[tuple[int, int, int, int], ...]
    contested: tuple[tuple[int, int], ...]


class Lot(NamedTuple):
    """LOY-8."""

    version: int
    activation_day: int
    expiry_day: int
    points: int


class Member(NamedTuple):
    """LOY-7."""

    payer: bytes
    deposit: int
    prepaid: int
    joined_at: int
    left_at: int
    remainder: bytes
    entries: int
    sponsor_day: int
    sponsor_spent: int
    lots: tuple[Lot, ...]
    contest_period: int
    contest_count: int
    tier_history: tuple[tuple[int, int, int, int], ...] = ()
    period_credits: tuple[tuple[int, int], ...] = ()
    gives_back_from_all: bool = False
    transfer_day: int = 0
    transferred: int = 0
    is_referred: bool = False
    referral_period: int = 0
    referrals: int = 0
    earned: int = 0
    redemptions: int = 0


class Referral(NamedTuple):
    """LOY-22."""

    payer: bytes
    deposit: int
    program: bytes
    member: bytes
    referrer: bytes
    version: int
    batch: bytes
    entry_index: int
    points: int
    reversed: int


class DayTotals(NamedTuple):
    """LOY-10."""

    activating: int
    expiring: int
    backing: int


class Batch(NamedTuple):
    """LOY-12."""

    payer: bytes
    deposit: int
    program: bytes
    entries_root: bytes
    entries: int
    settled_at: int
    keep_until: int
    reversed: tuple[tuple[int, int], ...]
    reduced: tuple[tuple[int, int], ...]


class Returned(NamedTuple):
    """LOY-19."""

    payer: bytes
    deposit: int
    program: bytes
    member: bytes
    receipt: bytes
    points: int
    used: int
    keep_until: int


class Contest(NamedTuple):
    """LOY-15."""

    payer: bytes
    deposit: int
    repaid: int
    program: bytes
    member: bytes
    till: bytes
    sequence: int
    receipt: bytes
    claim: int
    time: int
    points: int
    settle_by: int
    opened_at: int
    answer_by: int
    answer_height: int
    keep_until: int
    outcome: int
    credited: int


class Reward(NamedTuple):
    """RWD-1."""

    payer: bytes
    deposit: int
    name: str
    price: int
    stock: int
    listed: bool
    announced: tuple[tuple[int, int, int, bool, tuple[int, int, int], tuple[int, int], int], ...]
    value_cents: int
    limit: tuple[int, int, int]
    window: tuple[int, int]
    tier_min: int


class Hold(NamedTuple):
    """RWD-3."""

    payer: bytes
    deposit: int
    prepaid: int
    program: bytes
    member: bytes
    reward: bytes
    quantity: int
    points: int
    lots: tuple[Lot, ...]
    expires_at: int
    expires_height: int
    counted: tuple[tuple[int, int], ...]


class Fulfilment(NamedTuple):
    """RWD-4."""

    payer: bytes
    deposit: int
    program: bytes
    member: bytes
    reward: bytes
    hold: bytes
    quantity: int
    points: int
    lots: tuple[Lot, ...]
    keep_until: int
    keep_height: int
    counted: tuple[tuple[int, int], ...]


class Count(NamedTuple):
    """RWD-6."""

    payer: bytes
    deposit: int
    program: bytes
    reward: bytes
    made: int
    total: int
    since: int
    of_span: int


class Consent(NamedTuple):
    """CON-1."""

    payer: bytes
    deposit: int
    prepaid: int
    granted_at: int
    expires_at: int
    revoked_at: int


class Challenge(NamedTuple):
    """CHL-1."""

    payer: bytes
    deposit: int
    prepaid: int
    program: bytes
    name: str
    goal: tuple[Any, ...]
    basket_min_cents: int
    from_day: int
    days: int
    occurrences: int
    times_max: int
    grace_days: int
    reward: int
    budget: int
    given: int
    has_ended: bool


class Completion(NamedTuple):
    """CHL-1."""

    occurrence: int
    evidence: bytes
    receipts: int
    version: int
    activation_day: int
    base: int
    contested: bool


class Achievement(NamedTuple):
    """CHL-1."""

    payer: bytes
    deposit: int
    challenge: bytes
    member: bytes
    times: int
    completions: tuple[Completion, ...]
    returned: tuple[tuple[int, bytes], ...]


class Offer(NamedTuple):
    """OFR-2."""

    payer: bytes
    deposit: int
    program: bytes
    member: bytes
    terms: bytes
    points: int
    issued_at: int
    expires_at: int
    receipt: bytes
    version: int
    activation_day: int
    returnable_until: int
    keep_until: int
    reversed: int


class UsedVoucher(NamedTuple):
    """JOIN-2."""

    payer: bytes
    deposit: int
    program: bytes
    member: bytes
    valid_until: int


class DueItem(NamedTuple):
    """DUE-1."""

    kind: str
    subject: bytes
    number: int
