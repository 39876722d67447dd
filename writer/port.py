"""The ops port, taken before anything else starts, so that a taken one is said plainly."""

import socket


class PortTaken(Exception):
    """Somebody else listens there; the message says what to do."""


def take_port(host: str, port: int, setting: str) -> socket.socket:
    """A bound socket. Raises PortTaken."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen()
    except OSError as error:
        taken.close()
        raise PortTaken(
            f"Port {port} is taken or not allowed: set {setting} to another."
        ) from error
    return taken
