"""What an operator types before a verb, where this stands: a checkout, or an installation."""

from pathlib import Path

IN_CHECKOUT = (Path(__file__).resolve().parents[1] / "run").is_file()
PROGRAM = "./run" if IN_CHECKOUT else "millrace"
