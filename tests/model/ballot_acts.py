"""What voters do: showing what their power rests on, voting, opening what was sealed."""

from typing import Any

from ledger.codec import unpack
from tests.model.ballots import commitment_of, power_and_age
from tests.model.campaign_records import Pledge
from tests.model.life import BRAND, FANS, NOWHERE, OWNER, PEOPLE, STRANGER, Idle, Life
from tests.model.proposals import voting_is_over
from tests.model.records import M, Refused
from tests.model.snapshots import Proof, Snapshot
from tests.model.voice_records import (
    APPROVAL,
    OPEN_BALLOTS,
    PLEDGED_TO,
    RANKED,
    SINGLE,
    Proposal,
)

PROOFS_MAX = 8
EVERYBODY = [someone.address for someone in (*FANS, STRANGER, OWNER, BRAND)]


def _keys(proposal: Proposal, snapshot: Snapshot, voter: bytes) -> list[tuple[int, bytes]]:
    """Numbers and keys of the records of a voter in a snapshot."""
    if proposal.weight[0] != PLEDGED_TO:
        key = b"M" + proposal.program + voter
        return [(0, key)] if key in snapshot.records else []
    prefix = b"P" + proposal.weight[1]
    shown: dict[bytes, Any] = {
        key: unpack(value) for key, (_, value) in snapshot.records.items() if key.startswith(prefix)
    }
    pledges = {key: Pledge(*value) for key, value in shown.items()}
    return [(int.from_bytes(key[-4:], "big"), key) for key in sorted(pledges) if pledges[key].backer == voter]


def _has_power(life: Life, proposal: Proposal, snapshot: Snapshot, voter: bytes) -> bool:
    """Whether what somebody can show gives power; now and then not asked."""
    keys = _keys(proposal, snapshot, voter)
    if not keys or life.chance(4):
        return bool(keys)
    proofs = tuple(proof for number, key in keys[:1] if (proof := snapshot.prove(number, key)))
    try:
        return power_and_age(life.model, proposal, voter, proofs)[0] > 0
    except Refused:
        return False


def _voters(life: Life, wanted: bytes) -> list[bytes]:
    """Those who can vote, and have not."""
    model = life.model
    proposal = model.proposals[wanted]
    snapshot = life.world.snapshots[proposal.snapshot_root]
    silent = [someone for someone in EVERYBODY if (wanted, someone) not in model.ballots]
    return [voter for voter in silent if _has_power(life, proposal, snapshot, voter)]


def _spoil(life: Life, proofs: list[Proof], snapshot: Snapshot) -> list[Proof]:
    """Proofs of which one does not hold, or that are not as they should be."""
    number, value, slot, path = proofs[0]
    fresh, other = life.fresh(), life.choose.choice(sorted(snapshot.records))
    faults = (
        [(number + 1, value, slot, path), *proofs[1:]],
        [(number, value, slot ^ 1, path), *proofs[1:]],
        [(number, value, len(snapshot.leaves) + slot, path), *proofs[1:]],
        [(number, value, M, path), *proofs[1:]],
        [(number, value, slot, path[:-1]), *proofs[1:]],
        [(number, value, slot, (*path, fresh)), *proofs[1:]],
        [(number, value, slot, (fresh, *path[1:])), *proofs[1:]],
        [(number, value[:-1] + bytes([value[-1] ^ 1]), slot, path), *proofs[1:]],
        [(number, value + b"\x00", slot, path), *proofs[1:]],
        [(number, b"\xc1", slot, path), *proofs[1:]],
        [proofs[0], *proofs],
        [*proofs[1:], proofs[0]],
        [snapshot.prove(number, other), *proofs[1:]],
    )
    return list(life.choose.choice(faults))[:PROOFS_MAX]


