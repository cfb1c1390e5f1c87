"""Search in delivered objects: fetched a group at a time into a temporary folder, read there by DuckDB.

What is asked for becomes one SQL condition, which means what `Wanted.takes` means; a test compares the two. Objects
that DuckDB cannot read as lines (bare carriage returns, bytes that are not UTF-8, compressed and plain lines by turns)
are read by `lines.read_lines`. Memory is bounded by `MEMORY`, the folder by two groups of objects and what was found.

DuckDB fetches nothing itself: its extension for S3 is no part of the package, and would be downloaded when it is used.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from firetee.cloud import lines
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError, WrongUsage, is_missing
from firetee.cloud.lines import Line, Wanted
from firetee.cloud.objects import AT_ONCE, Stored

MEMORY = "512MB"
"""What DuckDB may take before it writes to the folder. A choice; searches of a gigabyte took 160 to 370 MB in all."""
GROUP_BYTES = 64 << 20
"""Objects are fetched and read in groups of about this size, the next while DuckDB reads the one before. A choice."""
GROUP_OBJECTS = 256
"""And of no more objects than this: as many files are open at once. A choice."""
_LONGEST_LINE = 16 << 20
"""A line of firetee's is at most 1,000 KiB; those of others in the same stream may be longer."""
_CHUNK = 1 << 20
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_NO_DELIMITER = "\x1f\x1e\x1d\x1c"
"""Stands in no line: a "CSV" file with this between its fields has one field a line."""

#: What is taken out of each line, in the order of `_FIELD`.
_PATHS = ["time", "type", "record", "function", "requestId", "level", "environment", "seq"]
_FIELD = {name: f"f[{number}]" for number, name in enumerate(_PATHS, 1)}
_ENVELOPE = f"{_FIELD['type']} IS NOT NULL AND {_FIELD['record']} IS NOT NULL"
#: The envelope's names where they differ from what Firehose's conversion to Parquet makes of them, by a Glue table.
_NAMES = {
    name.lower(): name
    for name in (
        "requestId",
        "traceId",
        "spanId",
        "xrayTraceId",
        "invocationId",
        "durableExecutionArn",
        "durableFirstInvocation",
        "tenantId",
        "coldStart",
    )
}
_PLAIN = re.compile(r"[A-Za-z0-9_ .,:=@-]+")
"""Text that is the same in a JSON string."""
_LITERAL = re.compile(r"[A-Za-z0-9_ ,:=@-]+")
"""Patterns that mean themselves, and are the same in a JSON string."""


class _File(NamedTuple):
    """A fetched object. `kind`: `none` and `gzip` as DuckDB names compressions, `parquet`, or `mixed`."""

    key: str
    path: Path
    kind: str


