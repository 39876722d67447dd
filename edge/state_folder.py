"""The folder that edge and drain of one host share: boots, and the proof of a healthy primary."""

from shared.settings import BadSettings, EdgeSettings


def make_state_folder(settings: EdgeSettings) -> None:
    """Have it there and writable. Raises BadSettings."""
    try:
        settings.edge_state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (settings.edge_state_dir / ".writable").touch()
    except OSError as error:
        raise BadSettings(
            f"MILLRACE_EDGE_STATE_DIR: {settings.edge_state_dir} cannot be written "
            f"({error.strerror}); create it or choose another folder"
        ) from error
