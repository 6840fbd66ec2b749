"""Everything that makes one chain differ from another, and every limit of the law, each with its reason.

`Params` is hashed into the genesis commitment (spec PAR-1): two files that differ are two chains. `upgrades` and `trusted` alone
are left out of that hash, since they are agreed after genesis: the one names kinds and rule sets that become valid from a later
height on (PAR-2), the other a block from which a new node starts (FIN-9). What no activation names is invalid.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Any, cast

from ledger.address import decode_address
from ledger.codec import DEPTH_MAX, pack
from ledger.difficulty import Era, check_eras
from ledger.emission import Emission
from ledger.errors import Code, Malformed
from ledger.hashing import PARAMS
from ledger.keys import public_key_is_strict
from ledger.schema import Integer, ListOf, Octets, Row, Struct, Text, identifier
from ledger.types import INTEGER_MAX, Address, Amount, BlockHash, CompactBits, Hash, Height, PublicKey, Timestamp

BAD_FILE = Code(
    "params.file",
    "the params are not usable: {reason}",
    "Correct the params file; `fansumer chain params` prints a good one.",
)

# --- limits that are the same on every chain ---------------------------------------------------------------------------------

TRANSACTION_BYTES_MAX = 262_144
"""One transaction. An earn batch of 1,000 sealed entries is about 110 kB; twice that leaves room for witnesses."""
BLOCK_BYTES_MAX = 16_777_216
"""One block on the wire. Weight limits a block far earlier; this bounds memory before weight can be known."""
BLOCK_TRANSACTIONS_MAX = 65_536
"""Bounds the list before its items are looked at."""
POLICY_KEYS_MAX = 16
"""Keys in one m-of-n policy: boards and treasuries need fewer, and each costs a signature check."""
PAYEES_MAX = 64
"""Payees of one block's reward: a pool's shares, without making the commitment a payroll."""
EARN_ENTRIES_MAX = 1_000
"""Entries of one batch: keeps a batch below TRANSACTION_BYTES_MAX and its rollback short."""
LOTS_MAX = 128
"""Lots in one member's record: weekly lots of two years. Above it, lots merge in the member's favour (spec LOY-9)."""
TERMS_VERSIONS_MAX = 32
"""Versions of terms that a program keeps in force or scheduled."""
COLLATERAL_MAX = 10**12
"""Coin per 1,000 points that terms can put aside or burn, in smallest units: with 0 decimals ten coins a point."""
VOUCHER_SECONDS_MAX = 400 * 86_400
"""How long before its end a voucher for joining may be used: bounds how long the chain remembers it."""
VOUCHER_CODES_MAX = 100
"""Code commitments in one fulfilment: bounds its event; more units are fulfilled in parts."""
COUNT_CHECK_SECONDS = 90 * 86_400
"""How often a member's count of a reward without an end is looked at: rarely enough to cost nothing."""
CAMPAIGN_TIERS_MAX = 32
"""Tiers of one campaign: what a page can show."""
CAMPAIGN_ADD_ONS_MAX = 16
"""Add-ons of one campaign, and of one pledge: each may be there once, with a count."""
CAMPAIGN_STRETCH_MAX = 8
"""Stretch goals of one campaign: what is far away is no plan."""
CAMPAIGN_MILESTONES_MAX = 12
"""Milestones of one campaign: one a month for a year."""
CAMPAIGN_SECONDS_MAX = 400 * 86_400
"""Longest time to collect. Longer than a year and a month, backers can't be said to wait for something."""
CAMPAIGN_DUE_SECONDS_MAX = 1_826 * 86_400
"""No step is due later than five years from now: escrow must come back to somebody within a life."""
GRACE_SECONDS_MAX = 366 * 86_400
"""Longest delay of a step until it is overdue: a year late is not delivered."""
VOTE_SECONDS_MAX = 60 * 86_400
"""Longest vote on a step."""
RETRY_SECONDS_MAX = 90 * 86_400
"""Longest time for the second attempt at a step that was rejected."""
WINDOW_SECONDS_MIN = 60
"""Shortest grace and vote; besides, each lasts at least DEADLINE_BLOCKS_MIN blocks."""
SHARES = 10_000
"""A whole, in the shares of milestones and reserve: a hundredth of a percent each."""
DUE_CHUNK = 16
"""Refunds in one piece of due work; then the campaign goes to the back of the queue (spec DUE-3)."""
RECEIPT_AGE_SECONDS_MAX = 72 * 3600
"""A till may be offline for three days and still name the version that it knew."""
GENESIS_TIME_MIN = 86_400
"""A clock of 0 would read as "never" in records, and a program's day west of UTC would be negative on the first day of 1970."""
CONTEST_SECONDS = 30 * 86_400
"""How long after settle-by a receipt can be contested: a month's statement has come by then."""
CONTEST_ANSWER_SECONDS = 15 * 86_400
"""How long an issuer has to answer a contest: two weeks of office days and a weekend."""
CONTEST_ANSWER_BLOCKS_MIN = 144
"""And at least so many blocks, so that an outage does not eat the time to answer."""
CONTEST_KEEP_SECONDS = CONTEST_SECONDS + CONTEST_ANSWER_SECONDS
"""How long after settle-by a batch stays provable in the state: contest and answer."""
CONTESTS_PREPAID = 2
"""Contests that joining pays for, and at most so many of one period: enough for an honest mistake, too few to flood with."""
CONTESTS_RESERVED = 16
"""Contests whose costs a program locks when it is made, to repay those that are upheld."""
CONTEST_RESERVE_DIVISOR = 10
"""A program's reserve of points for contests is a tenth of its issuance cap, so what is outside of the cap is bounded by it."""
CONTEST_DAYS_MAX = 256
"""Days of one till that contests may concern: 92 of a period, 31 of grace, 30 to contest, 15 to answer, and room."""
CONTEST_DAYS_KEPT = 200
"""Days back for which a till's contested points are counted."""
GRANT_SPANS_MAX = 16
"""Earlier grants of one issuer that can still matter to a receipt."""
WIND_DOWN_DAYS_MIN = 30
"""Redeeming stays open at least so long after a program's end: a month's statement has come by then."""
RETURN_POST_SECONDS = 14 * 86_400
"""How long a batch is kept after its last purchase could be returned: a shop that took it back posts that within two weeks."""
RETURN_KEEP_SECONDS = CONTEST_KEEP_SECONDS + 124 * 86_400
"""How long a return receipt counts: as long as anything about a purchase of its time can be settled or contested."""
REFERRALS_PERIOD_MAX = 12
"""Referrals that are paid to one member within a period: friends, not a trade."""
CHALLENGE_RECEIPTS_MAX = 16
"""Receipts that show a goal: every goal can be shown with them (spec CHL-2), and a contest of so many stays within a page."""
CHALLENGE_EVIDENCE_PATH_MAX = 4
"""Siblings in the path of a receipt: an evidence has at most CHALLENGE_RECEIPTS_MAX."""
CHALLENGE_ENTRIES_MAX = 250
"""Entries of one batch of completions: keeps its weight below a tenth of a block."""
CHALLENGE_DAYS_MAX = 92
"""Days of one occurrence, as of a settlement period: so a return of its first day counts as long as it can be contested."""
CHALLENGE_OCCURRENCES_MAX = 366
"""Occurrences of one challenge: each day of a year."""
CHALLENGE_SPAN_DAYS_MAX = 1_098
"""Days from a challenge's begin to its end: three years, since nothing gives its room back before."""
CHALLENGE_AHEAD_DAYS_MAX = 366
"""How far ahead a challenge can be made, for the same reason."""
CHALLENGE_GRACE_DAYS_MAX = 31
"""Longest time to complete an occurrence after its end, as for settling a period."""
CHALLENGE_CONTESTS_RESERVED = 8
"""Contests whose costs a challenge locks when it is made; the program's pool pays for more."""
CHALLENGE_AGAIN_SECONDS = 7 * 86_400
"""How much longer an occurrence can be contested whose completion was taken back: in the 8 days after that a return is shown."""
CHALLENGE_PENDING_DAYS = 16
"""A contested reward is pending at least so long, as a contested bonus is: what an issuer has to show a return."""
COMPLETIONS_MAX = 128
"""Completions in one member's record: a challenge of every day has at most 78 that can still be contested or reversed."""
COMPLETIONS_RETURNED_MAX = 192
"""Returned receipts in one member's record, with its completions, which may go back, too: above it nothing is completed."""
TIERS_MAX = 8
"""Tiers of one program: more than people remember, and a mark for each fits into a page."""
TIER_PERIOD_DAYS_MIN = 28
"""Shortest tier period: with it a member's tier history holds all that a contest can ask for."""
TIER_HISTORY_MAX = 16
"""Items of one member's tier history: eight tiers reached in each of two tier periods. Above it, they merge in its favour."""
TIER_HISTORY_DAYS = 200
"""How long an item of the tier history stays after it ended: a receipt can be contested for 153 days, and some room."""
PERIOD_CREDITS_MAX = 4
"""Settlement periods whose credited points are counted for a cap: the present one, and late ones of tills that were offline."""
SUM_PATH_MAX = 40
"""Siblings in a path of the sum tree: more receipts of one entry than a shop can sign."""
ENTRY_PATH_MAX = 10
"""Siblings in the path of an entry: a batch has at most EARN_ENTRIES_MAX."""
OFFER_ENTRIES_MAX = 1_000
"""Entries of one batch of offers, or of their citations: as many as of one batch of earnings."""
OFFER_SECONDS_MAX = 366 * 86_400
"""Longest life of an offer: a year, so that what is set aside for it comes back some day."""
OFFER_PENDING_DAYS = 16
"""A contested bonus is pending at least so long: what an issuer has to answer a contest, here to show a return."""
OFFER_KEEP_SECONDS = 30 * 86_400
"""How long a cited offer is kept after its purchase could be returned, or after it was credited: a return is shown within it."""
GUARDIANS_MAX = 16
"""Guardians of one account: as many as keys in a policy."""
GUARDIAN_DELAY_DAYS_MAX = 365
"""Longest delay of a recovery: a year at sea. The shortest is a day, in which an owner can look once."""
GUARDIAN_APPROVAL_SECONDS = 30 * 86_400
"""How long one guardian's word counts: what was said for a lost phone last year is not said for this one."""
RECOVERY_BLOCKS_MIN = 144
"""A recovery waits for at least so many blocks, and can be completed in at least so many: an outage must not eat either."""
RECOVERY_COMPLETE_SECONDS = 30 * 86_400
"""How long the new policy has to sign once; if its keys are nobody's, the old one is back after that."""
RECOVERY_COOL_DOWN_SECONDS = 30 * 86_400
"""After a recovery that failed, the guardians can't begin another one for so long; each further one doubles it."""
RECOVERY_DOUBLINGS_MAX = 4
"""And at most to 480 days: guardians who failed often are slow, and never shut out by a thief who cancels."""
PROPOSAL_OPTIONS_MAX = 16
"""Options of one proposal: what a page can show, and a voter can weigh."""
RANKED_OPTIONS_MAX = 12
"""Options that are ranked: the pairwise matrix has so many squared fields, and each ballot rewrites them."""
PROPOSAL_TENURE_SECONDS = 30 * 86_400
"""How long one must have been a member to propose: long enough that an account is not made for one proposal."""
PROPOSAL_VOTING_SECONDS_MAX = 92 * 86_400
"""Longest vote: a quarter of a year. Nodes keep what takes them back to its snapshot for so long."""
PROPOSAL_REVEAL_SECONDS_MAX = 31 * 86_400
"""Longest time to reveal: who has not revealed in a month has abstained."""
PROPOSAL_BLOCKS_MIN = 6
"""Voting, revealing, answering and an obligation's grace last at least so many blocks: an outage must not eat any of them."""
PROPOSAL_ANSWER_SECONDS = 30 * 86_400
"""How long the owner has to answer: a month's meeting has come by then."""
PROPOSAL_QUORUM_DIVISOR = 100
"""A member's proposal needs the ballots of a hundredth of those who may vote: three people can't put silence on record."""
BINDING_QUORUM_DIVISOR = 10
"""A binding proposal needs the ballots of a tenth of the campaign's pledges, whoever makes it."""
BALLOT_PROOFS_MAX = 8
"""Pledges that one ballot shows: who backed a campaign more often than that votes with the largest."""
BALLOT_VALUE_BYTES_MAX = 16_384
"""Bytes of one record that a ballot shows: a member with 128 lots has about 3 kB."""
OBLIGATION_DAYS_MAX = 400
"""An answer that is due later than in a year and a month is none."""
OBLIGATION_GRACE_SECONDS = 30 * 86_400
"""How late an obligation may be before it counts as broken."""
ATTESTORS_MAX = 128
"""Attestors of one set: each vote is a signature that every node checks, and a certificate stays below 10 kB."""
ATTESTOR_WEIGHT_MAX = 2**32 - 1
"""Weight of one attestor: fine enough for any share, and sums stay far from the limit of integers."""
CHECKPOINTS_KEPT = 64
"""Newest checkpoints for which the state takes votes: a day of blocks. An older one is passed over by a vote for a newer one."""
JUSTIFIED_KEPT = 32
"""Justified checkpoints from which a vote may start: the last final one and the newest after it."""
FINALITY_WEIGHT_MAX = 400_000
"""Room of a block that is kept for votes and evidence, besides its weight: one vote each of two full sets fits."""