class Search:
    """One search: `read` objects, then take the `lines`. For one thread; made by `opened`."""

    def __init__(self, folder: Path, wanted: Wanted, limit: int) -> None:
        self._duckdb = _duckdb()
        self._folder = folder
        self._wanted = wanted
        self._limit = limit
        self.has_more = False
        """Whether there were more lines than the limit, of which the newest are kept."""
        self._db = self._duckdb.connect(
            str(folder / "found.duckdb"),
            config={
                "memory_limit": MEMORY,
                "temp_directory": str(folder / "spilled"),
                "autoinstall_known_extensions": "false",
            },
        )
        self._db.execute("SET enable_progress_bar = false")
        self._db.execute("CREATE TABLE found (line VARCHAR, moment TIMESTAMPTZ, environment VARCHAR, seq BIGINT)")
        try:
            self._db.execute("SELECT regexp_matches('', ?)", [wanted.pattern.pattern if wanted.pattern else ""])
        except self._duckdb.Error as error:
            message = str(error).splitlines()[0]
            remedy = "Patterns are RE2's: without lookahead, lookbehind and references to groups."
            raise WrongUsage(f"--grep {wanted.pattern and wanted.pattern.pattern}: {message}", remedy) from None

    def close(self) -> None:
        """Leave the folder to be removed."""
        self._db.close()

    def read(self, cloud: Cloud, bucket: str, found: Iterable[Stored], done: Callable[[int], None]) -> None:
        """Fetch and read the objects; `done` is called with the bytes of each group that was read.

        Objects that have been deleted meanwhile are passed over. Raises CloudError, or an error of botocore's.
        """
        s3: Any = cloud.client("s3")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fetched: list[tuple[int, list[Future[_File | None]]]] = []
            try:
                for number, group in enumerate(groups(found)):
                    folder = self._folder / str(number)
                    folder.mkdir()
                    tasks = [
                        pool.submit(_fetch, s3, bucket, each, folder / str(index)) for index, each in enumerate(group)
                    ]
                    fetched.append((sum(each.size for each in group), tasks))
                    if len(fetched) == 2:
                        self._take(*fetched.pop(0), done)
                while fetched:
                    self._take(*fetched.pop(0), done)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _take(self, size: int, tasks: list[Future[_File | None]], done: Callable[[int], None]) -> None:
        files = [file for file in (task.result() for task in tasks) if file is not None]
        for kind in ("none", "gzip", "parquet", "mixed"):
            self._search(kind, [file for file in files if file.kind == kind])
        for file in files:
            file.path.unlink()
        if self._limit:
            self._keep_newest()
        done(size)

    def _search(self, kind: str, files: list[_File]) -> None:
        if not files:
            return
        if kind == "mixed":
            for file in files:
                self._search_slowly(file)
            return
        paths = [str(file.path) for file in files]
        try:
            relation, given = self._parquet(paths) if kind == "parquet" else _text(paths, kind)
            condition, asked = condition_of(self._wanted)
            self._db.execute(f"INSERT INTO found {_select(relation, self._wanted, condition)}", [*given, *asked])
        except self._duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except self._duckdb.Error as error:
            if len(files) > 1:  # which of them?
                for file in files:
                    self._search(kind, [file])
            elif kind == "parquet" or isinstance(error, (self._duckdb.OutOfMemoryException, MemoryError)):
                raise CloudError(f"{files[0].key}: {str(error).splitlines()[0]}") from error
            else:
                self._search_slowly(files[0])

    def _search_slowly(self, file: _File) -> None:
        """An object that DuckDB cannot read. It fits into memory: Firehose buffers at most 128 MiB."""
        try:
            taken = [line for line in lines.read_lines(file.path.read_bytes()) if self._wanted.takes(line)]
        except zlib.error as error:
            raise CloudError(f"{file.key} cannot be unpacked: {error}.", "Look at the object in the bucket.") from None
        self._db.execute(
            "INSERT INTO found SELECT line, try_cast(moment AS TIMESTAMPTZ), environment, try_cast(seq AS BIGINT) FROM "
            "(SELECT unnest(?::VARCHAR[]) line, unnest(?::VARCHAR[]) moment, unnest(?::VARCHAR[]) environment, "
            "unnest(?::VARCHAR[]) seq)",
            [[each.text for each in taken], *([each.get(name) for each in taken] for name in ("time", *_IDENTITY))],
        )

    def _parquet(self, paths: list[str]) -> tuple[str, list[Any]]:
        """Rows as the lines they were made of: columns that are absent or null are absent from the line."""
        source = "read_parquet(?, union_by_name = true)"
        columns = [str(row[0]) for row in self._db.execute(f"DESCRIBE SELECT * FROM {source}", [paths]).fetchall()]
        fields = []
        for column in columns:
            quoted, name = '"' + column.replace('"', '""') + '"', _NAMES.get(column, column)
            key = _sql_text(f'"{name}":')
            fields.append(f"CASE WHEN {quoted} IS NOT NULL THEN {key} || to_json({quoted})::VARCHAR END")
        whole = f"'{{' || concat_ws(',', {', '.join(fields)}) || '}}'"
        return f"(SELECT {whole} AS line FROM {source})", [paths]

    def _keep_newest(self) -> None:
        """Keep no more than the limit, so that neither the folder nor the last sorting grows with the range."""
        count = self._db.execute("SELECT count(*) FROM found").fetchall()[0][0]
        if count <= self._limit:
            return
        newest = f"SELECT * FROM ({_ONCE}) ORDER BY moment DESC NULLS FIRST, was DESC"
        self._db.execute(f"CREATE OR REPLACE TABLE kept AS {newest} LIMIT {self._limit + 1}")
        kept = self._db.execute("SELECT count(*) FROM kept").fetchall()[0][0]
        self.has_more = self.has_more or kept > self._limit
        self._db.execute("DELETE FROM found")
        self._db.execute(
            f"INSERT INTO found SELECT line, moment, environment, seq FROM "
            f"(SELECT * FROM kept ORDER BY moment DESC NULLS FIRST, was DESC LIMIT {self._limit}) ORDER BY was"
        )

    def lines(self) -> Iterator[Line]:
        """What was found, in the order of time, each once."""
        for text in self._texts("line"):
            yield lines.line(text)

    def width(self, field: str) -> int:
        """The length of the longest value of a field of the envelope among what was found."""
        query = (
            f"SELECT max(length(TRY(json_extract_string(line, '$.{field}')))) FROM found WHERE starts_with(line, '{{')"
        )
        return int(self._db.execute(query).fetchall()[0][0] or 0)

    def _texts(self, column: str) -> Iterator[str]:
        cursor = self._db.execute(f"SELECT {column} FROM ({_ONCE}) ORDER BY moment NULLS LAST, environment, seq, was")
        while rows := cursor.fetchmany(1000):
            for row in rows:
                yield row[0]


