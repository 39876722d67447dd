"""How somebody at another machine reaches what listens on this one's loopback."""

import getpass
import socket
from collections.abc import Mapping, Sequence

_SSH_PORT = "22"


def ssh_line(ports: Sequence[int], environment: Mapping[str, str]) -> str:
    """What to type there; the same ports, because browsers compare addresses with them."""
    *_, host, port = environment.get("SSH_CONNECTION", "").split() or (
        socket.gethostname(),
        _SSH_PORT,
    )
    forwards = " ".join(f"-L {each}:127.0.0.1:{each}" for each in ports)
    login = f"{getpass.getuser()}@{host}"
    return f"ssh -N {forwards} {login}" + ("" if port == _SSH_PORT else f" -p {port}")
