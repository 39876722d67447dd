"""The baseline: uvicorn with an application that reads the body and says 202, nothing else."""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

BODY = b'{"accepted":1,"dropped":0,"receipts":["00000000-0000-8000-8000-000000000000"]}'
_START = {
    "type": "http.response.start",
    "status": 202,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(BODY)),
    ],
}
_BODY = {"type": "http.response.body", "body": BODY}


async def application(_: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send(_START)
    await send(_BODY)


if __name__ == "__main__":
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_level="warning",
    )
