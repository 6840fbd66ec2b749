"""Starts the product from a fresh checkout: makes the environment from the lock, then a demo chain with real purchases.

    python3 scripts/run.py               node, miner and API in one process, with the demo brand
    python3 scripts/run.py --smoke       one fan's walk over HTTP in a temporary folder, then a replay; ends by itself
    python3 scripts/run.py --port 8080   anything else goes to `fansumer up --demo`

Needs Python 3.11 or newer and, the first time, a network; nothing else.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "fansumer needs Python 3.11 or newer; this is %s. Start it as: python3.11 scripts/run.py"
        % sys.version.split()[0]
    )

import os
import subprocess

from environment import RUN, SetUpError, prepare_environment


def main(arguments: list[str]) -> int:
    """Prepare the environment, then become `fansumer up`. Returns only where a process cannot be replaced."""
    try:
        python = prepare_environment(RUN)
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    smoke = "--smoke" in arguments
    arguments = [argument for argument in arguments if argument not in ("--smoke", "--demo")]
    # -P: a folder called `api` where this was started must not stand in for ours.
    command = [str(python), "-P", "-m", "api.cli.main", "up", "--smoke" if smoke else "--demo", *arguments]
    sys.stdout.flush()
    if sys.platform != "win32":
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nstopped; start it again to finish the set-up", file=sys.stderr)
        sys.exit(130)
