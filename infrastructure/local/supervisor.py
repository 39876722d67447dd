"""The process behind `up`: starts the product, keeps it running, ends it when told to."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

from infrastructure.local.folders import state_folder
from infrastructure.local.installation import open_installation
from infrastructure.local.post import Post
from infrastructure.local.product import Product, make_product
from infrastructure.local.stack import local_stack
from infrastructure.manifest import read_manifest
from infrastructure.problem import Problem
from shared.logs import set_up_logs
from shared.settings import BadSettings

PURPOSE = "up"
_log = logging.getLogger("supervisor")
_LOOK_EVERY_S = 1.0


class _Told(Exception):
    """SIGTERM or SIGINT has come."""


def supervise(folder: Path, *, free_ports: bool) -> None:
    """Run the product until SIGTERM or SIGINT; services that end are started again."""
    with Post(folder).held():
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, _tell)
        try:
            with _product(folder, free_ports) as product:
                _keep_running(product)
        except _Told:
            return


def _product(folder: Path, free_ports: bool) -> Product:
    manifest = read_manifest()
    installation = open_installation(folder, manifest, os.environ, free=free_ports)
    stack = local_stack(folder, installation.stack, os.environ)
    return make_product(folder, installation, stack, changes=given_settings(), manifest=manifest)


def given_settings() -> dict[str, str]:
    """What the user has set wins over what was made up here."""
    known = {name for entry in read_manifest().services for name in entry.reads}
    return {name: value for name, value in os.environ.items() if name in known}


def _keep_running(product: Product) -> None:
    while True:
        for name in product.stack.start_ended():
            _log.warning("the %s had ended and was started again", name)
        for service in product.services.start_ended():
            _log.warning("the %s had ended and was started again", service.name)
        time.sleep(_LOOK_EVERY_S)


def _tell(*_: object) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise _Told


def main() -> None:
    set_up_logs("info", "auto")
    try:
        supervise(state_folder(PURPOSE), free_ports="--free-ports" in sys.argv)
    except (Problem, BadSettings) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
