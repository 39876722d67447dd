"""A small disk of a server's own, which can be full, and whose power can be cut.

It is an ext4 on a loop device. The call that file systems have for tests of their own journal stops
every write to the device at once: after that and a new mount only what was fsynced is there, and
what the kernel happened to have written by itself. Mounted in a namespace that ends with this
process, however it ends: nothing stays behind but the image in its folder.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

_SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_LOG = struct.pack("I", 2)
_NEW_MOUNTS = 0x00020000
_UNMOUNT_WITHIN_S = 60.0
_UNMOUNT_EVERY_S = 0.05
_BLOCK_BYTES = 1_024
_FILLER = "filler"


def obstacle() -> str:
    """Why there can be no volumes here; empty when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it takes root on Linux"
    missing = [name for name in ("mke2fs", "mount", "umount") if shutil.which(name) is None]
    if missing:
        return f"{missing[0]} is not installed"
    return "" if Path("/dev/loop-control").exists() else "there are no loop devices"


def keep_mounts_private() -> None:
    """From now on no other process sees what this thread and its children mount. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "no mount namespace of our own")
    _run("mount", "--make-rprivate", "/")


class Volume:
    """Of `max_bytes`, mounted at `folder` from `make` to `remove`."""

    def __init__(self, image: Path, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._image = image
        self._max_bytes = max_bytes

    def make(self) -> None:
        """Empty, and mounted. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(self._max_bytes)
        # No share is kept for root, who fills it.
        _run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", str(self._image))
        self._mount()

    def remove(self) -> None:
        """All but its logs, which are put beside where the image was. Raises OSError when somebody
        keeps a file in it open."""
        for log in self.folder.glob("*.log"):
            shutil.copy(log, self._image.with_name(f"{self._image.name}-{log.name}"))
        self._unmount()
        self._image.unlink()

    def fill(self) -> None:
        """To the last block, until `clear`."""
        descriptor = os.open(self.folder / _FILLER, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            _take_all(descriptor, self._max_bytes)
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """There is space again."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def cut_power(self) -> None:
        """Whoever still runs gets errors; end them, then `restore`."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUT_DOWN, _WITHOUT_LOG)
        finally:
            os.close(descriptor)

    def restore(self) -> None:
        """Mounted as after a power cut. Raises OSError when somebody keeps a file open."""
        self._unmount()
        self._mount()
        # That the disk was cleared may not have reached it.
        self.clear()

    def _mount(self) -> None:
        _run("mount", "-o", "loop,noatime", str(self._image), str(self.folder))

    def _unmount(self) -> None:
        # Processes that were killed let go of their files a little later.
        deadline = time.monotonic() + _UNMOUNT_WITHIN_S
        while True:
            try:
                _run("umount", str(self.folder))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_UNMOUNT_EVERY_S)
            else:
                return


def _take_all(descriptor: int, step: int) -> None:
    """By ever smaller steps."""
    while step >= _BLOCK_BYTES:
        try:
            os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, step)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            step //= 2


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise OSError(f"{command[0]}: {ran.stderr.strip()}")
