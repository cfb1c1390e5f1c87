"""A strict Firehose: it takes what the real one takes, refuses what the real one refuses, and fails when told to.

It checks the signature (SigV4, written here from the specification, apart from the signer under test), the clock, the
headers and the limits, and it keeps what it took. A script is data: a list of `Step`, one for each PutRecordBatch that
is good.

In a test::

    with Firehose(["logs"], script=[Step("throttle"), Step("partial", [0, 2])]) as firehose:
        ...
        assert firehose.records("logs") == [b"...", ...]

By itself, for benchmarks and by hand: ``python -m tests.fakes.firehose --stream logs --script 'throttle partial:0.5'``.
It prints one JSON line with its URL and, with ``--tls``, the file to trust; ``GET /_fake/stats`` tells what it took.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import hmac
import itertools
import json
import re
import signal
import ssl
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from firetee.embedded import protocol
from firetee.embedded.protocol import Refused as Refused

from .http import Closed, Connection, Request, Server, json_body, now
from .tls import Authority

#: How far a request's clock may be off (SigV4: "within five minutes").
MAX_SKEW_S = 300.0
#: What a record is billed as: rounded up to the next 5 KB.
BILLED_STEP = 5120

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "AQoDYXdzEPT//////////wEXAMPLE=="


class Step(NamedTuple):
    """What happens to one good PutRecordBatch.

    =================  ========================  ====================================================================
    action             value                     what the client sees
    =================  ========================  ====================================================================
    ok                                           all taken
    close                                        all taken, the answer says `Connection: close`
    drop                                         all taken, then the kept connection ends without a word
    throttle                                     503 ServiceUnavailableException, nothing taken
    partial            indices, or a fraction    these (or about that part of all) are refused, the others taken
    refuse             {index: code}             these are refused with these codes, the others taken
    error              (status, code, message)   this error, nothing taken
    server_error       taken? (default False)    500 InternalFailure
    bad_gateway                                  502 with HTML from some proxy
    reset_before                                 RST, nothing taken
    reset_after                                  all taken, then RST instead of an answer
    eof_after                                    all taken, then FIN instead of an answer
    hang               seconds, or None          no answer for so long, then all taken (None: until `release`)
    slow               seconds a byte            all taken; the answer comes byte by byte
    garbage            bytes (default: noise)    all taken, and this instead of the JSON
    no_http            bytes                     all taken, and this instead of HTTP
    short                                        all taken, but the answer lacks its last entry
    truncated                                    all taken, but the connection ends in the middle of the answer
    =================  ========================  ====================================================================
    """

    action: str
    value: Any = None


OK = Step("ok")


def access_denied(stream: str = "logs") -> Step:
    who = "arn:aws:sts::123456789012:assumed-role/orders/orders"
    what = f"arn:aws:firehose:eu-west-1:123456789012:deliverystream/{stream}"
    message = f"User: {who} is not authorized to perform: firehose:PutRecordBatch on resource: {what}"
    return Step("error", (400, "AccessDeniedException", message))


EXPIRED_TOKEN = Step("error", (400, "ExpiredTokenException", "The security token included in the request is expired"))
INVALID_ARGUMENT = Step("error", (400, "InvalidArgumentException", "Records size exceeds limit"))
NOT_FOUND = Step("error", (400, "ResourceNotFoundException", "Firehose logs under account 123456789012 not found."))


def parse_script(text: str) -> list[Step]:
    """Steps from text, apart by spaces: ``throttle partial:[0,2] hang:1.5 ok*3``; a value is JSON."""
    steps: list[Step] = []
    for item in text.split():
        name, _, times = item.partition("*")
        action, _, value = name.partition(":")
        steps += [Step(action, json.loads(value) if value else None)] * int(times or 1)
    return steps


class Call(NamedTuple):
    """One PutRecordBatch that came: when (epoch seconds), how much, what became of it."""

    time: float
    stream: str
    records: int
    bytes: int  # before base64
    outcome: str  # the step's action, or the error code of a request that was not good
    taken: int
    connection: int  # which connection it came on, from 1


class Key(NamedTuple):
    """Credentials that the fake accepts."""

    secret: str
    token: str | None = None
    expires: float | None = None  # epoch seconds


class Firehose(Server):
    """The server. `keys` may be shared with a fake STS, which adds to it.

    After `script` (consumed in order, whatever the stream) each call gets `otherwise`; what `always` said for a stream
    comes before both. With `keep=False` records are counted and forgotten.
    """

    def __init__(
        self,
        streams: Iterable[str] = ("logs",),
        *,
        script: Iterable[Step] = (),
        otherwise: Step = OK,
        region: str = "eu-west-1",
        keys: dict[str, Key] | None = None,
        latency_s: float = 0.0,
        skew_s: float = 0.0,
        chunked: bool = False,
        keep: bool = True,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        idle_s: float | None = None,
        accepting: bool = True,
    ) -> None:
        super().__init__(port=port, tls=tls, idle_s=idle_s, accepting=accepting)
        self.keys = {ACCESS_KEY: Key(SECRET_KEY, TOKEN)} if keys is None else keys
        self.otherwise = otherwise
        self.latency_s = latency_s
        self.skew_s = skew_s
        self.chunked = chunked
        self.calls: list[Call] = []
        self.user_agents: list[str] = []  # of every request, in the order of their coming
        self.billed = 0
        self._region = region
        self._keep = keep
        self._script = list(script)
        self._always: dict[str, Step] = {}
        self._records: dict[str, list[bytes]] = {name: [] for name in streams}
        self._data = threading.Lock()
        self._released = threading.Event()
        self._ids = itertools.count()

    # ---- what a test says and asks -------------------------------------------------------------------------------

    def play(self, *steps: Step) -> None:
        """Add to the script."""
        with self._data:
            self._script += steps

    def heal(self) -> None:
        """Forget what is left of the script, and be healthy from now on."""
        with self._data:
            self._script.clear()
            self.otherwise = OK

    def clear(self) -> None:
        """Forget the script, what was taken and the calls."""
        with self._data:
            self._script.clear()
            self.calls.clear()
            for records in self._records.values():
                records.clear()

    def always(self, step: Step | None, stream: str) -> None:
        """From now on every call for this stream gets `step`, script or not; None ends it."""
        with self._data:
            if step is None:
                self._always.pop(stream, None)
            else:
                self._always[stream] = step

    def add_stream(self, name: str) -> None:
        with self._data:
            self._records.setdefault(name, [])

    def remove_stream(self, name: str) -> None:
        with self._data:
            del self._records[name]

    def release(self) -> None:
        """End every hang, those to come included."""
        self._released.set()

    def records(self, stream: str = "logs") -> list[bytes]:
        """What was taken for this stream, in order."""
        with self._data:
            return list(self._records[stream])

    def lines(self, stream: str = "logs") -> list[Any]:
        """The JSON lines in what was taken, gunzipped where it is gzip. Every record ends with a newline."""
        found = []
        for data in self.records(stream):
            text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            assert text.endswith(b"\n"), f"a record without a newline at the end runs into the next: {text[-50:]!r}"
            found += [json.loads(line) for line in text[:-1].split(b"\n")]
        return found

    def stop(self) -> None:
        self.stopped = True
        self._released.set()
        super().stop()

    # ---- the service ---------------------------------------------------------------------------------------------

    def handle(self, request: Request, connection: Connection) -> None:
        if request.path.startswith("/_fake/"):
            connection.reply(200, json_body(self.stats()))
            return
        stream, records = "", list[bytes]()
        try:
            self.user_agents.append(request.headers.get("user-agent", ""))
            if protocol.check_headers(request) != "PutRecordBatch":
                raise Refused(400, "UnknownOperationException", "firetee calls PutRecordBatch and nothing else")
            check_signature(request, self.keys, self._region, now() + self.skew_s)
            put = protocol.parse("PutRecordBatch", request.body)
            stream, records = put.stream, put.records
            protocol.check_limits(put)
            with self._data:
                if stream not in self._records:
                    raise Refused(400, "ResourceNotFoundException", f"Firehose {stream} under account 1 not found.")
        except Refused as refused:
            self._note(connection, stream, records, refused.code, 0)
            self._error(connection, refused.status, refused.code, refused.message)
            return
        with self._data:
            step = self._always.get(stream) or (self._script.pop(0) if self._script else self.otherwise)
        if self.latency_s:
            self.pause(self.latency_s)
        self._play(step, stream, records, connection)

    def _play(self, step: Step, stream: str, records: list[bytes], connection: Connection) -> None:
        action, value = step
        if action in ("throttle", "error", "reset_before", "bad_gateway") or (action == "server_error" and not value):
            self._note(connection, stream, records, action, 0)
            if action == "reset_before":
                connection.reset()
            elif action == "bad_gateway":
                connection.reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"})
            elif action == "throttle":
                self._error(connection, 503, "ServiceUnavailableException", "Slow down.")
            elif action == "server_error":
                self._error(connection, 500, "InternalFailure", "")
            else:
                self._error(connection, *value)
            return
        if action == "hang":
            self._note(connection, stream, records, "hanging", 0)
            self._released.wait(value)
            if self.stopped:
                raise Closed
        refused = self._refused(step, len(records))
        self._take(stream, [data for index, data in enumerate(records) if index not in refused])
        self._note(connection, stream, records, action, len(records) - len(refused))
        entries = [
            {"ErrorCode": refused[index], "ErrorMessage": "Slow down."}
            if index in refused
            else {"RecordId": f"record-{next(self._ids)}"}
            for index in range(len(records))
        ]
        if action == "short":
            entries.pop()
        body = json_body({"FailedPutCount": len(refused), "Encrypted": False, "RequestResponses": entries})
        self._answer(action, value, body, connection)

    def _answer(self, action: str, value: Any, body: bytes, connection: Connection) -> None:
        if action == "reset_after":
            connection.reset()
        elif action == "eof_after":
            connection.close()
        elif action == "server_error":
            self._error(connection, 500, "InternalFailure", "")
        elif action == "garbage":
            connection.reply(200, value if value is not None else b"\x00\xff{noise")
        elif action == "no_http":
            connection.send(value)
            connection.close()
        elif action == "truncated":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body[:-9]))
            connection.close()
        elif action == "slow":
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body):
                connection.send(bytes((byte,)))
                self.pause(value)
        else:
            headers = {"x-amzn-RequestId": "fake", **({"Connection": "close"} if action == "close" else {})}
            connection.reply(200, body, headers, chunked=self.chunked)
            if action in ("close", "drop"):
                connection.close()

    @staticmethod
    def _refused(step: Step, count: int) -> dict[int, str]:
        """The error codes of the records that this step refuses, by index."""
        if step.action == "refuse":
            return {int(index): code for index, code in step.value.items() if int(index) < count}
        if step.action != "partial":
            return {}
        fraction = isinstance(step.value, float)
        indices = range(0, count, max(1, round(1 / step.value))) if fraction else step.value
        wanted = [index for index in indices if index < count]
        codes = ("ServiceUnavailableException", "InternalFailure")
        return {index: codes[number % 2] for number, index in enumerate(wanted)}

    def _take(self, stream: str, records: list[bytes]) -> None:
        with self._data:
            self.billed += sum(-(-len(data) // BILLED_STEP) * BILLED_STEP for data in records)
            if self._keep:
                self._records[stream] += records

    def _note(self, connection: Connection, stream: str, records: Sequence[bytes], outcome: str, taken: int) -> None:
        with self._data:
            if self.calls and self.calls[-1].outcome == "hanging" and outcome == "hang":
                self.calls.pop()  # the same call, no longer hanging
            size = sum(map(len, records))
            self.calls.append(Call(now(), stream, len(records), size, outcome, taken, connection.number))
        with self.changed:
            self.changed.notify_all()

    def _error(self, connection: Connection, status: int, code: str, message: str) -> None:
        connection.reply(*protocol.error_of(Refused(status, code, message)))

    def stats(self) -> dict[str, object]:
        with self._data:
            return {
                "calls": len(self.calls),
                "records": sum(call.taken for call in self.calls),
                "bytes": sum(call.bytes for call in self.calls if call.taken),
                "billed": self.billed,
                "connections": self.connections,
                "outcomes": Counter(call.outcome for call in self.calls),
            }


def check_signature(
    request: Request, keys: Mapping[str, Key], region: str, at: float, service: str = "firehose"
) -> None:
    """Raise `Refused` unless the request is signed for `region` and `service`, by a key that is known, now.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    given = request.headers.get("authorization")
    if given is None:
        raise Refused(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/(\w+)/aws4_request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        given,
    )
    stamp = request.headers.get("x-amz-date", "")
    if match is None or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        raise Refused(400, "IncompleteSignatureException", given)
    access_key, day, its_region, its_service, names, signature = match.groups()
    key = keys.get(access_key)
    if key is None:
        raise Refused(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
    signed = names.split(";")
    demanded = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    if not demanded <= set(signed) or signed != sorted(signed):
        raise Refused(400, "InvalidSignatureException", f"must be signed: {sorted(demanded)}")
    if (its_region, its_service, day) != (region, service, stamp[:8]):
        raise Refused(400, "InvalidSignatureException", f"Credential should be scoped to {region}/{service}.")
    sent = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    if abs(sent - at) > MAX_SKEW_S:
        raise Refused(400, "InvalidSignatureException", f"Signature expired: {stamp} is not within 5 min. of now")
    canonical = canonical_request(request, signed)
    scope = f"{day}/{its_region}/{its_service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    derived = b"AWS4" + key.secret.encode()
    for part in (*scope.split("/"), text):
        derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(derived.hex(), signature):
        raise Refused(400, "InvalidSignatureException", "The request signature we calculated does not match.")
    if request.headers.get("x-amz-security-token") != key.token:
        raise Refused(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
    if key.expires is not None and key.expires < at:
        raise Refused(400, "ExpiredTokenException", "The security token included in the request is expired")


def canonical_request(request: Request, signed: Sequence[str]) -> bytes:
    url = urlsplit(request.path)
    query = sorted((quote(name, "-_.~"), quote(value, "-_.~")) for name, value in parse_qsl(url.query, True))
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    return "\n".join(
        (
            request.method,
            quote(unquote(url.path), "/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        )
    ).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="A strict fake Firehose")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stream", action="append", default=[])
    parser.add_argument("--region", default="eu-west-1")
    parser.add_argument("--access-key", default=ACCESS_KEY)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    parser.add_argument("--token", default=TOKEN, help="the session token; empty for none")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--idle-s", type=float, help="close connections that are idle for so long")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--script", type=parse_script, default=[], metavar="throttle partial:0.5 ok*3")
    parser.add_argument("--otherwise", default="ok", help="what comes after the script")
    parser.add_argument("--discard", action="store_true", help="count records and forget them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority() if given.tls else None
        fake = Firehose(
            given.stream or ["logs"],
            script=given.script,
            otherwise=parse_script(given.otherwise)[0],
            region=given.region,
            keys={given.access_key: Key(given.secret_key, given.token or None)},
            latency_s=given.latency_ms / 1000,
            keep=not given.discard,
            port=given.port,
            tls=authority.server() if authority else None,
            idle_s=given.idle_s,
        )
        started = {"url": fake.url}
        if authority is not None:
            started["ca"] = str(authority.write(Path(folder) / "ca.pem"))
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        with fake:
            sys.stdout.write(json.dumps(started) + "\n")
            sys.stdout.flush()
            ended.wait()
        sys.stdout.write(json.dumps(fake.stats()) + "\n")


if __name__ == "__main__":
    main()
