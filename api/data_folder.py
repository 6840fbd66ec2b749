"""Where this system keeps a person's data of this program: wallets, books, chains."""

import os
from pathlib import Path
from typing import Final

import platformdirs

HOME_VARIABLE: Final = "FANSUMER_HOME"


def data_folder() -> Path:
    """The folder of a person's data; FANSUMER_HOME names another place."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("fansumer", appauthor=False)
