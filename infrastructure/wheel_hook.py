"""Hatchling's build hook: no wheel without the tracker and the pages, and none with old ones."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndsAreBuilt(BuildHookInterface[Any]):
    """Ends the build with one sentence; an editable install may do without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before anything is packed."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from infrastructure.local.front_end_sources import PLACES, is_built

        missing = [place for place in PLACES if not is_built(Path(self.root, place))]
        if missing:
            sys.exit(
                f"Not built from their present sources: {' and '.join(missing)}. "
                "Run `./run wheel`, which builds them and then the wheel."
            )
