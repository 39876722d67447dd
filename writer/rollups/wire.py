"""What the writer and the stage's process say to each other, a line of JSON each."""

import msgspec


class Given(msgspec.Struct, frozen=True):
    """What the stage needs to know. ``answer_s``: when the database counts as hung."""

    postgres_url: str
    answer_s: float


class Told(msgspec.Struct, frozen=True):
    """How far the rollups are behind: settled commits, and the age (s) of the first commit that
    they do not hold; how long a step took (s), if one was made; what stands in its way, and where
    in the code if it is a surprise."""

    commits: int = 0
    behind_s: float = 0.0
    step_s: float | None = None
    trouble: str = ""
    trace: str = ""