_IDENTITY = ("environment", "seq")
_ONCE = (
    "SELECT line, moment, environment, seq, rowid AS was FROM found "
    "WHERE rowid IN (SELECT min(rowid) FROM found GROUP BY environment, coalesce(seq, -1 - rowid))"
)
"""Delivery is at least once: a line has the same `(environment, seq)` each time. Lines without a number stay."""


@contextmanager
def opened(wanted: Wanted, limit: int = 0) -> Iterator[Search]:
    """A search for at most so many lines (0: any number), the newest. Raises CloudError if DuckDB is not installed,
    WrongUsage if it does not take the pattern."""
    with tempfile.TemporaryDirectory(prefix="firetee-search-") as folder:
        with closing(Search(Path(folder), wanted, limit)) as search:
            yield search


def groups(found: Iterable[Stored]) -> Iterator[list[Stored]]:
    """Objects in groups of about `GROUP_BYTES`, at most `GROUP_OBJECTS` each."""
    group: list[Stored] = []
    size = 0
    for each in found:
        group.append(each)
        size += each.size
        if size >= GROUP_BYTES or len(group) == GROUP_OBJECTS:
            yield group
            group, size = [], 0
    if group:
        yield group


def condition_of(wanted: Wanted) -> tuple[str, list[Any]]:
    """The SQL condition on a line and its fields `f` (NULL for a line without an envelope), with its parameters."""
    terms: list[str] = []
    given: list[Any] = []

    def ask(term: str, *values: Any) -> None:
        terms.append(term)
        given.extend(values)

    if wanted.function:
        ask(f"{_FIELD['function']} = ?", wanted.function)
    if wanted.request_id:
        ask(f"starts_with({_FIELD['requestId']}, ?)", wanted.request_id)
    if wanted.kind:
        ask(f"starts_with({_FIELD['type']}, ?)", wanted.kind)
    if wanted.min_level:
        ask(f"list_contains(?::VARCHAR[], {_FIELD['level']})", _levels_from(wanted.min_level))
    if terms:
        ask(_ENVELOPE)
    if wanted.since:  # a line without a time is of any
        ask(f"NOT coalesce({_ENVELOPE} AND moment < ?::TIMESTAMPTZ, false)", wanted.since.isoformat())
    if wanted.until:
        ask(f"NOT coalesce({_ENVELOPE} AND moment > ?::TIMESTAMPTZ, false)", wanted.until.isoformat())
    if wanted.pattern is not None and not _LITERAL.fullmatch(wanted.pattern.pattern):
        pattern = wanted.pattern.pattern
        in_record = f"({_ENVELOPE} AND regexp_matches({_FIELD['record']}, ?))"
        ask(f"(regexp_matches(line, ?) OR coalesce({in_record}, false))", pattern, pattern)
    return " AND ".join(terms) or "true", given


