"""A worker's file in its state folder, on a disk that is full or loses its power."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.batches.boot_file import BootFile, read_boots
from tests.chaos import volume
from tests.chaos.on_volume import on_volume
from tests.chaos.volume import Volume

needs_volumes = pytest.mark.skipif(bool(volume.obstacle()), reason=volume.obstacle())
MANY_RUNS = tuple((2 * n, 2 * n) for n in range(1, 200))


def end_of_child(work: Callable[[], None]) -> int:
    """Its status; 0 is well. A write through a map into a hole of a full disk would end us."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


@needs_volumes
def test_a_worker_on_a_full_disk_serves_and_has_its_file_once_there_is_room(
    tmp_path: Path,
) -> None:
    def serve(made: Volume) -> None:
        file = BootFile(made.folder, 7)
        file.write_acked(41)
        assert not list(read_boots(made.folder))
        made.clear()
        file.make()
        assert [record.last_acked for _, _, record in read_boots(made.folder)] == [41]

    def body(made: Volume) -> None:
        made.fill()
        assert end_of_child(lambda: serve(made)) == 0

    on_volume(tmp_path, body)


@needs_volumes
def test_a_disk_that_becomes_full_ends_no_worker_that_has_its_file(tmp_path: Path) -> None:
    def serve(made: Volume) -> None:
        file = BootFile(made.folder, 7)
        made.fill()
        file.write_voids(MANY_RUNS)
        assert [record.voids for _, _, record in read_boots(made.folder)] == [MANY_RUNS]

    def body(made: Volume) -> None:
        assert end_of_child(lambda: serve(made)) == 0

    on_volume(tmp_path, body)


@needs_volumes
def test_a_power_cut_leaves_the_file_of_a_worker_that_has_just_begun(tmp_path: Path) -> None:
    def body(made: Volume) -> None:
        file = BootFile(made.folder, 7)
        made.cut_power()
        file.close()
        made.restore()
        assert [(alive, record.boot) for _, alive, record in read_boots(made.folder)] == [
            (False, 7)
        ]

    on_volume(tmp_path, body)
