"""The logs of what runs from a checkout, read as one."""
