"""The settings: one frozen `Config`, read once from the environment.

Each row of `SETTINGS` is one variable: how it is read, and what it means when it is absent or wrong. A wrong value is
never fatal: the default is used and `Config.problems` has a line that says so.

Imports nothing: the command line reads this file by its path, where no other module of the layer can be found.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
#: What `platform` stands for in FIRETEE_EVENTS. (A loss is always told: platform.logsDropped is not among them.)
EVENTS = (
    "platform.initStart",
    "platform.initRuntimeDone",
    "platform.start",
    "platform.runtimeDone",
    "platform.report",
    "platform.restoreStart",
    "platform.restoreRuntimeDone",
    "firetee.timeoutWarning",
)
LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Config:
    """What the user asked for; see the table in README.md. Frozen; any thread may read it.

    Durations are in milliseconds and sizes in bytes, as their names say.
    """

    streams: tuple[str, ...]  # names or ARNs
    stream_errors: tuple[str, ...]  # the same, for copies of what failed
    flush: str  # before-return, after-return or batched
    flush_timeout_ms: int
    linger_ms: int
    batch_age_ms: int
    batch_bytes: int
    format: str  # json or text
    compression: str  # none or gzip
    aggregate: bool
    events: frozenset[str]  # of function, platform, extension, and names of single events
    capture: str  # python or fd
    buffer_bytes: int
    overflow: str  # drop or block
    journal_dir: str
    min_level: str | None
    include: str | None
    exclude: str | None
    redact: str | None
    redact_keys: tuple[str, ...]
    hold: tuple[str | None, bool]  # lines below this level; lines without one
    release: tuple[tuple[str, str], ...]  # rules and their values
    tags: tuple[tuple[str, str], ...]
    parse_json: bool
    exec_wrapper: str | None
    role_arn: str | None
    client: str  # auto, direct or boto3
    log_level: str
    disabled: bool
    problems: tuple[str, ...]

    __slots__ = (
        "aggregate",
        "batch_age_ms",
        "batch_bytes",
        "buffer_bytes",
        "capture",
        "client",
        "compression",
        "disabled",
        "events",
        "exclude",
        "exec_wrapper",
        "flush",
        "flush_timeout_ms",
        "format",
        "hold",
        "include",
        "journal_dir",
        "linger_ms",
        "log_level",
        "min_level",
        "overflow",
        "parse_json",
        "problems",
        "redact",
        "redact_keys",
        "release",
        "role_arn",
        "stream_errors",
        "streams",
        "tags",
    )

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, values[name])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Config is frozen: {name} cannot be set")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Read every setting; never raises."""
        problems: list[str] = []
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            variable, text = setting.variable, environ.get(setting.variable)
            if setting.fallback is not None and not (text or "").strip():
                variable, text = setting.fallback, environ.get(setting.fallback)
            if text is None or not text.strip():
                text = setting.default
                values[setting.field] = setting.read(text)
                continue
            try:
                values[setting.field] = setting.read(text.strip())
            except ValueError as error:
                used = f"using {setting.default}" if setting.default else "it is ignored"
                problems.append(f"{variable}={text!r} {error}; {used}")
                values[setting.field] = setting.read(setting.default)
        return cls(problems=tuple(problems), **values)


class Setting:
    """One variable: the field of `Config` it fills, its default as one would write it, and how its text is read."""

    __slots__ = ("default", "fallback", "field", "read", "variable")

    def __init__(
        self, variable: str, default: str, read: Callable[[str], Any], *, field: str = "", fallback: str | None = None
    ) -> None:
        self.variable = variable
        self.default = default
        self.read = read
        self.field = field or variable.removeprefix("FIRETEE_").lower()
        self.fallback = fallback


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return text.lower()

    return read


