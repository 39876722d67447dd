"""``python chdb_child.py FOLDER``: one statement a line in, its rows and seconds a line out.

Run by the interpreter of an environment that has chDB and need not have anything else.
"""

import json
import sys
import time

from chdb import session


def main() -> None:
    """Until its input ends. A statement is JSON text; an answer ``[rows, seconds]``."""
    asked = session.Session(sys.argv[1])
    for line in sys.stdin:
        statement = json.loads(line)
        began = time.perf_counter()
        raw = str(asked.query(statement, "JSONCompactEachRow"))
        took = time.perf_counter() - began
        print(json.dumps([[json.loads(row) for row in raw.splitlines()], took]), flush=True)


if __name__ == "__main__":
    main()
