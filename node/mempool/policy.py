"""What this node takes in while transactions wait. Each node's own choice, unlike the law."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    """Bounds of the pool.

    `weight_max`: two full blocks, since every new tip applies all of it again. `author_count_max`: one author's transactions, so
    that nobody fills the pool alone (a brand's tills are authors of their own). `replacement_percent`: what a replacement must pay
    of the old fee. `reapplied_weight_max`: what replacements, and newcomers that turn out not to fit, may make this node apply
    again between two blocks (four full pools). `dropped_remembered`: transactions whose end is remembered for those who ask.
    """

    weight_max: int = 16_000_000
    author_count_max: int = 2_000
    replacement_percent: int = 110
    reapplied_weight_max: int = 64_000_000
    dropped_remembered: int = 20_000
