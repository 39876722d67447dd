"""``python -m edge``: the workers and their supervisor."""

import os
import sys

from edge.servers.link import read_address
from edge.state_folder import make_state_folder
from edge.supervisor import CannotListen, EdgeServer
from shared.keys import read_public_key, read_verify_key
from shared.logs import set_up_logs
from shared.settings import BadSettings, EdgeSettings, load


def main() -> None:
    """Serve until told to stop; exit code 1 and one sentence when that cannot be begun."""
    try:
        settings = load(EdgeSettings, os.environ)
        _check(settings)
        set_up_logs(settings.log_level, settings.log_format)
        EdgeServer(settings).run()
    except (BadSettings, CannotListen) as error:
        sys.exit(str(error))


def _check(settings: EdgeSettings) -> None:
    for name, read, value in (
        ("MILLRACE_CORE_VERIFY_KEY", read_verify_key, settings.core_verify_key),
        ("MILLRACE_SEAL_PUBLIC_KEY", read_public_key, settings.seal_public_key),
        ("MILLRACE_PRIMARY_URL", read_address, settings.primary_url),
        ("MILLRACE_SPOOL_URL", read_address, settings.spool_url),
    ):
        try:
            read(value)
        except Exception as error:
            raise BadSettings(f"{name} cannot be read: {type(error).__name__}") from error
    make_state_folder(settings)


if __name__ == "__main__":
    main()
