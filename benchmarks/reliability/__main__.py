"""One proof by name; its figures as JSON."""

import argparse
import sys
import tempfile
from pathlib import Path

import orjson

from benchmarks.reliability.databases import KINDS
from benchmarks.reliability.full import full
from benchmarks.reliability.kills import kills
from benchmarks.reliability.load import load
from benchmarks.reliability.outage import outage
from benchmarks.reliability.pair import pair

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from bundles import bundle


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("proof", choices=("kills", "outage", "full", "pair", "load"))
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--rounds", type=int, default=200, help="kills")
    parser.add_argument("--seconds", type=float, default=30.0, help="outage, pair, load")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two moves of the champion (load)")
    given = parser.parse_args()
    both = (bundle(), bundle(-2.0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {
            "kills": lambda: kills(given.database, folder, both[0], given.rounds),
            "outage": lambda: outage(folder, both[0], given.seconds),
            "full": lambda: full(folder, both[0]),
            "pair": lambda: pair(given.database, folder, both, given.seconds),
            "load": lambda: load(given.database, folder, both, given.seconds, given.every),
        }[given.proof]()
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