def _whole(unit: str, least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise ValueError(f"is not a whole number of {unit} from {least} to {most}")
        return int(text)

    return read


def _flag(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError("is neither true nor false")
    return text.lower() in _TRUE


def _text(text: str) -> str | None:
    return text or None


def _streams(text: str) -> tuple[str, ...]:
    streams = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for stream in streams:
        if stream.startswith("arn:"):
            parts = stream.split(":", 5)
            if len(parts) != 6 or parts[2] != "firehose" or not parts[5].startswith("deliverystream/"):
                raise ValueError(
                    f"has {stream!r}, which is no ARN of a delivery stream "
                    "(arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME)"
                )
    return streams


def _events(text: str) -> frozenset[str]:
    known = {name.lower(): name for name in ("function", "platform", "extension", *EVENTS)}
    kinds = [kind.strip().lower() for kind in text.split(",") if kind.strip()]
    if not kinds or not all(kind in known for kind in kinds):
        raise ValueError(f"is not a list of function, platform, extension, or of single events ({', '.join(EVENTS)})")
    return frozenset(known[kind] for kind in kinds)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _level(text: str) -> str | None:
    names = {"WARN": "WARNING", "FATAL": "CRITICAL"}
    name = names.get(text.upper(), text.upper())
    if name and name not in LEVELS:
        raise ValueError(f"is none of {', '.join(LEVELS)}")
    return name or None


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [item.partition("=") for item in text.split(",") if item.strip()]
    if any(not key.strip() or not sign for key, sign, _ in pairs):
        raise ValueError("is not a list like team=web,stage=prod")
    return tuple({key.strip(): value.strip() for key, _, value in pairs}.items())


def _hold(text: str) -> tuple[str | None, bool]:
    below, unlevelled = None, False
    for item in _names(text):
        word, _, level = item.partition(" ")
        if item.lower() == "unlevelled":
            unlevelled = True
        elif word.lower() == "below" and level.strip() and below is None:
            below = _level(level.strip())
        else:
            raise ValueError("is not a list of unlevelled and below LEVEL (below WARNING, for instance)")
    return below, unlevelled


def _release(text: str) -> tuple[tuple[str, str], ...]:
    rules = []
    for item in _names(text):
        rule, colon, value = (part.strip() for part in item.partition(":"))
        rule = rule.lower()
        if rule == "level" and value:
            value = _level(value) or ""
        elif rule == "slow":
            value = str(_whole("milliseconds", 0, _DAY_MS)(value))
        elif rule == "sample":
            try:
                fits = 0 <= float(value) <= 1
            except ValueError:
                fits = False
            if not fits:
                raise ValueError("has a sample that is no share from 0 to 1 (sample:0.01)")
        elif colon or rule not in ("error", "timeout", "crash", "cold", "sampled"):
            raise ValueError("is not a list of error, timeout, crash, cold, sampled, slow:MS, level:NAME, sample:SHARE")
        rules.append((rule, value))
    return tuple(rules)


_DAY_MS = 86_400_000
#: 64 KiB holds the envelope of a handful of lines; 512 MiB is the smallest `/tmp` that Lambda gives (Lambda quotas).
_LEAST_BUFFER, _MOST_BUFFER = 65_536, 536_870_912

SETTINGS = (
    Setting("FIRETEE_STREAM", "", _streams, field="streams", fallback="KINESIS_DELIVERY_STREAM"),
    Setting("FIRETEE_STREAM_ERRORS", "", _streams),
    Setting("FIRETEE_FLUSH", "before-return", _one_of("before-return", "after-return", "batched")),
    Setting("FIRETEE_FLUSH_TIMEOUT_MS", "2000", _whole("milliseconds", 0, _DAY_MS)),
    Setting("FIRETEE_LINGER_MS", "1000", _whole("milliseconds", 1, _DAY_MS)),
    Setting("FIRETEE_BATCH_AGE_MS", "10000", _whole("milliseconds", 0, _DAY_MS)),
    Setting("FIRETEE_BATCH_BYTES", "1048576", _whole("bytes", 1, _MOST_BUFFER)),
    Setting("FIRETEE_FORMAT", "json", _one_of("json", "text")),
    Setting("FIRETEE_COMPRESSION", "none", _one_of("none", "gzip")),
    Setting("FIRETEE_AGGREGATE", "true", _flag),
    Setting("FIRETEE_EVENTS", "function,platform", _events),
    Setting("FIRETEE_CAPTURE", "python", _one_of("python", "fd")),
    Setting("FIRETEE_BUFFER_BYTES", "16777216", _whole("bytes", _LEAST_BUFFER, _MOST_BUFFER)),
    Setting("FIRETEE_OVERFLOW", "drop", _one_of("drop", "block")),
    Setting("FIRETEE_JOURNAL_DIR", "/tmp", str),
    Setting("FIRETEE_MIN_LEVEL", "", _level),
    Setting("FIRETEE_INCLUDE", "", _text),
    Setting("FIRETEE_EXCLUDE", "", _text),
    Setting("FIRETEE_REDACT", "", _text),
    Setting("FIRETEE_REDACT_KEYS", "", _names),
    Setting("FIRETEE_HOLD", "", _hold),
    Setting("FIRETEE_RELEASE", "error,timeout,crash,level:ERROR", _release),
    Setting("FIRETEE_TAGS", "", _tags),
    Setting("FIRETEE_PARSE_JSON", "true", _flag),
    Setting("FIRETEE_EXEC_WRAPPER", "", _text),
    Setting("FIRETEE_ROLE_ARN", "", _text),
    Setting("FIRETEE_CLIENT", "auto", _one_of("auto", "direct", "boto3")),
    Setting("FIRETEE_LOG_LEVEL", "WARNING", _level),
    Setting("FIRETEE_DISABLED", "false", _flag),
)
