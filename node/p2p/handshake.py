"""Who is there: both sides say which chain and which key, and sign what the other made up (spec NET-4)."""

from dataclasses import dataclass, field

from ledger import keys
from ledger.codec import pack
from ledger.errors import Code
from ledger.hashing import tagged_hash
from ledger.types import ChainId, PrivateSeed, PublicKey
from node.errors import NodeError
from node.p2p.messages import Hello, Message, Proof

VERSION_MIN, VERSION = 1, 1
PROOF = tagged_hash("fansumer/p2p-proof")
DIALLED, TAKEN = 0, 1
"""The role of the side that dialled, and of the other."""

OTHER_VERSION = Code(
    "p2p.version", "it speaks the versions {found}, this node {known}", "Update the older of the two nodes."
)
WRONG_NETWORK = Code(
    "p2p.other_chain",
    "it is a node of the chain {found}, this one of {expected}",
    "Name a peer of the same network; a private chain needs the same params file on both sides.",
)
SELF = Code("p2p.self", "it is this node itself", "Nothing: an address of this node was dialled.")
OTHER_KEY = Code(
    "p2p.other_key",
    "it is another node than the one that was named",
    "Ask who runs it for its node key (`fansumer node status`); somebody may stand between.",
)
BAD_KEY = Code("p2p.key", "its key is not one that can sign", "The peer is broken; leave it.")
BAD_PROOF = Code("p2p.proof", "it does not hold the key that it named", "Somebody else answers at that address.")
OUT_OF_PLACE = Code("p2p.place", "{message} does not belong here", "The peer is broken; leave it.")


@dataclass(frozen=True, slots=True)
class Identity:
    """This node among others: its key, its chain, where it takes connections (port 0: nowhere), how it calls itself.

    `blocks_from`: from which height on it has the blocks of its chain; 0 for all.
    """

    seed: PrivateSeed = field(repr=False)
    chain_id: ChainId
    listen_port: int = 0
    agent: str = ""
    blocks_from: int = 0
    key: PublicKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", keys.public_key_of(self.seed))


class Handshake:
    """One side of one handshake. `theirs` is what the other said, `is_done` whether it proved it."""

    def __init__(self, identity: Identity, challenge: bytes, *, is_dialled: bool, channel: bytes = b"") -> None:
        """`channel`: which channel the handshake belongs to (spec NET-4); empty where it is not encrypted."""
        assert len(challenge) == 32, "a challenge has 32 bytes"
        self._channel = channel
        self._identity = identity
        self._key = identity.key
        self._challenge = challenge
        self._role = DIALLED if is_dialled else TAKEN
        self.theirs: Hello | None = None
        self.is_done = False

    def hello(self) -> Hello:
        """What is sent first."""
        who = self._identity
        return Hello(
            VERSION_MIN, VERSION, who.chain_id, self._key, self._challenge, who.listen_port, who.agent, who.blocks_from
        )

    def receive(self, message: Message) -> Proof | None:
        """Take the other's next message; what is to be sent back, if anything. Raises `NodeError` with why to close."""
        if isinstance(message, Hello) and self.theirs is None:
            self._check(message)
            self.theirs = message
            signed = self._signed(self._role, self._key, message.node_key, self._challenge, message.challenge)
            return Proof(keys.sign(self._identity.seed, signed))
        if isinstance(message, Proof) and self.theirs is not None and not self.is_done:
            self._check_proof(message, self.theirs)
            self.is_done = True
            return None
        raise NodeError(OUT_OF_PLACE, message=type(message).__name__)

    def _check(self, hello: Hello) -> None:
        """The checks of NET-4 that need nobody else, in their order."""
        if hello.version < VERSION_MIN or hello.version_min > VERSION or hello.version_min > hello.version:
            found, known = f"{hello.version_min}..{hello.version}", f"{VERSION_MIN}..{VERSION}"
            raise NodeError(OTHER_VERSION, found=found, known=known)
        if hello.chain_id != self._identity.chain_id:
            raise NodeError(WRONG_NETWORK, found=hello.chain_id[::-1], expected=self._identity.chain_id[::-1])
        if hello.node_key == self._key:
            raise NodeError(SELF)
        if not keys.public_key_is_strict(hello.node_key):
            raise NodeError(BAD_KEY)

    def _check_proof(self, proof: Proof, theirs: Hello) -> None:
        role = TAKEN if self._role == DIALLED else DIALLED
        signed = self._signed(role, theirs.node_key, self._key, theirs.challenge, self._challenge)
        if not keys.verify(theirs.node_key, signed, proof.signature):
            raise NodeError(BAD_PROOF)

    def _signed(self, role: int, own: bytes, others: bytes, challenge: bytes, others_challenge: bytes) -> bytes:
        return PROOF(pack((self._identity.chain_id, role, own, others, challenge, others_challenge, self._channel)))
