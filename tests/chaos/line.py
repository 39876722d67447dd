"""A line between two networks that loses packets: the far end is a namespace of its own.

Two TUN devices, one on this side and one on the other, and between them this process, which drops
packets by chance. TCP on both sides is the kernel's, so what it does about loss is what happens.
Devices and namespace end with the process: nothing stays behind.
"""

import asyncio
import ctypes
import fcntl
import os
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

_TUN = Path("/dev/net/tun")
_SET_TUN = 0x400454CA
_TUN_WITHOUT_HEAD = 0x0001 | 0x1000
_SET_ADDRESS, _SET_MASK, _SET_FLAGS = 0x8916, 0x891C, 0x8914
_UP = 0x0001 | 0x0040
_NEW_NETWORK = 0x40000000
_FIRST = int(IPv4Address("198.18.0.0"))  # Set apart for tests of networks.
_NETS = 2**15
_MASK = socket.inet_aton("255.255.255.252")
_MOST_AT_ONCE = 64
_PACKET_BYTES = 65_536


def obstacle() -> str:
    """Why there can be no such line here; empty when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it takes root on Linux"
    return "" if _TUN.exists() else f"there is no {_TUN}"


class Line:
    """`far` listens on the other side. `loss`: the share of packets that never arrive, each way."""

    def __init__(self, seed: int) -> None:
        """Raises OSError."""
        self.loss = 0.0
        self._random = Random(seed)
        net = _FIRST + 4 * (os.getpid() % _NETS)
        self._near = _open_tun(net + 1)
        try:
            with ThreadPoolExecutor(1) as thread:
                self._far, self.far = thread.submit(_open_far_end, net + 2).result()
        except OSError:
            os.close(self._near)
            raise

    async def start(self) -> None:
        """Packets pass while this event loop runs, until ``stop``."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._near, self._pass_on, self._near, self._far)
        loop.add_reader(self._far, self._pass_on, self._far, self._near)

    async def stop(self) -> None:
        """Both devices are gone; ``far`` is its user's to close."""
        for descriptor in (self._near, self._far):
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def _pass_on(self, from_: int, to: int) -> None:
        with suppress(BlockingIOError):
            for _ in range(_MOST_AT_ONCE):
                packet = os.read(from_, _PACKET_BYTES)
                if self._random.random() >= self.loss:
                    os.write(to, packet)


def _open_far_end(address: int) -> tuple[int, socket.socket]:
    """For a thread that then ends: it leaves the network of all others."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "no network of its own")
    device = _open_tun(address)
    listening = socket.create_server((str(IPv4Address(address)), 0))
    listening.setblocking(False)
    return device, listening


def _open_tun(address: int) -> int:
    """A device of the calling thread's network, up and with this address."""
    descriptor = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        asked = struct.pack("16sH22x", b"chaos%d", _TUN_WITHOUT_HEAD)
        name = fcntl.ioctl(descriptor, _SET_TUN, asked)[:16]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            packed = address.to_bytes(4, "big")
            fcntl.ioctl(asking, _SET_ADDRESS, _with_address(name, packed))
            fcntl.ioctl(asking, _SET_MASK, _with_address(name, _MASK))
            fcntl.ioctl(asking, _SET_FLAGS, struct.pack("16sH22x", name, _UP))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _with_address(name: bytes, address: bytes) -> bytes:
    return struct.pack("16sHH4s16x", name, socket.AF_INET, 0, address)
