"""Records of missions and contributions, and the slip that both sides of a contribution sign (spec MIS-2)."""

from dataclasses import dataclass
from typing import Annotated

from ledger import keys
from ledger.codec import pack, unpack
from ledger.domains.loyalty.shapes import COIN, PAYER, TIME
from ledger.errors import Code, RuleViolation
from ledger.hashing import CONTRIBUTION, CONTRIBUTION_SIGNATURE
from ledger.schema import Integer, Octets, OptionalIdentifier, Struct, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    Address,
    Amount,
    ChainId,
    ContributionId,
    Hash,
    MissionId,
    PrivateSeed,
    ProgramId,
    PublicKey,
    RecordKey,
    Signature,
    Timestamp,
)

NO_MISSION = Code(
    "mission.unknown", "there is no mission {mission}", "List a program's with `fansumer chain missions`."
)
NO_CONTRIBUTION = Code(
    "contribution.unknown", "no contribution {contribution} is on record", "The fan records it with the issuer's slip."
)

SLIP_VERSION = 1
SLIP_BYTES_MAX = 1_024
PLACES = Integer(0, 2**31 - 1)

# What a contribution was (spec MIS-2).
TESTING = 0
TRANSLATING = 1
IDEA = 2
SUPPORTING = 3
ROLE = Integer(TESTING, SUPPORTING)
ROLE_NAMES = ("testing", "translating", "idea", "supporting")
"""How people write the roles."""


@dataclass(frozen=True, slots=True)
class Mission:
    """What a brand asks fans to help with, until when, and how many contributions it takes: `places` 0 is no limit."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    title: Annotated[str, Text(1, 128)]
    text: Annotated[Hash, identifier()]
    until: Annotated[Timestamp, TIME]
    places: Annotated[int, PLACES]
    taken: Annotated[int, PLACES]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a fan did, by its own word and the issuer's. `product` is the campaign or reward that came of it, once credited."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    fan: Annotated[Address, identifier()]
    mission: Annotated[MissionId, OptionalIdentifier()]
    role: Annotated[int, ROLE]
    work: Annotated[Hash, identifier()]
    issuer: Annotated[Address, identifier()]
    worked_at: Annotated[Timestamp, TIME]
    recorded_at: Annotated[Timestamp, TIME]
    credited_at: Annotated[Timestamp, TIME]
    product: Annotated[Hash, OptionalIdentifier()]


@dataclass(frozen=True, slots=True)
class ContributionSlip:
    """What the issuer says of a fan's work, off chain until the fan records it. `work` is a hash; `mission` may be empty."""

    version: Annotated[int, Integer(SLIP_VERSION, SLIP_VERSION)]
    program: Annotated[ProgramId, identifier()]
    fan: Annotated[Address, identifier()]
    mission: Annotated[MissionId, OptionalIdentifier()]
    role: Annotated[int, ROLE]
    work: Annotated[Hash, identifier()]
    issuer: Annotated[PublicKey, Octets(32, 32)]
    time: Annotated[Timestamp, TIME]
    salt: Annotated[bytes, Octets(32, 32)]


SLIP = Struct(ContributionSlip)


@dataclass(frozen=True, slots=True)
class SignedSlip:
    """A slip with the issuer's signature, as the fan gets it."""

    slip: Annotated[ContributionSlip, SLIP]
    signature: Annotated[Signature, Octets(64, 64)]


SIGNED_SLIP = Struct(SignedSlip)

MISSIONS = Table(b"m", Mission)
CONTRIBUTIONS = Table(b"c", Contribution)


def mission_key(mission: MissionId) -> RecordKey:
    """`m` + mission."""
    return RecordKey(b"m" + mission)


def contribution_key(contribution: ContributionId) -> RecordKey:
    """`c` + contribution."""
    return RecordKey(b"c" + contribution)


def contribution_id_of(slip: ContributionSlip) -> ContributionId:
    """`CONTRIBUTION(canonical bytes of the slip)`: known before it is recorded, so that no slip is recorded twice."""
    return ContributionId(CONTRIBUTION(pack(SLIP.encode(slip))))


def slip_signing_hash(chain_id: ChainId, slip: ContributionSlip) -> Hash:
    """What the issuer signs: `CONTRIBUTION_SIGNATURE(chain id ‖ contribution id)`."""
    return CONTRIBUTION_SIGNATURE(chain_id + contribution_id_of(slip))


def sign_slip(slip: ContributionSlip, chain_id: ChainId, seed: PrivateSeed) -> SignedSlip:
    """Sign as the issuer whose private seed is given."""
    return SignedSlip(slip, keys.sign(seed, slip_signing_hash(chain_id, slip)))


def slip_is_signed(signed: SignedSlip, chain_id: ChainId) -> bool:
    """Whether the issuer that the slip names signed it for this chain."""
    return keys.verify(signed.slip.issuer, slip_signing_hash(chain_id, signed.slip), signed.signature)


def encode_slip(signed: SignedSlip) -> bytes:
    """The canonical bytes of a signed slip."""
    return pack(SIGNED_SLIP.encode(signed))


def decode_slip(data: bytes) -> SignedSlip:
    """Read a signed slip. Raises `Malformed`."""
    return SIGNED_SLIP.decode(unpack(data, bytes_max=SLIP_BYTES_MAX), "slip")


def load_mission(view: RuleView, mission: MissionId) -> Mission:
    """The mission, or `mission.unknown`."""
    found: Mission | None = view.get(mission_key(mission))
    if found is None:
        raise RuleViolation(NO_MISSION, mission=mission)
    return found


def load_contribution(view: RuleView, contribution: ContributionId) -> Contribution:
    """The contribution, or `contribution.unknown`."""
    found: Contribution | None = view.get(contribution_key(contribution))
    if found is None:
        raise RuleViolation(NO_CONTRIBUTION, contribution=contribution)
    return found
