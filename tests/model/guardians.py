"""Guardians, and what becomes of a recovery: ACC-5 to ACC-8."""

from tests.model.records import DAY, Account, Guardianship, Recovery, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call

APPROVAL_SECONDS = 30 * DAY
COMPLETE_SECONDS = 30 * DAY
BLOCKS_MIN = 144
WAITING, IN_FORCE, LAPSED = "waiting", "in force", "lapsed"
KINDS_THAT_WAIT = {
    "account.set_guardians",
    "account.set_policy",
    "pledge",
    "pledge.change",
    "pledge.late",
    "points.transfer",
    "transfer",
}


def guardians_are_sound(guardians: tuple) -> bool:
    """ACC-5."""
    return all(list(names) == sorted(set(names)) and threshold <= len(names) for threshold, names, _ in guardians)


def standing_of(model: Model, recovery: Recovery) -> str:
    """ACC-5."""
    if model.now < recovery.effective_at or model.height < recovery.effective_height:
        return WAITING
    if model.now < recovery.expires_at or model.height < recovery.expires_height:
        return IN_FORCE
    return LAPSED


def recovery_of(model: Model, address: bytes) -> Recovery | None:
    """The recovery of an account, whatever its standing."""
    found = model.guardianships.get(address)
    return found.recovery[0] if found and found.recovery else None


def policy_in_force(model: Model, address: bytes) -> bytes:
    """The hash of the policy that governs an account now (ENV-3, ACC-5)."""
    recovery = recovery_of(model, address)
    if recovery is not None and standing_of(model, recovery) == IN_FORCE:
        return recovery.policy_hash
    account = model.accounts.get(address)
    return account.policy_hash if account and account.policy_hash else address


def is_waiting(model: Model, address: bytes) -> bool:
    """Whether a recovery of an account waits."""
    recovery = recovery_of(model, address)
    return recovery is not None and standing_of(model, recovery) == WAITING


def _end(model: Model, address: bytes, failures: int, not_before: int) -> None:
    found = model.guardianships[address]
    model.fees += found.prepaid
    model.guardianships[address] = found._replace(
        prepaid=0, approvals=(), failures=failures, not_before=not_before, recovery=()
    )


def _fail(model: Model, address: bytes, time: int) -> None:
    failures = model.guardianships[address].failures + 1
    _end(model, address, failures, time + 30 * DAY * 2 ** min(failures - 1, 4))


def write_down(model: Model, address: bytes, signs: bool) -> None:
    """What became of a recovery that does not wait any more (ACC-5)."""
    recovery = recovery_of(model, address)
    if recovery is None:
        return
    standing = standing_of(model, recovery)
    if standing == IN_FORCE and signs:
        model.accounts[address] = model.accounts[address]._replace(policy_hash=recovery.policy_hash)
        _end(model, address, 0, 0)
    elif standing == LAPSED:
        _fail(model, address, recovery.expires_at)


def keep_account(model: Model, call: Call) -> None:
    """ACC-2: the account is kept."""
    before = model.accounts.get(call.author)
    if before is None or before.deposit == 0:
        model.take(call.payer, model.record_deposit)
        account = model.accounts.get(call.author, Account(0, b"", 0))
        model.accounts[call.author] = account._replace(deposit=account.deposit + model.record_deposit)


def set_guardians(model: Model, call: Call, payload: tuple) -> list[str]:
    """ACC-6."""
    author, (named,) = call.author, payload
    found = model.guardianships.get(author)
    if not named:
        refuse_unless(found is not None, "guardians.none")
        assert found is not None
        del model.guardianships[author]
        model.accounts[author] = model.accounts[author]._replace(is_guarded=False)
        model.tidy(author)
        model.give(found.payer, found.deposit)
        return [""]
    guardians = named[0]
    refuse_unless(author not in guardians[1], "guardians.own_account")
    if found is None:
        keep_account(model, call)
        model.take(call.payer, model.record_deposit)
        account = model.accounts.get(author, Account(0, b"", 0))
        model.accounts[author] = account._replace(is_guarded=True)
        found = Guardianship(call.payer, model.record_deposit, 0, guardians, (), 0, 0, ())
    model.guardianships[author] = found._replace(
        prepaid=0, guardians=guardians, approvals=(), failures=0, not_before=0, recovery=()
    )
    return [""]


def recover(model: Model, call: Call, payload: tuple) -> list[str]:
    """ACC-7."""
    address, policy_hash = payload
    write_down(model, address, signs=False)
    refuse_unless(address in model.guardianships, "guardians.none")
    found = model.guardianships[address]
    threshold, names, delay_days = found.guardians
    refuse_unless(call.author in names, "guardians.not_one")
    refuse_unless(not found.recovery, "recovery.under_way")
    refuse_unless(model.now >= found.not_before, "recovery.cool_down")
    refuse_unless(policy_hash != policy_in_force(model, address), "recovery.same_policy")
    place = names.index(call.author)
    counting = [approval for approval in found.approvals if model.now < approval[2] + APPROVAL_SECONDS]
    already = any(approval[:2] == (place, policy_hash) for approval in counting)
    refuse_unless(not already, "recovery.approved_already")
    others = [approval for approval in counting if approval[0] != place]
    approvals = tuple(sorted([*others, (place, policy_hash, model.now)]))
    found = found._replace(approvals=approvals)
    if sum(approval[1] == policy_hash for approval in approvals) >= threshold:
        model.take(call.payer, model.prepaid_exit)
        effective_at = model.now + delay_days * DAY
        effective_height = model.height + BLOCKS_MIN
        started = Recovery(
            policy_hash=policy_hash,
            started_at=model.now,
            effective_at=effective_at,
            effective_height=effective_height,
            expires_at=effective_at + COMPLETE_SECONDS,
            expires_height=effective_height + BLOCKS_MIN,
        )
        found = found._replace(prepaid=model.prepaid_exit, approvals=(), recovery=(started,))
    model.guardianships[address] = found
    return [""]


def cancel_recovery(model: Model, call: Call, payload: tuple) -> list[str]:
    """ACC-8."""
    recovery = recovery_of(model, call.author)
    refuse_unless(recovery is not None and recovery.policy_hash == payload[0], "recovery.none")
    _fail(model, call.author, model.now)
    return [""]