# --- weight: what a transaction costs every node, in one unit (spec ENV-7) ---------------------------------------------------

WEIGHT_PER_SIGNATURE = 200
"""About 55 us of a core; a byte is 1."""
WEIGHT_PER_RECORD = 60
"""A record that is touched: read, encoded, hashed into the state root, written: about 20 us."""
WEIGHT_PER_SLOT = 300
"""A record that is made stays on every disk until it is deleted."""
WEIGHT_PER_DUE = 150
"""Work that the transaction leaves for a later block, which nobody pays for then."""
EXIT_WEIGHT = 1_200
"""What leaving, revoking, cancelling or a refund costs when it comes; prepaid by the record that it ends. Two signatures fit."""
CONTEST_WEIGHT = 5_000
"""What a contest may weigh where joining has paid for it: two signatures and thirty codes fit."""
CHALLENGE_CONTEST_WEIGHT = 20_000
"""What a contest of a challenge may weigh where the challenge pays for it: sixteen receipts with ten codes each fit."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Coin that an address holds from genesis on, counted as emission."""

    address: Annotated[Address, identifier()]
    amount: Annotated[Amount, Integer(1, INTEGER_MAX)]


@dataclass(frozen=True, slots=True)
class Attestor:
    """A key that says which blocks are final, and how much its word weighs (spec FIN-1)."""

    key: Annotated[PublicKey, Octets(32, 32)]
    weight: Annotated[int, Integer(1, ATTESTOR_WEIGHT_MAX)]


