"""What `GET /status` says: may it sign, what it knows and since when, what is on its way, what needs a person."""

from typing import Any, Final

from api.till.clock import CLOCK_SECONDS_WARNED, TillClock
from api.till.errors import TillRefused
from api.till.knowledge import Knowledge, day_of
from api.till.outbox import Outbox
from api.till.schedule import SettlementSchedule
from api.till.store import KeptSale, TillStore
from api.till.tables import HANDED_OVER, SET_ASIDE, SETTLED, UNSETTLED, WAITING
from api.wallet.grants import cap_at
from ledger.address import encode_address
from ledger.domains.loyalty.receipts import decode_receipt
from ledger.params import RECEIPT_AGE_SECONDS_MAX
from ledger.types import Address, Timestamp

TERMS_AGE_SECONDS_WARNED: Final = 24 * 3_600
STATES: Final = {WAITING: "waiting", HANDED_OVER: "handed_over", SET_ASIDE: "set_aside"}


def show_status(
    store: TillStore,
    knowledge: Knowledge,
    clock: TillClock,
    outbox: Outbox,
    schedule: SettlementSchedule | None,
    about: dict[str, Any],
) -> dict[str, Any]:
    """Everything about a till; `about` says which one it is."""
    counts = store.count_hand_over()
    return {
        **about,
        "signing": show_signing(knowledge),
        "warnings": list_warnings(knowledge, clock),
        "next_number": store.next_number(),
        "terms": _show_terms(knowledge, clock),
        "node": _show_node(knowledge),
        "clock": {"now": clock.now(), "off_by_seconds": knowledge.clock_watch.offset()},
        "cap": _show_cap(store, knowledge, clock),
        "hand_over": {
            **{name: counts[state] for state, name in STATES.items()},
            "problem": outbox.problem or None,
            "postponed": [_show_receipt(sale) for sale in store.list_postponed()],
            "set_aside_receipts": [_show_receipt(sale) for sale in store.list_set_aside()],
        },
        "settlement": _show_settlement(store, schedule, knowledge),
    }


def show_signing(knowledge: Knowledge) -> dict[str, Any]:
    """Whether a sale of now would be signed, and if not, why and what to do."""
    try:
        knowledge.check_signing()
    except TillRefused as fault:
        return {"signs": False, "code": fault.code.name, "reason": _reason_of(fault), "advice": fault.advice}
    return {"signs": True, "code": None, "reason": None, "advice": None}


def list_warnings(knowledge: Knowledge, clock: TillClock) -> list[dict[str, str]]:
    """What works and will not for long: terms that grow old, a clock that goes wrong."""
    warnings: list[dict[str, str]] = []
    contact = knowledge.contact
    if contact is not None:
        age = clock.now() - contact.known_at
        left = (RECEIPT_AGE_SECONDS_MAX - age) // 3_600
        if TERMS_AGE_SECONDS_WARNED < age <= RECEIPT_AGE_SECONDS_MAX:
            text = f"No word from the node for {age // 3_600} hours; the till signs for {left} hours more."
            advice = "Connect the till to its node; `node.problem` in GET /status says what is wrong."
            warnings.append({"code": "till.terms_age", "text": text, "advice": advice})
    offset = knowledge.clock_watch.offset()
    if abs(offset) > CLOCK_SECONDS_WARNED:
        text = f"The computer's clock is off by {offset} seconds."
        warnings.append({"code": "till.clock_drifts", "text": text, "advice": "Set it, best by NTP."})
    return warnings


def _reason_of(fault: TillRefused) -> str:
    return str(fault).removeprefix(f"{fault.code.name}: ")


def _show_terms(knowledge: Knowledge, clock: TillClock) -> dict[str, Any] | None:
    contact = knowledge.contact
    if contact is None:
        return None
    newest, age = contact.versions[0], clock.now() - contact.known_at
    announced = newest.program.get("announced")
    return {
        "version": newest.number,
        "in_force_from": newest.since,
        "known_at": contact.known_at,
        "age_seconds": age,
        "seconds_left": max(RECEIPT_AGE_SECONDS_MAX - age, 0),
        "announced_version": None if announced is None else announced["version"],
        "announced_from": None if announced is None else announced["effective_from"],
    }


def _show_node(knowledge: Knowledge) -> dict[str, Any]:
    contact = knowledge.contact
    return {
        "last_contact": None if contact is None else contact.at,
        "problem": knowledge.problem or None,
        "chain_id": None if contact is None else contact.facts.chain_id.hex(),
        "height": None if contact is None else contact.chain["height"],
    }


def _show_cap(store: TillStore, knowledge: Knowledge, clock: TillClock) -> dict[str, Any] | None:
    """The points of today that are promised, and how many may be."""
    contact = knowledge.contact
    if contact is None or contact.grant is None:
        return None
    now = Timestamp(clock.now())
    day = day_of(contact.versions[0].facts, now)
    used, cap = store.promised_on(day), cap_at(contact.grant, now)
    return {"day": day, "used": used, "daily_cap": cap, "left": max(cap - used, 0)}


def _show_receipt(sale: KeptSale) -> dict[str, Any]:
    return {
        "sale": sale.sale,
        "number": sale.number,
        "receipt": sale.receipt.hex(),
        "time": decode_receipt(sale.signed).receipt.time,
        "code": sale.code,
        "reason": sale.detail,
    }


def _show_settlement(store: TillStore, schedule: SettlementSchedule | None, knowledge: Knowledge) -> dict[str, Any]:
    counts = store.count_settlement()
    return {
        "is_on": schedule is not None,
        "settled": counts[SETTLED],
        "unsettled": counts[UNSETTLED],
        "refused": store.count_unsettleable(),
        **({"last_run": None, "problem": None} if schedule is None else _name_members(schedule.show(), knowledge)),
    }


def _name_members(shown: dict[str, Any], knowledge: Knowledge) -> dict[str, Any]:
    """What the settling says, with members as people know them; the store keeps bytes, for a chain's prefix is not its affair."""
    contact = knowledge.contact
    if contact is None:
        return shown

    def name(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        prefix = contact.facts.address_prefix
        return [{**row, "member": encode_address(prefix, Address(bytes.fromhex(row["member"])))} for row in rows]

    run = shown["last_run"]
    named = None if run is None else {**run, "skipped": name(run["skipped"])}
    return {**shown, "last_run": named, "not_flushed": name(shown["not_flushed"])}
