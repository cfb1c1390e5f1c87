"""Lines to what is sent: one envelope a line (``json``) or the line alone (``text``). Pure.

The envelope, in this order, ended by one newline; what is not known is absent::

    {"time":"2026-11-23T13:50:32.480123Z","type":"function","record":"order 17 accepted","stream":"stdout",
     "level":"INFO","requestId":...,"traceId":...,"spanId":...,"sampled":true,"xrayTraceId":...,
     "invocationId":...,"tenantId":...,"coldStart":true,"function":...,"version":...,"environment":...,"tags":{...},"seq":42,"part":[1,3]}

No JSON encoder runs per line: most of an envelope is the same from line to line and put together once, and
the text is copied as it is when nothing in it needs an escape. Text is UTF-8, not ASCII; a lone surrogate is
sent as its JSON escape.
"""

from __future__ import annotations

from json.encoder import encode_basestring
from time import gmtime

from .jsonline import parse
from .levels import level_of_record, level_of_text
from .limits import MAX_RECORD_BYTES
from .runtime_text import error_of, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .filters import Filters
    from .lines import Line

#: Kinds whose text is a line that somebody wrote. The text of every other kind is a JSON object made here.
WRITTEN = frozenset(("function", "extension"))

#: The envelope's type of a line in CloudWatch's embedded metric format.
METRICS = "function.emf"

#: Events that are told only when something is wrong, and those that tell how something ended.
_TROUBLE = frozenset(("firetee.timeoutWarning", "firetee.processDied", "platform.logsDropped"))
_ENDS = frozenset(("platform.initRuntimeDone", "platform.runtimeDone", "platform.restoreRuntimeDone"))

#: What must be escaped in a JSON string (RFC 8259, section 7), and what of it is rare, as tables for `bytes.translate`:
#: it returns the very same object if nothing is marked, in a fifth of the time that a search by `re` takes.
_MARK_ESCAPED = bytes.maketrans(bytes(range(32)) + b'"\\', b"\xff" * 34)
_MARK_RARE = bytes.maketrans(bytes(range(9)) + bytes(range(11, 32)), b"\xff" * 30)  # all but tab and newline

#: First characters of a line that may be a JSON object.
_MAY_BEGIN_OBJECT = frozenset("{ \t\r\n")

#: Shapes kept: one per invocation, stream and level; a choice that bounds memory.
_MAX_SHAPES = 32

#: An error that is taken apart is in its envelope twice, and a character may be six bytes: a choice, so that it fits.
_ERROR_GROWS = 16

#: Room for ``,"part":[k,n]`` and the digits of seq in a part; a choice (8 + 2 * 10 + 3 + 20 at most).
_PART_BYTES = 64


def context_fragment(
    request_id: str | None,
    trace: Mapping[str, str | bool] | None,
    tenant_id: str | None,
    cold_start: bool,
) -> str:
    """The fields that are the same throughout one invocation, each with a comma before it; maybe empty.

    `trace` are fields by name: the ids of its trace and of its attempt.
    """
    fields = {"requestId": request_id, **(trace or {}), "tenantId": tenant_id, "coldStart": cold_start or None}
    return "".join(f',"{key}":{_json(value)}' for key, value in fields.items() if value is not None and value != "")


def _json(value: str | bool) -> str:
    return encode_basestring(value) if isinstance(value, str) else "true" if value else "false"


