"""Free ports, and ports that somebody else holds."""

import socket

from infrastructure.problem import Problem


def free_ports(count: int) -> list[int]:
    """`count` distinct TCP ports that nobody on 127.0.0.1 holds right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def free_port(wanted: int) -> int:
    """`wanted` when nobody holds it, else another."""
    return free_ports(1)[0] if is_taken(wanted) else wanted


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        # As every server does it: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def check_free(wanted: dict[str, int]) -> None:
    """Problem naming the first of `wanted` (who → port) that another program holds."""
    for who, port in wanted.items():
        if is_taken(port):
            raise Problem(
                f"Port {port}, wanted for {who}, is taken by another program: "
                "stop that one, or add --free-ports to let Millrace choose others."
            )
