"""The model's state: one dictionary per table, coin that moves between them, and a copy for every way back."""

from copy import copy
from typing import Any

from ledger.params import Params
from tests.model.campaign_records import Campaign, CampaignTerms, FormerPledge, Pledge
from tests.model.participation_records import Contribution, Mission, Review, Scores
from tests.model.records import (
    DAY,
    Account,
    Achievement,
    Batch,
    Books,
    Challenge,
    Consent,
    Contest,
    Count,
    DayTotals,
    DueItem,
    Fulfilment,
    Grant,
    Guardianship,
    Hold,
    Member,
    Offer,
    Program,
    Referral,
    Refused,
    Returned,
    Reward,
    Terms,
    UsedVoucher,
)
from tests.model.voice_records import Ballot, Obligation, Proposal, Tally
from tests.second_decoder.hashing import be4, be8

TABLES = (
    "accounts",
    "programs",
    "terms",
    "books",
    "grants",
    "members",
    "days",
    "batches",
    "rows",
    "contests",
    "rewards",
    "holds",
    "consents",
    "campaigns",
    "campaign_terms",
    "pledges",
    "former_pledges",
    "referrals",
    "guardianships",
    "counts",
    "fulfilments",
    "returned",
    "challenges",
    "achievements",
    "offers",
    "vouchers",
    "proposals",
    "tallies",
    "ballots",
    "obligations",
    "missions",
    "contributions",
    "reviews",
    "scores",
    "due",
    "maturing",
    "once",
)


