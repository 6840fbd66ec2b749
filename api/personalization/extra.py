"""The packages of the extra `personalization`, asked for before they are imported where they are used."""

import importlib.util
from typing import Final

from api.personalization.errors import EXTRA_MISSING, PersonalizationError

PACKAGES: Final = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pyarrow": "pyarrow",
    "sklearn": "scikit-learn",
    "lightgbm": "lightgbm",
    "duckdb": "duckdb",
    "ibis": "ibis-framework",
}


SERVING: Final = ("numpy",)
"""Of them, what a node needs to answer by models that were trained elsewhere."""


def require_extra() -> None:
    """Raise PersonalizationError personalization.extra_missing where a package is not installed; nothing is imported."""
    for module, package in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise PersonalizationError(EXTRA_MISSING, package=package)


def require_serving() -> None:
    """The same for what models are asked with."""
    for module in SERVING:
        if importlib.util.find_spec(module) is None:
            raise PersonalizationError(EXTRA_MISSING, package=PACKAGES.get(module, module))