def _select(relation: str, wanted: Wanted, condition: str) -> str:
    """The query for the lines of a relation. Most lines fall by `hints`, before their JSON is read."""
    paths = ", ".join(f"'$.{path}'" for path in _PATHS)
    fields = f"CASE WHEN starts_with(line, '{{') THEN TRY(json_extract_string(line, [{paths}])) END"
    hints = " AND ".join(["line IS NOT NULL", *_hints(wanted)])
    return (
        f"SELECT line, moment, {_FIELD['environment']}, "
        f"CASE WHEN {_ENVELOPE} THEN try_cast({_FIELD['seq']} AS BIGINT) END FROM ("
        f"SELECT line, f, try_cast({_FIELD['time']} AS TIMESTAMPTZ) AS moment FROM ("
        f"SELECT line, {fields} AS f FROM {relation} WHERE {hints})) WHERE {condition}"
    )


def _hints(wanted: Wanted) -> Iterator[str]:
    """What the text of a line that is asked for holds for certain."""
    for text in (wanted.function, wanted.request_id, wanted.kind):
        if _PLAIN.fullmatch(text):
            yield f"contains(line, {_sql_text(text)})"
    if wanted.min_level:
        names = _levels_from(wanted.min_level)
        yield "(" + " OR ".join(f"contains(line, {_sql_text(name)})" for name in names) + ")"
    if wanted.pattern is not None and _LITERAL.fullmatch(wanted.pattern.pattern):
        yield f"contains(line, {_sql_text(wanted.pattern.pattern)})"


def _levels_from(lowest: str) -> list[str]:
    names = lines.levels()
    return names[names.index(lowest) :]


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(paths: list[str], compression: str) -> tuple[str, list[Any]]:
    """The lines of files, exactly: what the strict reader cannot tell apart it refuses."""
    reader = (
        "read_csv(?, columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, strict_mode = true, "
        f"delim = {_sql_text(_NO_DELIMITER)}, quote = '', escape = '', compression = '{compression}', "
        f"max_line_size = {_LONGEST_LINE})"
    )
    return reader, [paths]


def _fetch(s3: Any, bucket: str, stored: Stored, path: Path) -> _File | None:
    """The object as a file; None if it has been deleted since it was listed. Runs on several threads at a time."""
    try:
        body = s3.get_object(Bucket=bucket, Key=stored.key)["Body"]
    except Exception as error:
        if is_missing(error):
            return None
        raise
    with closing(body), path.open("wb") as file:
        begin = b""
        for chunk in body.iter_chunks(_CHUNK):
            begin = begin or chunk
            file.write(chunk)
    return _File(stored.key, path, _kind(begin))


def _kind(begin: bytes) -> str:
    """What an object is, by its first bytes."""
    if begin.startswith(_PARQUET):
        return "parquet"
    if not begin.startswith(_GZIP):
        return "mixed" if b"\n" + _GZIP in begin else "none"
    try:
        inner = zlib.decompressobj(wbits=31).decompress(begin, 2)
    except zlib.error:
        return "mixed"
    return "mixed" if inner == _GZIP else "gzip"


def _duckdb() -> Any:
    """The module. Typed as Any: it is not installed everywhere."""
    try:
        import duckdb
    except ImportError:
        remedy = "Install it with firetee: pip install 'firetee[search]' (in a clone: pip install '.[search]')."
        raise CloudError("firetee search reads with DuckDB, which is not installed.", remedy) from None
    return duckdb
