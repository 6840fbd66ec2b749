"""What audits found, as plain JSON: ids in hex, addresses as text, amounts and times as integers (seconds)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from api.http.rendering import show_day
from api.words import show_time
from ledger.address import encode_address
from ledger.domains.crowdfunding.state import STATUS_NAMES
from ledger.domains.crowdfunding.terms import PointsUnit
from ledger.domains.loyalty.books import THOUSAND, security
from ledger.domains.loyalty.state import Books
from ledger.invariants import POINT_TOTALS
from ledger.types import Address, Day
from node.audit import AuditReport, CampaignPosition, Finding
from node.audit_figures import Shares
from node.audit_liability import LiabilityReport, ProgramLiability
from node.audit_programs import LIVE, ExpiryLine, ProgramPosition

TOTALS: Final = ("issued", "restored", *POINT_TOTALS)

BASIS_KNOWN: Final = "nothing but the chain id"
BASIS_SHOWN: Final = (
    "that {chain_id} is the chain that you mean: compare it with one that you know, or name that with --chain-id"
)


def describe_basis(chain_id: bytes, *, chain_is_known: bool) -> str:
    """What a reader of the report has to take for granted."""
    return BASIS_KNOWN if chain_is_known else BASIS_SHOWN.format(chain_id=chain_id.hex())


def map_findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON."""
    return [asdict(finding) for finding in findings]


def map_report(report: AuditReport, *, source: str, chain_is_known: bool) -> dict[str, Any]:
    """An audit as JSON."""
    figures = report.figures
    return {
        "good": report.is_good,
        "source": source,
        "chain_name": figures.params.name,
        "chain_id": report.chain_id.hex(),
        "taken_for_granted": describe_basis(report.chain_id, chain_is_known=chain_is_known),
        "height": report.height,
        "tip": report.tip[::-1].hex(),
        "time": report.time,
        "time_shown": show_time(report.time),
        "state_root": report.state_root.hex(),
        "seconds": round(report.seconds, 3),
        "findings": map_findings(report.findings),
        "database": {"checked": report.database or None, "unchecked": list(report.unchecked)},
        "blocks": report.blocks,
        "transactions": report.transactions,
        "entries": report.entries,
        "transaction_bytes": figures.block_bytes,
        "kinds": dict(figures.kinds.most_common()),
        "skipped": dict(figures.skipped.most_common()),
        "skipped_by_kind": [
            {"kind": kind, "code": code, "entries": count}
            for (kind, code), count in figures.skipped_by_kind.most_common()
        ],
        "chain": None if report.chain is None else asdict(report.chain),
        "rewards": {"subsidies": figures.subsidies, "fees": figures.fees, "total": figures.rewards},
        "block_times": _map_block_times(report),
        "difficulty": [asdict(sample) for sample in figures.difficulty()],
        "mined": _map_payees(report),
        "concentration": {
            "mining": asdict(figures.mining()),
            "coin": None if report.coin_shares is None else asdict(report.coin_shares),
        },
        "programs": {position.program_id.hex(): map_position(position) for position in report.positions},
        "campaigns": [_map_campaign(position) for position in report.campaigns],
    }


def _map_block_times(report: AuditReport) -> dict[str, Any]:
    times = report.figures.block_times()
    return {
        "blocks": times.count,
        "mean_s": times.mean,
        **{f"{name}_s": seconds for name, seconds in times.quantiles.items()},
        "classes": [{"up_to_s": edge, "blocks": count} for edge, count in times.classes],
    }


def _map_payees(report: AuditReport) -> list[dict[str, Any]]:
    prefix, total = report.figures.params.address_prefix, report.figures.rewards
    by_amount = sorted(report.figures.payees.items(), key=lambda item: (-item[1].amount, item[0]))
    return [
        {
            "address": encode_address(prefix, Address(address)),
            "blocks": paid.blocks,
            "amount": paid.amount,
            "permille": 1_000 * paid.amount // total if total else 0,
        }
        for address, paid in by_amount
    ]


def _map_campaign(position: CampaignPosition) -> dict[str, Any]:
    campaign, terms = position.campaign, position.terms
    unit = campaign.unit
    return {
        "campaign": position.campaign_id.hex(),
        "title": terms.title,
        "program": unit.program.hex() if isinstance(unit, PointsUnit) else None,
        "unit": "points" if isinstance(unit, PointsUnit) else "coin",
        "status": STATUS_NAMES[campaign.status],
        "goal": terms.goal,
        "pledged": campaign.pledged,
        "escrowed": campaign.escrowed,
        "pledges": campaign.pledges,
        "released": campaign.released,
        "returned": campaign.returned,
        "deadline": show_time(terms.deadline),
    }


def map_totals(books: Books) -> dict[str, int]:
    """The totals of the equation, in its order."""
    return {name: getattr(books, name) for name in TOTALS}


def map_position(position: ProgramPosition) -> dict[str, Any]:
    """What a program owes at the end of a day."""
    return {
        "name": position.program.name,
        "unit": position.program.unit,
        "decimals": position.program.decimals,
        "offset_minutes": position.program.offset_minutes,
        "day": show_day(position.day),
        "totals": map_totals(position.books),
        "liability": position.liability,
        "members": position.books.members,
        "fee_pool": position.books.pool,
        "coin_behind_points": {
            "put_aside": security(position.books),
            "behind_points": position.books.backing // THOUSAND,
            "burned": position.books.burned,
            "paid_to_members": position.books.collateral_paid,
        },
        "by_expiry": [_map_line(day, line) for day, line in position.lines.items()],
        "recorded_totals": map_totals(position.recorded),
        "moved_by_days": [
            {"day": show_day(day), "activating": totals.activating, "expiring": totals.expiring}
            for day, totals in position.waiting.items()
        ],
        "concentration": asdict(position.shares),
    }


def _map_line(day: Day, line: ExpiryLine) -> dict[str, Any]:
    shown = show_day(day)
    return {
        "expires_on": None if shown is None else shown["date"],
        **{name: getattr(line, name) for name in LIVE},
        "total": line.total,
    }


def describe_shares(shares: Mapping[str, int] | Shares) -> str:
    """A concentration in words."""
    found = asdict(shares) if isinstance(shares, Shares) else shares
    if not found["holders"]:
        return "nobody holds any"
    if found["holders"] == 1:
        return "one holder has all of it"
    largest, ten = (100 * found[name] // found["total"] for name in ("largest", "ten_largest"))
    return (
        f"{found['holders']} holders; the largest has {largest} %, the ten largest {ten} %; "
        f"{found['majority']} of them have more than half"
    )


def map_liability(
    report: LiabilityReport, *, date: str, source: str, chain_is_known: bool, files: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What programs owed at the end of a day, as JSON. `files` are the proofs that were written, by program and name."""
    return {
        "good": report.is_good,
        "source": source,
        "chain_id": report.chain_id.hex(),
        "taken_for_granted": describe_basis(report.chain_id, chain_is_known=chain_is_known),
        "date": date,
        "blocks": report.blocks,
        "seconds": round(report.seconds, 3),
        "findings": map_findings(report.findings),
        "programs": {
            found.position.program_id.hex(): _map_program(found, files.get(found.position.program_id.hex(), {}))
            for found in report.programs
        },
    }


def _map_program(found: ProgramLiability, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        **map_position(found.position),
        "day_is_over": found.is_over,
        "height": found.height,
        "block": found.block[::-1].hex(),
        "block_clock": found.clock,
        "next_block_clock": found.next_clock,
        "proofs": dict(files),
    }
