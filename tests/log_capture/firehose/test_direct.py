"""What only the light client promises: nothing of it is to be seen in the function, and it costs next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.firehose import Firehose
from tests.fakes.tls import Authority
from tests.log_capture.clients import environ_for

ROOT = Path(__file__).parents[3]

#: What the client may add to an interpreter: C modules of Python's own.
ALLOWED = {
    *("_socket", "_ssl", "_hashlib", "_struct", "_json"),
    *("binascii", "errno", "fcntl", "json", "select", "struct", "zlib"),
}

PROGRAM = """
import json, sys, time, warnings
import __future__, collections, functools, os, re  # in every runtime already
before = set(sys.modules)
filters, meta_path = list(warnings.filters), list(sys.meta_path)
from log_capture.firehose.choose import make_client
environ = json.loads(sys.argv[1])
client = make_client("logs", environ=environ)
client.warm_up()
assert client.put("logs", [b"line\\n"], time.monotonic() + 20) == [None]
client.close()
assert (warnings.filters, sys.meta_path) == (filters, meta_path)
added = {name for name in set(sys.modules) - before if not name.startswith("log_capture")}
print(json.dumps(sorted(added)))
"""


def test_the_function_finds_no_module_of_ours_and_none_that_it_could_miss(tmp_path: Path) -> None:
    """`ssl`, `socket`, `http` and `hashlib` too stay out: a function that patches them finds them untouched."""
    authority = Authority()
    with Firehose(tls=authority.server()) as fake:
        environ = environ_for(fake, AWS_CA_BUNDLE=str(authority.write(tmp_path / "ca.pem")))
        done = subprocess.run(
            [sys.executable, "-S", "-W", "error", "-c", PROGRAM, json.dumps(environ)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    added = {name for name in json.loads(done.stdout) if name.partition(".")[0] not in ALLOWED}
    assert not added
