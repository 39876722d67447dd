"""What a job opens for itself: it runs in a fork, where no connection may be shared."""

import os

from shared.settings import JobsSettings, load


def job_settings() -> JobsSettings:
    """The settings of the jobs worker, whose environment a job inherits."""
    return load(JobsSettings, os.environ)
