"""The round trip to the sink and nothing else: what every client pays that waits for an answer."""

from __future__ import annotations

import subprocess
from typing import Any

from benchmarks.ground import Ground
from benchmarks.sink import Sink
from benchmarks.stats import summary

#: `python -I -c PROGRAM PORT CA`: prints the milliseconds of each request, ready-made and of the size of ten lines.
PROGRAM = """
import base64, json, socket, ssl, sys, time
context = ssl.create_default_context(cafile=sys.argv[2])
plain = socket.create_connection(("localhost", int(sys.argv[1])))
plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
connection = context.wrap_socket(plain, server_hostname="localhost")
body = json.dumps({"Records": [{"Data": base64.b64encode(b"x" * 4500).decode()}]}).encode()
head = (
    "POST / HTTP/1.1\\r\\nHost: localhost\\r\\nX-Amz-Target: Firehose_20150804.PutRecordBatch\\r\\n"
    f"Content-Length: {len(body)}\\r\\n\\r\\n"
).encode()
for _ in range(300):
    begun = time.perf_counter()
    connection.sendall(head + body)
    connection.recv(65536)
    print((time.perf_counter() - begun) * 1000)
"""


def measure(ground: Ground, rounds: int) -> dict[str, Any]:
    """Milliseconds: the medians of `rounds` processes."""
    medians = []
    for number in range(rounds):
        ground.progress(f"the round trip to the sink, round {number + 1} of {rounds}")
        with Sink(ground.authority) as sink:
            command = [str(ground.python.path), "-I", "-c", PROGRAM, str(sink.port), str(ground.folder / "ca.pem")]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        medians.append(summary([float(line) for line in done.stdout.split()])["median"])
    return {"ms": summary(medians)}