ATTESTORS = ListOf(Struct(Attestor), 0, ATTESTORS_MAX)


ERA = Row(
    Integer(0, 2**32 - 1),
    Integer(1, 86_400),
    Integer(1, 10_000_000),
    Integer(0, 2**32 - 1),
    Integer(0, 2**32 - 1),
    Integer(0, 1),
)


@dataclass(frozen=True)
class Params:
    """The consensus parameters of one chain. Field by field in `ledger/spec/params.md`."""

    name: Annotated[str, Text(1, 32)]
    address_prefix: Annotated[str, Text(1, 16)]
    magic: Annotated[bytes, Octets(4, 4)]
    genesis_time: Annotated[Timestamp, Integer(GENESIS_TIME_MIN, 2**32 - 1)]
    eras: Annotated[tuple[tuple[int, int, int, int, int, int], ...], ListOf(ERA, 1, 16)]
    subsidy_initial: Annotated[Amount, Integer(0, INTEGER_MAX)]
    halving_interval_blocks: Annotated[int, Integer(1, 2**32 - 1)]
    maturity_blocks: Annotated[int, Integer(1, 10_000)]
    block_weight_max: Annotated[int, Integer(100_000, BLOCK_BYTES_MAX)]
    due_weight_max: Annotated[int, Integer(10_000, 100_000_000)]
    fee_rate_min: Annotated[Amount, Integer(0, 1_000_000)]
    record_deposit: Annotated[Amount, Integer(0, INTEGER_MAX >> 20)]
    account_minimum: Annotated[Amount, Integer(0, INTEGER_MAX >> 20)]
    validity_blocks_max: Annotated[int, Integer(1, 100_000)]
    allocations: Annotated[tuple[Allocation, ...], ListOf(Struct(Allocation), 0, 1_024)]
    kinds: Annotated[tuple[str, ...], ListOf(Text(1, 32), 1, 256)]
    upgrades: Annotated[tuple[tuple[str, int], ...], ListOf(Row(Text(1, 32), Integer(1, 2**32 - 1)), 0, 256)] = ()
    attestors: Annotated[tuple[Attestor, ...], ATTESTORS] = ()
    recovery_keys: Annotated[tuple[PublicKey, ...], ListOf(Octets(32, 32), 0, POLICY_KEYS_MAX)] = ()
    recovery_threshold: Annotated[int, Integer(0, POLICY_KEYS_MAX)] = 0
    silence_days: Annotated[int, Integer(1, 366)] = 14
    silence_blocks: Annotated[int, Integer(1, 2**32 - 1)] = 1_440
    checkpoint_interval_blocks: Annotated[int, Integer(1, 10_000)] = 20
    trusted: Annotated[
        tuple[tuple[Height, BlockHash], ...], ListOf(Row(Integer(0, 2**32 - 1), Octets(32, 32)), 0, 1)
    ] = ()

    def __post_init__(self) -> None:
        self._refuse_unless(
            self.magic != bytes.fromhex("aa21a9ed"), "magic aa21a9ed belongs to Bitcoin's witness commitment"
        )
        self._refuse_unless(self.address_prefix == self.address_prefix.lower(), "address_prefix must be lower case")
        self._refuse_unless(tuple(sorted(set(self.kinds))) == self.kinds, "kinds must be sorted and unique")
        addresses = [allocation.address for allocation in self.allocations]
        self._refuse_unless(sorted(set(addresses)) == addresses, "allocations must be sorted by address and unique")
        self._refuse_unless(sum(a.amount for a in self.allocations) <= INTEGER_MAX // 2, "allocations are too large")
        self._check_attestors()
        check_eras(self.difficulty_eras)
        assert self.emission.total >= 0, "a bad emission schedule raises when it is made"

    def _check_attestors(self) -> None:
        for name, keys in (("attestors", [a.key for a in self.attestors]), ("recovery_keys", list(self.recovery_keys))):
            self._refuse_unless(sorted(set(keys)) == keys, f"{name} must be sorted by key and unique")
            self._refuse_unless(all(map(public_key_is_strict, keys)), f"{name} holds a key that can sign nothing")
        self._refuse_unless(
            bool(self.recovery_threshold) == bool(self.recovery_keys)
            and self.recovery_threshold <= len(self.recovery_keys),
            "recovery_threshold must lie within 1 and the number of recovery_keys, or be 0 without any",
        )
        self._refuse_unless(
            bool(self.attestors) or not (self.recovery_keys or self.trusted),
            "recovery_keys and trusted have no meaning without attestors",
        )

    def _refuse_unless(self, holds: bool, reason: str) -> None:
        if not holds:
            raise Malformed(BAD_FILE, reason=reason)

    @cached_property
    def difficulty_eras(self) -> tuple[Era, ...]:
        """The eras as the difficulty rule reads them."""
        return tuple(
            Era(Height(start), block_time_s, half_life_s, CompactBits(limit), CompactBits(anchor), bool(retarget))
            for start, block_time_s, half_life_s, limit, anchor, retarget in self.eras
        )

    @cached_property
    def emission(self) -> Emission:
        """Subsidy schedule and maturity."""
        return Emission(self.subsidy_initial, self.halving_interval_blocks, self.maturity_blocks)

    @cached_property
    def hash(self) -> Hash:
        """Binds the chain to its rules: part of the genesis commitment (spec PAR-1)."""
        return Hash(PARAMS(pack(PARAMS_SHAPE.encode(replace(self, upgrades=(), trusted=())))))

    @cached_property
    def activations(self) -> Mapping[str, Height]:
        """The height from which each kind or rule set is valid."""
        found = {name: Height(0) for name in self.kinds}
        for name, height in self.upgrades:
            found.setdefault(name, Height(height))
        return found

    @property
    def allocated(self) -> Amount:
        """Coin that exists at genesis."""
        return Amount(sum(allocation.amount for allocation in self.allocations))

    def era_at(self, height: Height) -> Era:
        """The era that rules the block at `height`."""
        return max(
            (era for era in self.difficulty_eras if era.start_height <= height), key=lambda era: era.start_height
        )

    def future_limit_seconds(self, height: Height) -> int:
        """How far ahead of a node's clock a block may be: max(half-life / 30, 60 s) (spec POW-6)."""
        return max(self.era_at(height).half_life_s // 30, 60)


PARAMS_SHAPE = Struct(Params)

OPTIONAL: Mapping[str, Any] = {
    field.name: [] if field.default == () else field.default for field in fields(Params) if field.default is not MISSING
}
"""What a params file may leave out, and what it means then: no upgrades and no attestors."""


def params_to_mapping(params: Params) -> dict[str, Any]:
    """The params as a JSON-like mapping: bytes as hex, the rest as it is."""
    found: dict[str, Any] = {}
    for field in fields(params):
        value = getattr(params, field.name)
        found[field.name] = value.hex() if isinstance(value, bytes) else _thawed(value)
    found["allocations"] = [[a.address.hex(), a.amount] for a in params.allocations]
    found["attestors"] = [[a.key.hex(), a.weight] for a in params.attestors]
    found["recovery_keys"] = [key.hex() for key in params.recovery_keys]
    found["trusted"] = [[height, block_hash[::-1].hex()] for height, block_hash in params.trusted]
    return found


def params_from_mapping(mapping: Mapping[str, Any]) -> Params:
    """Read what `params_to_mapping` wrote. Raises `Malformed` naming what is wrong."""
    names = {field.name for field in fields(Params)}
    unknown, missing = sorted(set(mapping) - names), sorted(names - set(OPTIONAL) - set(mapping))
    if unknown or missing:
        raise Malformed(BAD_FILE, reason=f"unknown fields {unknown}, missing fields {missing}")
    found: dict[str, Any] = {**OPTIONAL, **mapping}
    try:
        found["magic"] = bytes.fromhex(found["magic"])
        prefix = found["address_prefix"]
        found["allocations"] = [[_read_address(prefix, text), amount] for text, amount in found["allocations"]]
        found["attestors"] = [[bytes.fromhex(key), weight] for key, weight in found["attestors"]]
        found["recovery_keys"] = [bytes.fromhex(key) for key in found["recovery_keys"]]
        found["trusted"] = [[height, bytes.fromhex(text)[::-1]] for height, text in found["trusted"]]
        return PARAMS_SHAPE.decode(tuple(_frozen(found[name]) for name in PARAMS_SHAPE.names), "params")
    except (AttributeError, TypeError, ValueError) as fault:
        raise Malformed(BAD_FILE, reason=f"hexadecimal text, plain text or array expected ({fault})") from fault


def _read_address(prefix: str, text: str) -> bytes:
    """An address as people have it, or its 32 bytes in hex. Raises Malformed `address.*`, ValueError."""
    return decode_address(prefix, text) if text.startswith(prefix) else bytes.fromhex(text)


def _frozen(value: Any, depth_left: int = DEPTH_MAX) -> Any:
    """Lists as tuples. Raises ValueError where they lie deeper than any value of the ledger."""
    if not isinstance(value, list):
        return value
    if not depth_left:
        raise ValueError(f"arrays lie more than {DEPTH_MAX} deep")
    return tuple(_frozen(item, depth_left - 1) for item in cast("list[Any]", value))


def _thawed(value: Any) -> Any:
    return [_thawed(item) for item in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value