class Model:
    """Everything that the spec calls state, after some block, or within one.

    `now` and `height` are those of the block being built. `fees` is empty between blocks. `rows` are the entries of the batches
    that are kept, as the arrays whose leaves LOY-12 hashes. `once` are authors and salts of the window. Root and number of slots
    of the state after the block before are told by whoever keeps slots.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self.height = 0
        self.now = int(params.genesis_time)
        self.accounts: dict[bytes, Account] = {}
        self.programs: dict[bytes, Program] = {}
        self.terms: dict[tuple[bytes, int], Terms] = {}
        self.books: dict[bytes, Books] = {}
        self.grants: dict[tuple[bytes, bytes], Grant] = {}
        self.members: dict[tuple[bytes, bytes], Member] = {}
        self.days: dict[tuple[bytes, int], DayTotals] = {}
        self.batches: dict[bytes, Batch] = {}
        self.rows: dict[bytes, tuple[tuple[Any, ...], ...]] = {}
        self.contests: dict[bytes, Contest] = {}
        self.rewards: dict[tuple[bytes, bytes], Reward] = {}
        self.holds: dict[bytes, Hold] = {}
        self.consents: dict[tuple[bytes, bytes, int, str], Consent] = {}
        self.campaigns: dict[bytes, Campaign] = {}
        self.campaign_terms: dict[bytes, CampaignTerms] = {}
        self.pledges: dict[tuple[bytes, int], Pledge] = {}
        self.former_pledges: dict[tuple[bytes, int], FormerPledge] = {}
        self.referrals: dict[bytes, Referral] = {}
        self.counts: dict[bytes, Count] = {}
        self.fulfilments: dict[bytes, Fulfilment] = {}
        self.guardianships: dict[bytes, Guardianship] = {}
        self.returned: dict[bytes, Returned] = {}
        self.challenges: dict[bytes, Challenge] = {}
        self.achievements: dict[bytes, Achievement] = {}
        self.offers: dict[bytes, Offer] = {}
        self.vouchers: dict[bytes, UsedVoucher] = {}
        self.proposals: dict[bytes, Proposal] = {}
        self.tallies: dict[bytes, Tally] = {}
        self.ballots: dict[tuple[bytes, bytes], Ballot] = {}
        self.obligations: dict[bytes, Obligation] = {}
        self.missions: dict[bytes, Mission] = {}
        self.contributions: dict[bytes, Contribution] = {}
        self.reviews: dict[tuple[bytes, bytes], Review] = {}
        self.scores: dict[bytes, Scores] = {}
        self.due: dict[tuple[int, int], DueItem] = {}
        self.maturing: dict[int, tuple[tuple[bytes, int], ...]] = {}
        self.once: dict[tuple[bytes, bytes], tuple[bytes, int]] = {}
        self.due_sequence = 0
        self.emitted = 0
        self.fees = 0
        self.block_weight = 0
        self.parent_root = bytes(32)
        self.parent_slots = 1
        for allocation in params.allocations:
            self.accounts[allocation.address] = Account(allocation.amount, b"", 0)
            self.emitted += allocation.amount

    def copy(self) -> "Model":
        """The same state once more. Records never change, so the dictionaries are enough."""
        other = copy(self)
        for name in TABLES:
            setattr(other, name, dict(getattr(self, name)))
        return other

    # --- coin (COIN-1, ACC-2) ---

    def balance(self, address: bytes) -> int:
        """An account's coin."""
        found = self.accounts.get(address)
        return found.balance if found else 0

    def _set_balance(self, address: bytes, balance: int) -> None:
        self.accounts[address] = self.accounts.get(address, Account(0, b"", 0))._replace(balance=balance)
        self.tidy(address)

    def tidy(self, address: bytes) -> None:
        """An account with nothing in it has no record (ACC-2)."""
        if self.accounts.get(address) == (0, b"", 0, False):
            del self.accounts[address]

    def take(self, payer: bytes, amount: int) -> None:
        """Take coin from `"A" ‖ address` or `"P" ‖ program`."""
        if payer[:1] == b"A":
            if self.balance(payer[1:]) < amount:
                raise Refused("coin.insufficient")
            self._set_balance(payer[1:], self.balance(payer[1:]) - amount)
        else:
            assert payer[:1] == b"P", "nobody pays nothing"
            if self.books[payer[1:]].pool < amount:
                raise Refused("coin.pool_insufficient")
            self.change_books(payer[1:], pool=-amount)

    def give(self, payer: bytes, amount: int) -> None:
        """Give coin back to whom it came from."""
        if payer[:1] == b"A":
            self._set_balance(payer[1:], self.balance(payer[1:]) + amount)
        elif amount:
            assert payer[:1] == b"P", "nobody gets nothing"
            self.change_books(payer[1:], pool=amount)

    # --- amounts that the params fix (FEE-4, FEE-5, LOY-14) ---

    @property
    def record_deposit(self) -> int:
        return self.params.record_deposit

    @property
    def prepaid_exit(self) -> int:
        return 1_200 * self.params.fee_rate_min

    @property
    def contest_fee(self) -> int:
        return 5_000 * self.params.fee_rate_min

    # --- programs ---

    def change_books(self, program: bytes, **changes: int) -> None:
        """Add to totals of a program; none may become negative.

        What is put aside or burned by it comes out of the pool, and what is no longer put aside goes there (COL-2).
        """
        before = self.books[program]
        after = before._replace(**{name: getattr(before, name) + by for name, by in changes.items()})
        taken = after.security - before.security + after.burned - before.burned
        self.books[program] = after._replace(pool=after.pool - taken)
        assert min(self.books[program]) >= 0, f"{changes} makes a total negative: {before}"

    def version_at(self, program: bytes, time: int) -> int:
        """The version in force at a time (LOY-1)."""
        versions = self.programs[program].versions
        begun = [version for version, since in versions if since <= time]
        return begun[-1] if begun else versions[0][0]

    def versions_in_force(self, program: bytes, begins: int, ends: int) -> set[int]:
        """The versions in force at some time from one to another (LOY-1)."""
        versions = self.programs[program].versions
        found = {self.version_at(program, begins)}
        return found | {version for version, since in versions if begins < since <= ends}

    def terms_at(self, program: bytes, time: int) -> Terms:
        """The terms in force at a time."""
        return self.terms[program, self.version_at(program, time)]

    def terms_now(self, program: bytes) -> Terms:
        """The terms in force."""
        return self.terms_at(program, self.now)

    def day_at(self, program: bytes, time: int) -> int:
        """BYTES-6."""
        return (time + 60 * self.programs[program].offset_minutes) // DAY

    def day_start(self, program: bytes, day: int) -> int:
        """BYTES-6."""
        return DAY * day - 60 * self.programs[program].offset_minutes

    def today(self, program: bytes) -> int:
        """The program's day."""
        return self.day_at(program, self.now)

    def begin_of_period(self, program: bytes) -> int:
        """When the present period begins, by the terms in force (LOY-14)."""
        f = self.terms_now(program)
        length = max(f.period_days, 1)
        first_day = (self.today(program) - f.period_anchor_day) // length * length + f.period_anchor_day
        return max(self.day_start(program, first_day), 0)

    def has_ended(self, program: bytes, time: int) -> bool:
        """LOY-21."""
        return 0 < self.programs[program].sunset_at < time

    def has_closed(self, program: bytes) -> bool:
        """LOY-21, now."""
        return 0 < self.programs[program].closes_at <= self.now

    def require_live_grant(self, program: bytes, issuer: bytes, scope: int) -> None:
        """LOY-4."""
        grant = self.grants.get((program, issuer))
        if grant is None or grant.revoked_at:
            raise Refused("issuer.not_granted")
        if not grant.scopes & scope:
            raise Refused("issuer.no_scope")

    def is_present_member(self, program: bytes, address: bytes) -> bool:
        """Has joined and not left."""
        member = self.members.get((program, address))
        return member is not None and member.left_at == 0

    # --- due work (DUE-1) ---

    def queue(self, kind: str, subject: bytes, number: int, time: int) -> None:
        """Let something be done at a time."""
        self.due[time, self.due_sequence] = DueItem(kind, subject, number)
        self.due_sequence += 1

    # --- what others see ---

    def buckets(self) -> tuple[int, int, int, int, int, int]:
        """Accounts, pools, locked, escrow, maturing, burned: each the sum over its records (INV-3)."""
        holders = (
            self.accounts,
            self.programs,
            self.grants,
            self.members,
            self.batches,
            self.contests,
            self.rewards,
            self.holds,
            self.consents,
            self.campaigns,
            self.pledges,
            self.former_pledges,
            self.referrals,
            self.counts,
            self.guardianships,
            self.fulfilments,
            self.returned,
            self.challenges,
            self.achievements,
            self.offers,
            self.vouchers,
            *(self.proposals, self.ballots, self.obligations),
            *(self.missions, self.contributions, self.reviews),
        )
        prepaying = (
            *(self.guardianships, self.members, self.holds, self.consents, self.pledges),
            *(self.challenges, self.former_pledges, self.ballots),
        )
        return (
            sum(account.balance for account in self.accounts.values()),
            sum(books.pool for books in self.books.values()),
            sum(record.deposit for table in holders for record in table.values())
            + sum(record.prepaid for table in prepaying for record in table.values())
            + sum(books.contest_coin + books.security for books in self.books.values()),
            sum(campaign.escrowed for campaign in self.campaigns.values() if campaign.unit == (0,)),
            sum(amount for payees in self.maturing.values() for _, amount in payees),
            sum(books.burned for books in self.books.values()),
        )

    def chain_record(self) -> tuple[int, ...]:
        """STA-2, without the two fields about slots."""
        return (self.due_sequence, self.emitted, *self.buckets())

    def records(self) -> dict[bytes, Any]:
        """Every record but the chain record, by its key (STA-1)."""
        found: dict[bytes, Any] = {b"A" + address: record for address, record in self.accounts.items()}
        found.update((b"B" + program, record) for program, record in self.programs.items())
        found.update(
            (b"C" + fan + grantee + bytes([purpose]) + scope.encode(), record)
            for (fan, grantee, purpose, scope), record in self.consents.items()
        )
        found.update((b"D" + program + be4(day), record) for (program, day), record in self.days.items())
        found.update((b"E" + batch, record) for batch, record in self.batches.items())
        found.update((b"F" + campaign, record) for campaign, record in self.campaigns.items())
        found.update((b"f" + campaign, record) for campaign, record in self.campaign_terms.items())
        found.update((b"G" + program + issuer, record) for (program, issuer), record in self.grants.items())
        found.update((b"H" + hold, record) for hold, record in self.holds.items())
        found.update((b"J" + voucher, record) for voucher, record in self.vouchers.items())
        found.update((b"K" + program, record) for program, record in self.books.items())
        found.update((b"L" + referral, record) for referral, record in self.referrals.items())
        found.update((b"M" + program + fan, record) for (program, fan), record in self.members.items())
        found.update((b"O" + offer, record) for offer, record in self.offers.items())
        found.update((b"P" + campaign + be4(number), record) for (campaign, number), record in self.pledges.items())
        found.update((b"b" + of + be4(number), record) for (of, number), record in self.former_pledges.items())
        found.update((b"Q" + be8(time) + be8(sequence), record) for (time, sequence), record in self.due.items())
        found.update((b"R" + be4(height), (payees,)) for height, payees in self.maturing.items())
        found.update((b"T" + program + be4(version), record) for (program, version), record in self.terms.items())
        found.update((b"U" + address, record) for address, record in self.guardianships.items())
        found.update((b"V" + returned, record) for returned, record in self.returned.items())
        found.update((b"h" + fulfilment, record) for fulfilment, record in self.fulfilments.items())
        found.update((b"c" + contribution, record) for contribution, record in self.contributions.items())
        found.update((b"m" + mission, record) for mission, record in self.missions.items())
        found.update((b"o" + proposal, record) for proposal, record in self.obligations.items())
        found.update((b"p" + proposal, record) for proposal, record in self.proposals.items())
        found.update((b"r" + subject + author, record) for (subject, author), record in self.reviews.items())
        found.update((b"s" + subject, record) for subject, record in self.scores.items())
        found.update((b"t" + proposal, record) for proposal, record in self.tallies.items())
        found.update((b"v" + proposal + voter, record) for (proposal, voter), record in self.ballots.items())
        found.update((b"w" + count, record) for count, record in self.counts.items())
        found.update((b"W" + program + reward, record) for (program, reward), record in self.rewards.items())
        found.update((b"Y" + challenge, record) for challenge, record in self.challenges.items())
        found.update((b"y" + achievement, record) for achievement, record in self.achievements.items())
        found.update((b"X" + contest, record) for contest, record in self.contests.items())
        return found
