"""What a proof shows, in plain words: amounts with their units, days as dates, and what the reader takes for granted."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, Final, get_type_hints

from api.words import counted, show_time
from ledger.address import encode_address
from ledger.domains.accounts.state import Account, Guardianship
from ledger.domains.crowdfunding.state import STATUS_NAMES, Campaign, FormerPledge, Pledge
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit, Unit
from ledger.domains.loyalty.books import THOUSAND, security
from ledger.domains.loyalty.points import usable_points
from ledger.domains.loyalty.state import NEVER, Books, Lot, Member, Program
from ledger.domains.voice.contributions import ROLE_NAMES, Contribution
from ledger.domains.voice.reviews import STANCE_NAMES, STANDING_NAMES, Review
from ledger.errors import LedgerError
from ledger.genesis import make_genesis
from ledger.invariants import POINT_TOTALS
from ledger.networks import NETWORKS
from ledger.params import Params
from ledger.proofs import TRUST_ABOVE, TRUST_BELOW, TRUST_HOME, ProofReport, ShownRecord, ShownTransaction
from ledger.transaction import Transaction, decode_transaction
from ledger.types import Address, Amount, BlockHash, Day, Points, Timestamp

CORE_HASHES_A_SECOND: Final = 30_000_000
"""What one ordinary processor core does with a good kernel: so that a number of hashes means something to a reader."""
SECONDS_A_DAY: Final = 86_400
SECONDS_A_YEAR: Final = 365 * SECONDS_A_DAY
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
LOTS_SHOWN: Final = 12
"""Lots that are written out; the rest are in `--json`."""

Lines = Iterator[str]


def clean(text: str) -> str:
    """A text that somebody else wrote, so that it can not act on a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def block_text(block_hash: BlockHash) -> str:
    """A block's hash as people know it, the highest byte first."""
    return block_hash[::-1].hex()


def day_text(day: int) -> str:
    """A program's day as a date."""
    if day == NEVER:
        return "never"
    return date.fromordinal(EPOCH_ORDINAL + day).isoformat() if day < 2_000_000 else f"day {day}"


def coin_text(amount: int) -> str:
    """An amount of coin."""
    return f"{amount:,} coin"


def points_text(amount: int, program: Program | None) -> str:
    """An amount of points in the program's unit, or as it is counted where the proof does not hold the program."""
    if program is None:
        return f"{amount:,} points (in the smallest unit of a program that is not in the proof)"
    if not program.decimals:
        return f"{amount:,} {clean(program.unit)}"
    whole, part = divmod(amount, 10**program.decimals)
    return f"{whole:,}.{part:0{program.decimals}} {clean(program.unit)}"


def effort_text(hashes: int) -> str:
    """How long one processor core works for so many hashes."""
    seconds = hashes / CORE_HASHES_A_SECOND
    if seconds < 1:
        return "less than a second"
    if seconds < 2 * 3_600:
        return f"about {max(round(seconds / 60), 1)} min" if seconds >= 90 else f"about {round(seconds)} s"
    if seconds < 3 * SECONDS_A_DAY:
        return f"about {round(seconds / 3_600)} h"
    if seconds < SECONDS_A_YEAR:
        return f"about {round(seconds / SECONDS_A_DAY)} days"
    return f"about {round(seconds / SECONDS_A_YEAR):,} years"


class Names:
    """What the records of a proof say of ids: programs and campaigns, and the address prefix of a chain that is known."""

    def __init__(self, report: ProofReport, params: Params | None) -> None:
        self.day_time = report.anchor_time
        known = (*NETWORKS.values(), *(() if params is None else (params,)))
        self._prefix = next((p.address_prefix for p in known if make_genesis(p).chain_id == report.chain_id), None)
        records = [item for item in report.shown if isinstance(item, ShownRecord)]
        self._programs: dict[bytes, Program] = {
            item.key[1:]: item.record for item in records if isinstance(item.record, Program)
        }
        self.campaigns: dict[bytes, Campaign] = {
            item.key[1:]: item.record for item in records if isinstance(item.record, Campaign)
        }
        self.terms: dict[bytes, CampaignTerms] = {
            item.key[1:]: item.record for item in records if isinstance(item.record, CampaignTerms)
        }

    def address(self, address: bytes) -> str:
        """An account as text; in hex on a chain whose params are not known."""
        return address.hex() if self._prefix is None else encode_address(self._prefix, Address(address))

    def program(self, program_id: bytes) -> Program | None:
        """A program that the proof holds."""
        return self._programs.get(program_id)

    def program_text(self, program_id: bytes) -> str:
        """A program by its name, if the proof holds it, and its id."""
        found = self.program(program_id)
        return f"program {program_id.hex()}" if found is None else f'program "{clean(found.name)}" ({program_id.hex()})'

    def campaign_text(self, campaign_id: bytes) -> str:
        """A campaign by its title, if the proof holds its terms, and its id."""
        terms = self.terms.get(campaign_id)
        return (
            f"campaign {campaign_id.hex()}"
            if terms is None
            else f'campaign "{clean(terms.title)}" ({campaign_id.hex()})'
        )

    def quantity_text(self, amount: int, unit: Unit | None) -> str:
        """What a campaign counts in."""
        if isinstance(unit, CoinUnit):
            return coin_text(amount)
        return points_text(amount, self.program(unit.program) if isinstance(unit, PointsUnit) else None)