def proofs_of(life: Life, wanted: bytes, voter: bytes) -> tuple[Proof, ...]:
    """What a voter shows: mostly all that it has, now and then somebody else's, or nothing that holds."""
    choose, model = life.choose, life.model
    proposal = model.proposals.get(wanted)
    if proposal is None:
        return ((0, b"\x90", 0, ()),)
    snapshot = life.world.snapshots[proposal.snapshot_root]
    if life.chance(3):
        snapshot = life.world.snapshot
    whose = voter if life.chance(96) else choose.choice(EVERYBODY)
    keys = _keys(proposal, snapshot, whose)
    if proposal.weight[0] == PLEDGED_TO and life.chance(20):
        keys = sorted({*keys, *(found for someone in EVERYBODY for found in _keys(proposal, snapshot, someone)[:1])})
    if not keys:
        keys = [(0, key) for key in sorted(snapshot.records)[:1]]
    if life.chance(40):
        keys = keys[: choose.number(1, len(keys))]
    proofs = [proof for number, key in keys[:PROOFS_MAX] if (proof := snapshot.prove(number, key))]
    if not proofs:
        return ((0, b"\x90", 0, ()),)
    if len(proofs) > 1 and life.chance(6):
        proofs.reverse()
    return tuple(_spoil(life, proofs, snapshot) if life.chance(9) else proofs)


def choice_of(life: Life, proposal: Proposal) -> tuple[int, ...]:
    """A choice, mostly one that is allowed."""
    choose, count = life.choose, len(proposal.options)
    numbers = list(range(count))
    picked: list[int] = []
    for _ in range(1 if proposal.method == SINGLE else choose.number(1, count)):
        picked.append(numbers.pop(choose.number(0, len(numbers) - 1)))
    if proposal.method == APPROVAL:
        picked.sort()
    if life.chance(5):
        faults = (
            [count % 16],
            [picked[0], *picked],
            [*picked, picked[0]],
            [*picked, (picked[-1] + 1) % count],
            picked[::-1],
        )
        picked = list(choose.choice(faults))
        if proposal.method == RANKED and life.chance(50):
            picked = [*picked, picked[0]]
    return tuple(picked[:16])


def vote(life: Life, wanted: bytes = b"", voter: bytes = b"") -> None:
    """Cast a ballot, or seal one, as the proposal wants it."""
    choose, model = life.choose, life.model
    going_on = [name for name, found in model.proposals.items() if not voting_is_over(model, found)]
    wanted = wanted or life.some(going_on, [*model.proposals, NOWHERE], 94)
    proposal = model.proposals.get(wanted)
    if proposal is None:
        payload = (wanted, (0,), proofs_of(life, wanted, STRANGER.address))
        life.send("ballot.cast", payload, STRANGER.address)
        return
    voter = voter or life.some(_voters(life, wanted), EVERYBODY, 94)
    proofs = proofs_of(life, wanted, voter)
    choice = choice_of(life, proposal)
    mode = proposal.mode if life.chance(97) else 1 - proposal.mode
    if mode == OPEN_BALLOTS:
        life.send("ballot.cast", (wanted, choice, proofs), voter, proposal.program)
        return
    salt = life.fresh()
    commitment = commitment_of(wanted, voter, choice, salt)
    copied = [found.commitment for (of, _), found in model.ballots.items() if of == wanted]
    if copied and life.chance(3):
        commitment = choose.choice(copied) or commitment
    code, _ = life.send("ballot.commit", (wanted, commitment, proofs), voter, proposal.program)
    if code == "":
        life.ballots[wanted, voter] = (choice, salt)


def _sealed(life: Life) -> list[tuple[bytes, bytes]]:
    """Ballots that can be opened now, as far as their voters know."""
    model = life.model
    return [
        (wanted, voter)
        for (wanted, voter), found in model.ballots.items()
        if found.commitment and not found.choice and voting_is_over(model, model.proposals[wanted])
    ]


def reveal(life: Life, wanted: bytes = b"") -> None:
    """Open a ballot that was sealed; whoever has the opening may."""
    choose, model = life.choose, life.model
    likely = [name for name in _sealed(life) if wanted in (b"", name[0])]
    anything = [*model.ballots, (wanted or NOWHERE, choose.choice(EVERYBODY))]
    if wanted and not likely and life.chance(20):
        likely = [name for name in model.ballots if name[0] == wanted]
    proposal, voter = life.some(likely, anything, 95)
    if (proposal, voter) not in life.ballots and life.chance(80):
        raise Idle
    choice, salt = life.ballots.get((proposal, voter), ((0,), life.fresh()))
    if life.chance(3):
        choice, salt = choose.choice((((*choice, choice[0])[-16:], salt), (choice, life.fresh())))
    author = voter if life.chance(60) else choose.choice(PEOPLE).address
    program = model.proposals[proposal].program if proposal in model.proposals else b""
    life.send("ballot.reveal", (proposal, voter, choice, salt), author, program)
