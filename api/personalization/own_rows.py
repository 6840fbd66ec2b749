"""What personalization keeps of one account, as the account's own export shows it."""

from typing import Any

from api.receipts.offer_plans import DrawnOffer
from api.receipts.store import ReceiptStore
from api.wallet.offers import offer_text
from ledger.domains.offers.terms import decode_offer
from ledger.types import Address


def show_personal(store: ReceiptStore, account: Address) -> dict[str, list[dict[str, Any]]]:
    """Behaviour, preferences, messages (held out ones, too), feedback and drawn offers, by section of the export."""
    return {
        "behaviour": [
            {
                "program": program.hex(),
                "kind": deed.kind,
                "item": deed.item,
                "seconds": deed.seconds,
                "at": deed.at,
                "received_at": deed.received_at,
            }
            for program, deed in store.behaviour.all_of(account)
        ],
        "preferences": [
            {
                "program": kept.program.hex(),
                "said": kept.document,
                "reset_at": kept.reset_at,
                "changed_at": kept.changed_at,
            }
            for kept in store.preferences.all_of(account)
        ],
        "messages": [
            {
                "message": kept.id.hex(),
                "program": kept.program.hex(),
                "topic": kept.topic,
                "decided_at": kept.decided_at,
                "ready_at": kept.ready_at,
                "expires_at": kept.expires_at,
                "held_out": kept.is_held_out,
                "content": kept.document,
            }
            for kept in store.inbox.all_of(account)
        ],
        "feedback": [
            {
                "message": kept.message.hex(),
                "program": kept.program.hex(),
                "kind": kept.kind,
                "at": kept.at,
                "received_at": kept.received_at,
            }
            for kept in store.inbox.feedback_of(account)
        ],
        "deliveries": [
            {
                "message": kept.message.hex(),
                "program": kept.program.hex(),
                "webhook": kept.webhook.hex(),
                "body": kept.body.decode(),
                "made_at": kept.made_at,
                "due_at": kept.due_at,
                "attempts": kept.attempts,
                "done_at": kept.done_at,
                "code": kept.code,
            }
            for kept in store.webhooks.all_of(account)
        ],
        "drawn_offers": [_show_drawn(kept) for kept in store.offer_plans.of_member(account)],
    }


def _show_drawn(kept: DrawnOffer) -> dict[str, Any]:
    return {
        "plan": kept.plan.hex(),
        "program": kept.program.hex(),
        "held_out": kept.is_held_out,
        "offer": kept.offer.hex(),
        "text": "" if kept.is_held_out else offer_text(decode_offer(kept.sealed)),
        "about": kept.document,
        "drawn_at": kept.drawn_at,
        "ends_at": kept.ends_at,
    }
