"""What became of the lines and of the events sent for them."""

from collections import Counter
from dataclasses import dataclass, field

from infrastructure.replay.counting import SENT, Verdict


@dataclass
class Tally:
    """``lines`` by verdict, ``statuses`` of the error lines, ``faults`` of the edge by code.

    ``taken``: events that the edge took, ``dropped`` those of them that it left out on purpose.
    ``first_unreadable`` says where the first unreadable line stands.
    """

    lines: Counter[Verdict] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    dropped: int = 0
    first_unreadable: str = ""
    cut_short: list[str] = field(default_factory=list)

    @property
    def to_send(self) -> int:
        return sum(self.lines[verdict] for verdict in SENT)

    @property
    def refused(self) -> int:
        return self.faults.total()

    @property
    def unsent(self) -> int:
        """Events that the edge neither took nor refused."""
        return self.to_send - self.taken - self.refused

    @property
    def is_complete(self) -> bool:
        return not (self.unsent or self.refused or self.cut_short)
