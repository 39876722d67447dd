"""What stands in the way of a command, said to the person who typed it."""


class Problem(Exception):
    """One sentence: what is wrong and what to do about it. Ends the command, exit code 1."""
