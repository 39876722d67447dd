"""The disks and the line that the suite breaks, where root can make them."""

import errno
import os
from pathlib import Path

import anyio
import pytest

from tests.chaos import line, volume
from tests.chaos.line import Line
from tests.chaos.on_volume import on_volume
from tests.chaos.proxy import Proxy
from tests.chaos.volume import Volume

WITHIN_S = 60.0
needs_volumes = pytest.mark.skipif(bool(volume.obstacle()), reason=volume.obstacle())
needs_line = pytest.mark.skipif(bool(line.obstacle()), reason=line.obstacle())


@needs_volumes
def test_a_power_cut_takes_what_was_not_fsynced_and_nothing_else(tmp_path: Path) -> None:
    def body(made: Volume) -> None:
        with (made.folder / "log").open("ab", buffering=0) as file:
            file.write(b"safe")
            os.fsync(file.fileno())
            file.write(b"gone")
            made.cut_power()
            with pytest.raises(OSError):  # noqa: PT011
                os.fsync(file.fileno())
        made.restore()
        assert (made.folder / "log").read_bytes() == b"safe"

    on_volume(tmp_path, body)


@needs_volumes
def test_a_full_disk_takes_no_byte_until_it_is_cleared(tmp_path: Path) -> None:
    def body(made: Volume) -> None:
        made.fill()
        with pytest.raises(OSError) as refused:  # noqa: PT011
            (made.folder / "log").write_bytes(b"word")
        assert refused.value.errno == errno.ENOSPC
        made.clear()
        (made.folder / "log").write_bytes(b"word")

    on_volume(tmp_path, body)


@needs_volumes
def test_a_disk_that_was_cleared_is_not_full_again_after_a_power_cut(tmp_path: Path) -> None:
    def body(made: Volume) -> None:
        made.fill()
        os.sync()
        made.clear()
        made.cut_power()
        made.restore()
        (made.folder / "log").write_bytes(b"word" * 1_000)

    on_volume(tmp_path, body)


@needs_volumes
def test_logs_outlive_their_volume(tmp_path: Path) -> None:
    on_volume(tmp_path, lambda made: (made.folder / "redis.log").write_text("words"))
    assert (tmp_path / "image-redis.log").read_text() == "words"


@needs_line
@pytest.mark.anyio
@pytest.mark.parametrize("loss", [0.0, 0.1])
async def test_tcp_gets_words_through_a_line_that_loses_packets(loss: float) -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as there:
        lossy = Line(1)
        lossy.loss = loss
        await lossy.start()
        proxy = Proxy(there.extra(anyio.abc.SocketAttribute.local_port), lossy.far)
        await proxy.start()
        words = b"word" * 5_000
        with anyio.fail_after(WITHIN_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(there.serve, echo)
                assert await said_back(proxy, words) == words
                tasks.cancel_scope.cancel()
        await proxy.stop()
        await lossy.stop()


@needs_line
@pytest.mark.anyio
async def test_nothing_passes_a_line_that_loses_everything() -> None:
    lossy = Line(1)
    lossy.loss = 1.0
    await lossy.start()
    host, port = lossy.far.getsockname()
    with anyio.move_on_after(0.5) as tried:
        await anyio.connect_tcp(host, port)
    assert tried.cancelled_caught
    await lossy.stop()
    lossy.far.close()


async def echo(stream: anyio.abc.SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def said_back(proxy: Proxy, words: bytes) -> bytes:
    async with await anyio.connect_tcp(proxy.host, proxy.port) as stream:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, words)
            heard = b""
            while len(heard) < len(words):
                heard += await stream.receive()
        return heard
