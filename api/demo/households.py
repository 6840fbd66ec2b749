"""A wallet for each household: a phrase of its own, spelled from a fixed public seed and the household's number.

Like the demo brand's phrase, these are PUBLIC: whoever reads this can sign for every demo household. That is the point of a demo:
anybody can restore a household's wallet (`fansumer wallet restore`) and look at its points as that fan would.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final

from api.demo.journey import HouseholdId
from api.wallet.builder import Signer
from api.wallet.derivation import derive_program_seed
from api.wallet.mnemonic import Entropy, Phrase, derive_master_seed, spell_entropy
from ledger.types import ProgramId

PUBLIC_SEED: Final = b"fansumer demo household "
ENTROPY_BYTES: Final = 16
SIGNERS_REMEMBERED: Final = 4_096
"""More than the data has households: deriving one takes about 2.5 ms, nearly all of it BIP-39's stretching."""


def spell_household(household: HouseholdId) -> Phrase:
    """The twelve words of a household's wallet."""
    return spell_entropy(Entropy(sha256(PUBLIC_SEED + str(household).encode()).digest()[:ENTROPY_BYTES]))


@lru_cache(SIGNERS_REMEMBERED)
def open_household(household: HouseholdId, program: ProgramId) -> Signer:
    """The account that a household's wallet shows to `program`."""
    return Signer.of_seed(derive_program_seed(derive_master_seed(spell_household(household)), program))
