"""Who signs for an account, and who may recover it, as the next block's rules will see it."""

from typing import Any

from api.http.rendering import Renderer
from api.words import show_time
from ledger.domains.accounts.recovery import PHASE_NAMES, live_approvals, phase_at, policy_in_force
from ledger.domains.accounts.state import (
    NO_ACCOUNT,
    Account,
    Guardianship,
    Recovery,
    account_key,
    guardianship_key,
)
from ledger.types import Address, Hash, Height, Timestamp
from node.store.reader import Snapshot, Tip


def policy_hash_at_tip(view: Snapshot, address: Address) -> Hash:
    """The hash of the policy that the next block asks of the account."""
    account: Account = view.record(account_key(address)) or NO_ACCOUNT
    if not account.is_guarded:
        return account.policy_hash or Hash(address)
    tip = view.tip()
    return policy_in_force(address, account, view.record(guardianship_key(address)), *_next_block(tip))


def show_keys(renderer: Renderer, view: Snapshot, address: Address, account: Account, tip: Tip) -> dict[str, Any]:
    """`policy_hash` (null while the address itself is the policy's hash), `guardians` and `recovery` (null: none)."""
    if not account.is_guarded:
        return {"policy_hash": account.policy_hash.hex() or None, "guardians": None, "recovery": None}
    found: Guardianship = view.record(guardianship_key(address))
    time, height = _next_block(tip)
    in_force = policy_in_force(address, account, found, time, height)
    changed = account.policy_hash or in_force != address
    return {
        "policy_hash": in_force.hex() if changed else None,
        "guardians": _show_guardians(renderer, found, time),
        "recovery": next((_show_recovery(renderer, one, time, height) for one in found.recovery), None),
    }


def _next_block(tip: Tip) -> tuple[Timestamp, Height]:
    """The chain's clock for the next block, and its height (spec BLK-3)."""
    return Timestamp(tip.header.time), Height(tip.height + 1)


def _show_guardians(renderer: Renderer, found: Guardianship, time: Timestamp) -> dict[str, Any]:
    guardians = found.guardians
    return {
        "threshold": guardians.threshold,
        "addresses": [renderer.address(address) for address in guardians.addresses],
        "delay_days": guardians.delay_days,
        "approvals": [
            {
                "guardian": renderer.address(guardians.addresses[place]),
                "policy_hash": policy_hash.hex(),
                "new_address": renderer.address(policy_hash),
                "time": given,
                "date": show_time(given),
            }
            for place, policy_hash, given in live_approvals(found, time)
        ],
        "failures": found.failures,
        "not_before": found.not_before or None,
        "not_before_date": show_time(found.not_before) if found.not_before else None,
    }


def _show_recovery(renderer: Renderer, recovery: Recovery, time: Timestamp, height: Height) -> dict[str, Any]:
    return {
        "phase": PHASE_NAMES[phase_at(recovery, time, height)],
        "policy_hash": recovery.policy_hash.hex(),
        "new_address": renderer.address(recovery.policy_hash),
        "started_at": recovery.started_at,
        "effective_at": recovery.effective_at,
        "effective_date": show_time(recovery.effective_at),
        "effective_height": recovery.effective_height,
        "expires_at": recovery.expires_at,
        "expires_date": show_time(recovery.expires_at),
        "expires_height": recovery.expires_height,
    }
