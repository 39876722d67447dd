"""``python -m tests.chaos --minutes N --seed S [--journal]``: exit code 1 unless all is clean."""

import argparse
import shutil
import sys
from pathlib import Path

from infrastructure.local.folders import make_scratch_folder
from tests.chaos.run import Verdict, run_chaos


def main() -> None:
    """Run it; the data and logs of a failed run are kept."""
    parser = argparse.ArgumentParser(prog="chaos")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", action="store_true")
    arguments = parser.parse_args()
    folder = make_scratch_folder("chaos")
    again = f"./run chaos --minutes {arguments.minutes:g} --seed {arguments.seed}"
    again += " --journal" if arguments.journal else ""
    try:
        verdict = run_chaos(
            arguments.seed, arguments.minutes * 60, folder, _say, journal=arguments.journal
        )
    except BaseException:
        _say(f"failed; to run it again: {again}; its logs are in {folder}")
        raise
    _tell(verdict, again, folder)
    print(verdict.account.line)
    sys.exit(not verdict.is_clean)


def _tell(verdict: Verdict, again: str, folder: Path) -> None:
    _say(f"{verdict.questions} queries, answered differently: {len(verdict.differing)}")
    if verdict.is_clean:
        shutil.rmtree(folder)
        return
    for title, named in (
        ("lost", verdict.account.lost),
        ("duplicated", verdict.account.duplicated),
        ("invented", verdict.account.invented),
        ("missing in the ledger", verdict.missing),
        ("answered differently", verdict.differing),
        ("ended by itself", verdict.surprises),
    ):
        for one in sorted(named)[:10]:
            _say(f"{title}: {one}")
    _say(f"failed; to run it again: {again}; its logs are in {folder}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
