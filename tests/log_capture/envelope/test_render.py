"""What is sent of a line is valid JSON that says what was written, or the line alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_capture.envelope.filters import Filters
from log_capture.envelope.limits import MAX_RECORD_BYTES
from log_capture.envelope.render import Renderer, context_fragment

if TYPE_CHECKING:
    from log_capture.envelope.lines import Line

TIME_US = 1_795_441_800_000_000
ENVIRONMENT = "9f86d081884c"

#: Any text that Python can hold, lone surrogates included, and what JSON, lines and terminals find special.
TEXTS = st.text(
    st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from('"\\\0\n\r\t\x1f\x7f\u2028\ufeff😀'))
)
IDS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
JSON_OBJECTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def renderer(**settings: Any) -> Renderer:
    return Renderer(**{"format": "json", "environment": ENVIRONMENT, **settings})


def line(
    text: str, *, kind: str = "function", stream: str | None = "stdout", level: str | None = None, context: str = ""
) -> Line:
    return TIME_US, kind, stream, level, text, context


def rendered(using: Renderer, *lines: Line, seq: int = 0) -> list[bytes]:
    out: list[bytes] = []
    assert using.render_many(lines, seq, out) == seq + len(out)
    return out


def envelope(using: Renderer, one: Line) -> dict[str, Any]:
    (data,) = rendered(using, one)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    found: dict[str, Any] = json.loads(data)
    return found


def paired(text: str) -> str:
    """The text with surrogates that stand side by side joined, as every JSON reader does."""
    joined: str = json.loads(json.dumps(text))
    return joined


@given(
    TEXTS,
    st.sampled_from(["function", "extension"]),
    st.sampled_from(["stdout", "stderr", "log", None]),
    IDS,
    IDS,
    IDS,
    st.booleans(),
    st.integers(0, 10**12),
)
def test_an_envelope_says_exactly_what_is_known(
    text: str,
    kind: str,
    stream: str | None,
    request_id: str | None,
    trace_id: str | None,
    tenant_id: str | None,
    cold: bool,
    seq: int,
) -> None:
    using = renderer(function="orders", version="$LATEST", tags={"team": 'w"eb', "ü": ""}, parse_json=False)
    context = context_fragment(request_id, {"traceId": trace_id} if trace_id else None, tenant_id, cold)
    (data,) = rendered(using, line(text, kind=kind, stream=stream, level="NOTICE", context=context), seq=seq)
    expected = {
        "time": json.loads(data)["time"],
        "type": kind,
        "record": paired(text),
        "stream": stream,
        "level": "NOTICE",
        "requestId": request_id,
        "traceId": trace_id,
        "tenantId": tenant_id,
        "coldStart": cold or None,
        "function": "orders",
        "version": "$LATEST",
        "environment": ENVIRONMENT,
        "tags": {"team": 'w"eb', "ü": ""},
        "seq": seq,
    }
    assert json.loads(data) == {key: value for key, value in expected.items() if value is not None}
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1


def test_what_is_not_known_is_absent() -> None:
    assert envelope(renderer(), line("x", stream=None)).keys() == {"time", "type", "record", "environment", "seq"}


@pytest.mark.parametrize(
    ("time_us", "expected"),
    [
        (1_795_441_832_480_123, "2026-11-23T13:50:32.480123Z"),
        (1_795_441_832_000_000, "2026-11-23T13:50:32.000000Z"),
        (1_795_441_832_999_999, "2026-11-23T13:50:32.999999Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (17, "1970-01-01T00:00:00.000017Z"),
        (1_709_164_800_000_001, "2024-02-29T00:00:00.000001Z"),
    ],
)
def test_the_time_has_microseconds(time_us: int, expected: str) -> None:
    using = renderer()
    (_, data) = rendered(using, line("another second"), (time_us, "function", None, None, "x", ""))
    assert json.loads(data)["time"] == expected


def test_text_is_utf_8_and_lone_surrogates_are_escapes() -> None:
    (data,) = rendered(renderer(), line("grün 😀 \ud800 \u2028"))
    assert '"grün 😀 \\ud800 \u2028"'.encode("utf-8") in data


@given(st.text(st.sampled_from('a"\\\t\n\r\x0b\x7fü{}/'), max_size=12))
def test_an_escape_is_the_one_that_json_has(text: str) -> None:
    (data,) = rendered(renderer(parse_json=False), line(text))
    assert f'"record":{json.dumps(text, ensure_ascii=False)},'.encode() in data


LINES = st.lists(
    st.tuples(
        st.integers(TIME_US - 3_000_000, TIME_US + 3_000_000),
        st.sampled_from(["function", "extension", "platform.start"]),
        st.sampled_from(["stdout", "log", None]),
        st.sampled_from(["INFO", "".join(("IN", "FO")), None]),
        st.sampled_from(["{}", '{"level":"warn"}', "[ERROR] x", "{x", "x" * 700, ""]),
        st.sampled_from([',"coldStart":true', ""]),
    ),
    max_size=8,
)


@given(LINES)
def test_what_is_sent_of_a_line_does_not_depend_on_the_lines_before_it(lines: list[Line]) -> None:
    lines = [line for line in lines if line[1] != "platform.start" or line[4].endswith("}")]
    together = rendered(renderer(max_bytes=600), *lines)
    one_by_one: list[bytes] = []
    for each in lines:
        one_by_one += rendered(renderer(max_bytes=600), each, seq=len(one_by_one))
    assert together == one_by_one


def test_the_same_lines_with_the_same_number_are_the_same_bytes_whoever_renders_them() -> None:
    lines = [line("a"), line('{"level":"info"}'), line("x" * 5_000)]
    assert rendered(renderer(max_bytes=1_000), *lines, seq=7) == rendered(renderer(max_bytes=1_000), *lines, seq=7)


def test_platform_events_are_sent_as_the_objects_that_they_are() -> None:
    found = envelope(
        renderer(), line('{"requestId":"r",\n"status":"success"}', kind="platform.runtimeDone", stream=None)
    )
    assert found["type"] == "platform.runtimeDone"
    assert found["record"] == {"requestId": "r", "status": "success"}


# ---- JSON lines


@given(JSON_OBJECTS, st.booleans(), st.sampled_from([None, 2]))
def test_a_json_object_is_sent_as_an_object(value: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert envelope(renderer(), line(text))["record"] == json.loads(text)


@pytest.mark.parametrize("number", ["1.10", "1e400", "123456789012345678901234567890", "-0.0", "9" * 5_000])
def test_numbers_survive_as_they_were_written(number: str) -> None:
    (data,) = rendered(renderer(), line(f'{{"n":{number}}}'))
    assert f'"record":{{"n":{number}}},'.encode() in data


@pytest.mark.parametrize(
    "text", ['{"a":NaN}', '{"a":1,"a":2}', '{{"a":1}}', '{"a":1', '{"a":1} x', "{", " ", "", "[1]", "17", "true"]
)
def test_what_is_no_strict_json_object_stays_text(text: str) -> None:
    assert envelope(renderer(), line(text))["record"] == text


METRICS = '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"shop","Metrics":[{"Name":"orders"}]}]},"orders":3}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (METRICS, "function.emf"),
        ('{"_aws":{"Timestamp":1},"orders":3}', "function"),
        ('{"_aws":"CloudWatchMetrics"}', "function"),
        ('{"CloudWatchMetrics":[]}', "function"),
        (METRICS[:-1], "function"),
    ],
)
@pytest.mark.parametrize(
    "filters", [None, Filters.compile(min_level=None, include=None, exclude=None, redact="secret")[0]]
)
def test_a_line_of_embedded_metrics_has_a_type_of_its_own(text: str, kind: str, filters: Filters | None) -> None:
    """So that a stream can route it elsewhere, or leave it out; the lines around it keep theirs."""
    using = renderer(filters=filters)
    types = [json.loads(data)["type"] for data in rendered(using, line(text), line("a"), line(text))]
    assert types == [kind, "function", kind]


def test_what_firetee_itself_says_is_no_metric() -> None:
    assert envelope(renderer(), line(METRICS, kind="extension"))["type"] == "extension"


def test_parsing_json_can_be_switched_off() -> None:
    found = envelope(renderer(parse_json=False), line('{"level":"info"}'))
    assert found["record"] == '{"level":"info"}'
    assert "level" not in found


@pytest.mark.parametrize(
    ("text", "stream", "known", "expected"),
    [
        ('{"level":"warn"}', "stdout", None, "WARNING"),
        ('{"level":"warn"}', "log", "INFO", "WARNING"),
        ('{"message":"x"}', "log", "ERROR", "ERROR"),
        ("[INFO]\t2026-...\tid\thello", "log", None, "INFO"),
        ("[ERROR] ValueError: x", "log", None, "ERROR"),
        ("[ERROR] ValueError: x", "log", "CRITICAL", "CRITICAL"),
        ("[INFO]\thello", "stdout", None, None),
        ("hello", "log", None, None),
    ],
)
def test_the_level_is_the_json_line_s_or_the_frame_s_or_the_prefix_s(
    text: str, stream: str, known: str | None, expected: str | None
) -> None:
    assert envelope(renderer(), line(text, stream=stream, level=known)).get("level") == expected


# ---- long lines


@given(TEXTS.flatmap(lambda text: st.integers(1, 400).map(lambda times: text * times)), st.integers(700, 3_000))
def test_the_parts_of_a_long_line_are_numbered_and_joined_are_the_line(text: str, max_bytes: int) -> None:
    using = renderer(max_bytes=max_bytes, function="orders", parse_json=False)
    out = rendered(using, line(text), line("next"), seq=10)
    assert all(len(data) <= max_bytes for data in out)
    assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in out)
    found = [json.loads(data) for data in out]
    assert [each["seq"] for each in found] == list(range(10, 10 + len(out)))
    *parts, after = found
    assert after["record"] == "next"
    assert "part" not in after
    assert paired("".join(each["record"] for each in parts)) == paired(text)
    if len(parts) > 1:
        assert [each["part"] for each in parts] == [[number, len(parts)] for number in range(1, len(parts) + 1)]
    else:
        assert "part" not in parts[0]


@pytest.mark.parametrize("character", ["a", '"', "\x00", "ü", "😀", "\ud800"])
def test_megabytes_are_split_into_few_parts_at_the_real_limit(character: str) -> None:
    text = character * 3_000_000
    parts = rendered(renderer(), line(text))
    assert all(len(data) <= MAX_RECORD_BYTES for data in parts)
    assert "".join(json.loads(data)["record"] for data in parts) == text
    assert len(parts) < 1.1 * sum(map(len, parts)) / MAX_RECORD_BYTES + 1


def test_a_line_that_just_fits_is_not_split() -> None:
    (probe,) = rendered(renderer(), line(""))
    fits = "x" * (MAX_RECORD_BYTES - len(probe))
    assert len(rendered(renderer(), line(fits))) == 1
    assert len(rendered(renderer(), line(fits + "x"))) == 2


def test_a_json_object_too_long_for_one_record_is_sent_as_text_in_parts() -> None:
    text = json.dumps({"level": "info", "n": ["word"] * 1_000})
    parts = [json.loads(data) for data in rendered(renderer(max_bytes=1_000), line(text))]
    assert "".join(each["record"] for each in parts) == text
    assert {each["level"] for each in parts} == {"INFO"}


# ---- text


def test_in_text_only_written_lines_are_sent_and_nothing_around_them() -> None:
    out = rendered(
        renderer(format="text"),
        line("order 17 ü"),
        line("{}", kind="platform.start"),
        line(' {"a":\n1}'),
        line("[x]", kind="extension"),
        line("\ud800"),
    )
    assert out == ["order 17 ü\n".encode(), b' {"a":\n1}\n', b"[x]\n", b"\\ud800\n"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=5), st.integers(10, 100))
def test_in_text_the_pieces_joined_are_the_lines(texts: list[str], max_bytes: int) -> None:
    out = rendered(renderer(format="text", max_bytes=max_bytes), *map(line, texts))
    assert b"".join(out).decode() == "".join(text + "\n" for text in texts)
    assert all(len(data) <= max_bytes for data in out)
    for data in out:
        data.decode()  # no character is cut


def test_the_context_of_an_invocation_holds_what_is_known() -> None:
    assert context_fragment(None, None, None, False) == ""
    assert json.loads("{" + context_fragment('r"1', {"traceId": "a" * 32, "sampled": False}, "t", True)[1:] + "}") == {
        "requestId": 'r"1',
        "traceId": "a" * 32,
        "sampled": False,
        "tenantId": "t",
        "coldStart": True,
    }


def test_memory_does_not_grow_with_the_number_of_invocations() -> None:
    using = renderer()
    for number in range(2_000):
        rendered(using, line("x", context=context_fragment(str(number), None, None, False)))
    assert len(using._shapes) <= 256