def tell_record(shown: ShownRecord, names: Names) -> Lines:
    """A record in lines; the first says what it is."""
    record, identifier = shown.record, shown.key[1:]
    if isinstance(record, Account):
        yield f"account {names.address(identifier)}"
        yield f"coin          {coin_text(record.balance)}"
        if record.policy_hash:
            yield f"keys          changed; hash of the policy {record.policy_hash.hex()}"
        if record.is_guarded:
            yield "guardians     it has some, who could recover it"
    elif isinstance(record, Guardianship):
        yield from _tell_guardianship(record, identifier, names)
    elif isinstance(record, Books):
        yield from _tell_books(record, identifier, names)
    elif isinstance(record, Member):
        yield from _tell_member(record, identifier, names)
    elif isinstance(record, Campaign):
        yield from _tell_campaign(record, identifier, names)
    elif isinstance(record, CampaignTerms):
        yield from _tell_terms(record, identifier, names)
    elif isinstance(record, FormerPledge):
        yield from _tell_former(record, identifier, names)
    elif isinstance(record, Pledge):
        yield from _tell_pledge(record, identifier, names)
    elif isinstance(record, Program):
        yield names.program_text(identifier)
        yield f"unit          {clean(record.unit)}, {record.decimals} decimals"
        yield f"owner         {names.address(record.owner)}"
        if record.sunset_at:
            yield f"ends          {show_time(record.sunset_at)}, redeeming {show_time(record.closes_at)}"
    elif isinstance(record, Contribution):
        yield from _tell_contribution(record, identifier, names)
    elif isinstance(record, Review):
        yield from _tell_review(record, identifier, names)
    elif record is None:
        yield f"a record that this version can not read, under the key {shown.key.hex()}"
    else:
        yield f"{shown.table} {identifier.hex()}"
        for name, value in plain_record(record).items():
            yield f"{name:<12}  {clean(str(value))}"


def _tell_guardianship(record: Guardianship, address: bytes, names: Names) -> Lines:
    guardians = record.guardians
    yield f"who may recover the account {names.address(address)}"
    days = f"{guardians.delay_days} day{'s' if guardians.delay_days != 1 else ''}"
    yield f"needed        {guardians.threshold} of {len(guardians.addresses)}, and {days} of waiting"
    yield from (f"guardian      {names.address(guardian)}" for guardian in guardians.addresses)
    for place, policy_hash, time in record.approvals:
        yield f"said          {names.address(guardians.addresses[place])}: {policy_hash.hex()}, {show_time(time)}"
    for recovery in record.recovery:
        yield f"recovery      to the policy {recovery.policy_hash.hex()}"
        yield f"in force      from the later of {show_time(recovery.effective_at)} and block {recovery.effective_height}"
        until = f"{show_time(recovery.expires_at)} and block {recovery.expires_height}"
        yield f"lapses        unless the account signs before the later of {until}"
    if record.not_before:
        yield f"cool-down     until {show_time(record.not_before)}, after {record.failures} that failed"


def _tell_books(books: Books, program_id: bytes, names: Names) -> Lines:
    program = names.program(program_id)
    yield f"totals of {names.program_text(program_id)}"
    for name in ("issued", "restored", *POINT_TOTALS):
        yield f"{name:<12}  {points_text(getattr(books, name), program)}"
    yield f"members       {books.members:,}"
    yield f"fee pool      {coin_text(books.pool)}"
    yield f"put aside     {coin_text(security(books))}, of it {coin_text(books.backing // THOUSAND)} behind points"
    yield f"burned        {coin_text(books.burned)}"