class Renderer:
    """Renders lines; one thread may use it. `max_bytes` bounds each element it makes, newline included."""

    def __init__(
        self,
        *,
        format: str,  # noqa: A002 - named as its setting
        environment: str,
        function: str | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        parse_json: bool = True,
        filters: Filters | None = None,
        max_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        """`format` is ``json`` or ``text``."""
        self._max_bytes = max_bytes
        self._parse_json = parse_json
        self._filters = filters
        self._shapes: dict[tuple[str, str | None, str | None, str, bool], tuple[bytes, bytes]] = {}
        self._second_us = -1_000_000  # the second that `_second_text` is the text of
        self._second_text = b""
        self._seconds_at = -1  # the second that `_seconds` are the text of, with the one before
        self._seconds = ("", "")
        self._tail = _tail(function, version, environment, tags)
        self._render = self._render_json if format == "json" else self._render_text
        #: Failures are collected here, too, as they are sent: set by who wants them.
        self.failures: list[bytes] | None = None

    def render_many(self, lines: Iterable[Line], seq: int, out: list[bytes]) -> int:
        """Append to `out` one element for each line that is sent (for a too long line one for each part).

        The first has the number `seq`, each next one the next number; the number after the last is returned.
        So the count of elements appended is the difference, and the same lines with the same `seq` give the
        same bytes.
        """
        return self._render(lines, seq, out)

    def _render_json(self, lines: Iterable[Line], seq: int, out: list[bytes]) -> int:
        # Everything below that looks clumsy is there because this loop runs for each line of a function: names are
        # local, what was the same in the line before is not looked up again (`is` spares hashing a tuple), and a text
        # is escaped only if it must be.
        append = out.append
        failures = self.failures
        shapes = self._shapes
        max_bytes = self._max_bytes
        parse_json = self._parse_json
        plain = self._filters is None
        second_us = self._second_us
        second_text = self._second_text
        head = tail = b""
        last_kind = last_stream = last_level = last_context = last_is_object = None
        for time_us, kind, stream, level, text, context in lines:
            is_object = kind not in WRITTEN
            if not is_object and (
                not plain
                or (parse_json and "{" in text and text[0] in _MAY_BEGIN_OBJECT)  # few texts have a brace anywhere
                or (level is None and stream == "log")
            ):
                understood = self._understand(stream, level, text)
                if understood is None:
                    continue
                text, level, is_object, is_metrics = understood
                if is_metrics and kind == "function":
                    kind = METRICS
            if stream == "log" and not is_object and text[:1] == "[":
                text, level, is_object = self._take_apart(time_us, text, level, context)
            if is_object and ("\n" in text or "\r" in text):
                text = _on_one_line(text)
            micros = time_us - second_us
            if not 0 <= micros < 1_000_000:
                second, micros = divmod(time_us, 1_000_000)
                second_text = self._second_text = _second_text(second)
                second_us = self._second_us = time_us - micros
            if (
                context is not last_context
                or stream is not last_stream
                or level is not last_level
                or kind is not last_kind
                or is_object is not last_is_object
            ):
                try:
                    head, tail = shapes[kind, stream, level, context, is_object]
                except KeyError:
                    head, tail = self._shape(kind, stream, level, context, is_object)
                last_kind, last_stream, last_level, last_context = kind, stream, level, context
                last_is_object = is_object
            try:
                body = text.encode()
            except UnicodeEncodeError:
                body = _bytes(text) if is_object else _quoted_bytes(text)
            else:
                # The runtime's text format has tabs, so with a frame there is no use in looking whether it has any.
                if not is_object and (stream == "log" or body.translate(_MARK_ESCAPED) is not body):
                    body = _escaped(text, body)
            line = b"%b%06d%b%b%b%d}\n" % (second_text, micros, head, body, tail, seq)
            if len(line) <= max_bytes:
                append(line)
                seq += 1
                if failures is not None and _is_failure(kind, level, text):
                    failures.append(line)
            else:
                before = len(out)
                around = self._shape(kind, stream, level, context, is_object=False)
                seq = self._render_parts(b"%b%06d%b" % (second_text, micros, around[0]), text, around[1], seq, out)
                if failures is not None and _is_failure(kind, level, text):
                    failures += out[before:]
        return seq

    def _render_parts(self, head: bytes, text: str, tail: bytes, seq: int, out: list[bytes]) -> int:
        """A line too long for one record: parts, each with its own number, whose texts joined are the line."""
        pieces = _cut(text, self._max_bytes - len(head) - len(tail) - _PART_BYTES, _quoted_bytes)
        for number, piece in enumerate(pieces, 1):
            out.append(b'%s%s%s%d,"part":[%d,%d]}\n' % (head, piece, tail, seq, number, len(pieces)))
            seq += 1
        return seq

    def _render_text(self, lines: Iterable[Line], seq: int, out: list[bytes]) -> int:
        """The lines alone; those that nobody wrote (platform events) are left out.

        Pieces of a too long line have no newline between them, so that one after the other they are the line.
        They are numbered as in json, though nothing shows the numbers.
        """
        for _, kind, stream, level, text, _ in lines:
            if kind not in WRITTEN:
                continue
            if self._filters is not None:
                understood = self._understand(stream, level, text)
                if understood is None:
                    continue
                text = understood[0]
            line = _bytes(text) + b"\n"
            pieces = [line] if len(line) <= self._max_bytes else _cut(text + "\n", self._max_bytes, _bytes)
            out.extend(pieces)
            seq += len(pieces)
            if self.failures is not None:
                record = parse(text) if self._parse_json else None
                known = level or (level_of_text(text) if stream == "log" else None)
                if _is_failure("function", (record is not None and level_of_record(record)) or known, text):
                    self.failures += pieces
        return seq

    def _understand(
        self, stream: str | None, level: str | None, text: str
    ) -> tuple[str, str | None, bool, bool] | None:
        """What is sent of a written line: text, level, whether the text is a JSON object, and one of metrics.

        None: nothing.
        """
        record = parse(text) if self._parse_json else None
        is_metrics = False
        if record is not None:
            level = level_of_record(record) or level
            is_metrics = "_aws" in record and has_metrics(record["_aws"])
        elif level is None and stream == "log":
            level = level_of_text(text)
        is_object = record is not None
        if self._filters is None:
            return text, level, is_object, is_metrics
        if not self._filters.wants(text, level):
            return None
        redacted = self._filters.redacted(text, is_object)
        if redacted is not text:
            is_object = is_object and parse(redacted) is not None
        return redacted, level, is_object, is_metrics and is_object

    def _take_apart(self, time_us: int, text: str, level: str | None, context: str) -> tuple[str, str | None, bool]:
        """Text, level and whether the text is a JSON object, of what the runtime wrote in its text format."""
        second = time_us // 1_000_000
        if second != self._seconds_at:
            self._seconds_at = second
            self._seconds = _second_text(second)[9:28].decode(), _second_text(second - 1)[9:28].decode()
        found = message_of(text, level, context, self._seconds)
        if found is not None:
            return *found, self._parse_json and found[0][:1] in _MAY_BEGIN_OBJECT and parse(found[0]) is not None
        error = error_of(text) if len(text) < self._max_bytes // _ERROR_GROWS else None
        return (text, level, False) if error is None else (error, level, True)

    def _shape(
        self, kind: str, stream: str | None, level: str | None, context: str, is_object: bool
    ) -> tuple[bytes, bytes]:
        """What is around the record: from the time's seconds up to it, and from it up to the number."""
        if len(self._shapes) >= _MAX_SHAPES:
            self._shapes.clear()
        quote = "" if is_object else '"'
        fields = (("stream", stream), ("level", level))
        known = "".join(f',"{key}":{encode_basestring(value)}' for key, value in fields if value)
        head = f'Z","type":{encode_basestring(kind)},"record":{quote}'
        shape = _bytes(head), _bytes(quote + known + context) + self._tail
        self._shapes[kind, stream, level, context, is_object] = shape
        return shape


def _is_failure(kind: str, level: str | None, text: str) -> bool:
    """Whether somebody should look at a line: an error's level, or an event that says that something failed."""
    if level == "ERROR" or level == "CRITICAL":
        return True
    return kind in _TROUBLE or (kind in _ENDS and '"status":"success"' not in text)


def has_metrics(metadata: object) -> bool:
    """Whether CloudWatch would make metrics of a record with these metadata.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    return isinstance(metadata, dict) and "CloudWatchMetrics" in metadata


def _tail(function: str | None, version: str | None, environment: str, tags: Mapping[str, str] | None) -> bytes:
    """What is the same in every envelope, up to and with the name of the sequence number."""
    fields = (("function", function), ("version", version), ("environment", environment))
    text = "".join(f',"{key}":{encode_basestring(value)}' for key, value in fields if value)
    if tags:
        pairs = (f"{encode_basestring(key)}:{encode_basestring(value)}" for key, value in tags.items())
        text += ',"tags":{' + ",".join(pairs) + "}"
    return _bytes(text + ',"seq":')


def _second_text(second: int) -> bytes:
    year, month, day, hour, minute, sec = gmtime(second)[:6]
    return b'{"time":"%04d-%02d-%02dT%02d:%02d:%02d.' % (year, month, day, hour, minute, sec)


def _on_one_line(text: str) -> str:
    """JSON without newlines: in valid JSON they only stand between tokens, strings escape them."""
    return text.replace("\n", " ").replace("\r", " ")


def _cut(text: str, budget: int, size_of: Callable[[str], bytes]) -> list[bytes]:
    """Pieces of the text, each at most `budget` bytes as `size_of` writes it, never cut inside a character."""
    pieces = []
    start = 0
    while start < len(text):
        count = min(budget, len(text) - start)  # each character takes at least one byte
        piece = size_of(text[start : start + count])
        while len(piece) > budget and count > 1:
            count = max(1, count * budget // len(piece))
            piece = size_of(text[start : start + count])
        pieces.append(piece)
        start += count
    return pieces


def _bytes(text: str) -> bytes:
    """UTF-8; a lone surrogate as its escape, which in a JSON string is also JSON's."""
    return text.encode("utf-8", "backslashreplace")


def _escaped(text: str, data: bytes) -> bytes:
    """`_quoted_bytes` of a text that is `data` in UTF-8: half the time if it holds only what texts usually do."""
    if data.translate(_MARK_RARE) is not data:
        return _quoted_bytes(text)
    return data.replace(b"\\", rb"\\").replace(b'"', rb"\"").replace(b"\t", rb"\t").replace(b"\n", rb"\n")


def _quoted_bytes(text: str) -> bytes:
    """The text as it stands between the quotes of a JSON string."""
    return _bytes(encode_basestring(text)[1:-1])