def _tell_member(member: Member, identifier: bytes, names: Names) -> Lines:
    program_id, address = identifier[:32], identifier[32:]
    program = names.program(program_id)
    yield f"member {names.address(address)} of {names.program_text(program_id)}"
    yield f"joined        {show_time(member.joined_at)}"
    if member.left_at:
        yield f"left          {show_time(member.left_at)}"
    if program is None:
        today = Day(names.day_time // SECONDS_A_DAY)
    else:
        today = program.day_at(names.day_time)
        yield f"available     {points_text(usable_points(member.lots, today), program)} on {day_text(today)}"
    for lot in member.lots[:LOTS_SHOWN]:
        yield f"lot           {_lot_text(lot, today, program)}"
    if len(member.lots) > LOTS_SHOWN:
        yield f"lots          {len(member.lots) - LOTS_SHOWN} more"


def _lot_text(lot: Lot, today: Day, program: Program | None) -> str:
    _, activation, expiry, points = lot
    end = "never expires" if expiry == NEVER else f"{'expired' if expiry <= today else 'expires'} on {day_text(expiry)}"
    start = f", usable from {day_text(activation)}" if activation > today else ""
    return f"{points_text(points, program)}{start}, {end}"


def _tell_campaign(campaign: Campaign, campaign_id: bytes, names: Names) -> Lines:
    yield names.campaign_text(campaign_id)
    yield f"status        {STATUS_NAMES[campaign.status]}"
    yield f"pledged       {names.quantity_text(campaign.pledged, campaign.unit)} in {counted(campaign.pledges, 'pledge')}"
    yield f"in escrow     {names.quantity_text(campaign.escrowed, campaign.unit)}, neither released nor given back"
    if campaign.released or campaign.returned:
        yield f"released      {names.quantity_text(campaign.released, campaign.unit)}"
        yield f"given back    {names.quantity_text(campaign.returned, campaign.unit)}"
    if campaign.late_days:
        yield f"steps taken   {len(campaign.late_days)}, late by {', '.join(counted(days, 'day') for days in campaign.late_days)}"
    if campaign.delivered_at:
        yield f"delivered     {show_time(campaign.delivered_at)}"
    if campaign.until:
        yield f"decided       {show_time(campaign.until)} and block {campaign.until_height}, whichever is later"
    yield f"creator       {names.address(campaign.creator)}"
    if isinstance(campaign.unit, PointsUnit):
        yield f"collects      points of {names.program_text(campaign.unit.program)}"


def _tell_terms(terms: CampaignTerms, campaign_id: bytes, names: Names) -> Lines:
    yield f"terms of the {names.campaign_text(campaign_id)}, which never change"
    kept = "all or nothing" if terms.all_or_nothing else "kept in any case"
    yield f"goal          {names.quantity_text(terms.goal, terms.unit)}, {kept}"
    yield f"deadline      {show_time(terms.deadline)}"
    for title, share, due in terms.milestones:
        when = f"by {show_time(due)}" if due else "at the deadline"
        yield f"milestone     {clean(title)}: {share / 100:g} % {when}"
    if terms.delivery_due:
        yield f"delivery      by {show_time(terms.delivery_due)}, {terms.reserve / 100:g} % until then"
    yield f"silence       {'approves' if terms.silence_approves else 'rejects'}"


def _tell_pledge(pledge: Pledge, identifier: bytes, names: Names) -> Lines:
    campaign_id, number = identifier[:32], int.from_bytes(identifier[32:], "big")
    campaign, terms = names.campaigns.get(campaign_id), names.terms.get(campaign_id)
    yield f"pledge {number} to the {names.campaign_text(campaign_id)}"
    yield f"pledged       {names.quantity_text(pledge.quantity, None if campaign is None else campaign.unit)}"
    yield f"backer        {names.address(pledge.backer)}"
    if pledge.tier:
        tiers = () if terms is None else terms.tiers[pledge.tier - 1 : pledge.tier]
        yield f"tier          {pledge.tier}{''.join(f', {clean(tier[0])}' for tier in tiers)}"


def _tell_former(former: FormerPledge, identifier: bytes, names: Names) -> Lines:
    campaign_id, number = identifier[:32], int.from_bytes(identifier[32:], "big")
    unit = None if campaign_id not in names.campaigns else names.campaigns[campaign_id].unit
    yield f"pledge {number} to the {names.campaign_text(campaign_id)}, which left it"
    yield f"pledged       {names.quantity_text(former.quantity, unit)}"
    yield f"came back     {names.quantity_text(former.returned, unit)}"
    yield f"backer        {names.address(former.backer)}"


def _tell_contribution(record: Contribution, identifier: bytes, names: Names) -> Lines:
    yield f"contribution {identifier.hex()}"
    yield f"fan           {names.address(record.fan)}"
    yield f"for           {names.program_text(record.program)}"
    yield f"what          {ROLE_NAMES[record.role]}, {show_time(record.worked_at)}; hash of the work {record.work.hex()}"
    yield f"signed by     {names.address(record.issuer)} for the brand, and by the fan"
    if record.credited_at:
        terms = names.terms.get(record.product)
        title = "" if terms is None else f'"{clean(terms.title)}" '
        yield f"led to        {title}{record.product.hex()}, as the brand said on {show_time(record.credited_at)}"


def _tell_review(record: Review, identifier: bytes, names: Names) -> Lines:
    subject, author = identifier[:32], identifier[32:]
    shown = names.campaign_text(subject) if subject in names.campaigns else names.program_text(subject)
    yield f"review of {shown}"
    yield f"author        {names.address(author)}, who has {STANDING_NAMES[record.standing.tag]} there"
    yield f"says          {STANCE_NAMES[record.stance]}, {record.score} of 5"
    yield f"since         {show_time(record.first_at)}, in revision {record.revisions} of {show_time(record.latest_at)}"
    if record.text:
        yield f"text          hash {record.text.hex()}"
    if record.replies:
        yield f"answered      {show_time(record.replied_at)}, hash {record.reply.hex()}"


def tell_transaction(shown: ShownTransaction, transaction: Transaction | None, names: Names) -> Lines:
    """A transaction in lines; the first says what it is."""
    kind = "a transaction that this version can not read" if transaction is None else transaction.kind.name
    yield f"{kind}, transaction {shown.txid.hex()}"
    yield f"in block      {shown.height} of {show_time(shown.time)}, {block_text(shown.block_hash)}"
    yield f"depth         {shown.depth:,} (1: nothing is built on it yet within this proof)"
    refused = [code for code in shown.results if code]
    yield f"result        {_results_text(shown.results, refused)}"
    if transaction is None:
        return
    yield f"signed by     {', '.join(names.address(signer) for signer in transaction.signers)}"
    for name, text in _payload_facts(transaction.payload, names):
        yield f"{name:<12}  {text}"


def _results_text(results: Sequence[str], refused: Sequence[str]) -> str:
    if len(results) == 1:
        return clean(refused[0]) if refused else "applied"
    codes = f", skipped with {', '.join(map(clean, dict.fromkeys(refused)))}" if refused else ""
    return f"{len(results) - len(refused)} of {len(results)} entries applied{codes}"


def _payload_facts(payload: Any, names: Names) -> Iterator[tuple[str, str]]:
    """The fields of a payload, amounts by their declared types: points in the program's unit, coin as coin."""
    program_id = getattr(payload, "program", b"")
    campaign = names.campaigns.get(getattr(payload, "campaign", b""))
    hints = get_type_hints(type(payload))
    for field in fields(payload):
        value, declared = getattr(payload, field.name), hints[field.name]
        if field.name == "program":
            yield field.name, names.program_text(value)
        elif field.name == "campaign":
            yield field.name, names.campaign_text(value).removeprefix("campaign ")
        elif field.name == "quantity" and campaign is not None:
            yield field.name, names.quantity_text(value, campaign.unit)
        elif declared is Points:
            yield field.name, points_text(value, names.program(program_id))
        elif declared is Amount:
            yield field.name, coin_text(value)
        elif declared is Address:
            yield field.name, names.address(value)
        elif declared is Timestamp:
            yield field.name, show_time(value) if value else "-"
        elif isinstance(value, tuple) and value and hasattr(value[0], "points"):
            program = names.program(program_id)
            for entry in value:
                yield "entry", f"{names.address(entry.member)}: {points_text(entry.points, program)}"
        else:
            yield field.name, clean(str(plain(value)))


def read_transaction(shown: ShownTransaction, report: ProofReport) -> Transaction | None:
    """The transaction taken apart; None if it is of a kind that this version does not know."""
    try:
        return decode_transaction(shown.raw, report.chain_id)
    except LedgerError:
        return None


def tell_trust(report: ProofReport, *, chain_is_known: bool) -> Lines:
    """What the proof rests on, and what the reader takes for granted."""
    last = report.anchor_height + report.following
    yield f"All of it hangs on block {last}, {block_text(report.rests_on)}."
    yield (
        f"That block and the headers below it in this file ({report.following + 1} in all) cost about "
        f"{report.work_on_top:,} hashes: {effort_text(report.work_on_top)} of one processor core."
    )
    yield (
        f"It descends from block {report.trusted_height}, {block_text(report.trusted_hash)}"
        f"{' (genesis)' if not report.trusted_height else ''}, after {report.trusted_work:,} hashes."
    )
    yield from (f"Taken for granted: {text}." for text in taken_for_granted(report, chain_is_known=chain_is_known))


def taken_for_granted(report: ProofReport, *, chain_is_known: bool) -> list[str]:
    """What no file can show, given what the reader knows."""
    last = report.anchor_height + report.following
    found: list[str] = []
    if report.trust == TRUST_ABOVE:
        found.append("the block that you trust, and nothing else: everything above hangs on it")
    elif report.trust == TRUST_HOME:
        found.append("the block that you trust; the transaction stands in it. What names it rests on the work")
    else:
        below = f", on top of the block {report.trusted_height} that you trust" if report.trust == TRUST_BELOW else ""
        found.append(
            f"that block {last} is on the chain that everybody follows{below}. Somebody who spends that much work can make "
            "another one: compare its hash with a source of your own, and give it with --trust"
        )
    if not chain_is_known and not report.trust:
        found.append("that this chain is the one you mean: give its id with --chain-id")
    if any(isinstance(item, ShownRecord) for item in report.shown):
        found.append(
            f"that you want to know how it was after block {report.anchor_height}: later blocks may have changed it"
        )
    return found


def tell_report(
    report: ProofReport, sizes: dict[str, int], *, chain_is_known: bool, params: Params | None = None
) -> Lines:
    """The whole answer for a person. `params`, where they are this chain's, give accounts their text form."""
    names = Names(report, params)
    yield f"The proof holds. Block {report.anchor_height}, {show_time(report.anchor_time)}, chain {report.chain_id.hex()}."
    for shown in report.shown:
        if isinstance(shown, ShownTransaction):
            first, *rest = tell_transaction(shown, read_transaction(shown, report), names)
        else:
            first, *rest = tell_record(shown, names)
        yield ""
        yield first
        yield from (f"  {line}" for line in rest)
    yield ""
    yield from tell_trust(report, chain_is_known=chain_is_known)
    yield (
        f"Size: {sizes['all']:,} bytes (block {sizes['block']:,}, path to the trusted block {sizes['trusted']:,}, "
        f"what is shown {sizes['claims']:,})."
    )


def describe_report(report: ProofReport, sizes: dict[str, int], *, chain_is_known: bool) -> dict[str, Any]:
    """The same as JSON: amounts as integers in their smallest units, block hashes as people know them."""
    return {
        "holds": True,
        "chain_id": report.chain_id.hex(),
        "block": block_text(report.anchor_hash),
        "height": report.anchor_height,
        "time": report.anchor_time,
        "date": show_time(report.anchor_time),
        "rests_on": block_text(report.rests_on),
        "headers_on_top": report.following,
        "work_on_top": report.work_on_top,
        "trusted_height": report.trusted_height,
        "trusted_block": block_text(report.trusted_hash),
        "trusted_work": report.trusted_work,
        "trust": report.trust or None,
        "shows": [_describe(shown, report) for shown in report.shown],
        "taken_for_granted": taken_for_granted(report, chain_is_known=chain_is_known),
        "bytes": sizes,
    }


def _describe(shown: ShownTransaction | ShownRecord, report: ProofReport) -> dict[str, Any]:
    if isinstance(shown, ShownRecord):
        record = None if shown.record is None else plain_record(shown.record)
        return {"table": shown.table, "key": shown.key.hex(), "record": record}
    transaction = read_transaction(shown, report)
    return {
        "txid": shown.txid.hex(),
        "in_block": shown.height,
        "block": block_text(shown.block_hash),
        "time": shown.time,
        "depth": shown.depth,
        "results": list(shown.results),
        "kind": None if transaction is None else transaction.kind.name,
        "payload": None if transaction is None else plain_record(transaction.payload),
    }


def plain_record(record: Any) -> dict[str, Any]:
    """The fields of a record or a payload as JSON; bytes as hex."""
    return {field.name: plain(getattr(record, field.name)) for field in fields(record)}


def plain(value: Any) -> Any:
    """Any value of the ledger as JSON; bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return plain_record(value) if hasattr(value, "__dataclass_fields__") else value
