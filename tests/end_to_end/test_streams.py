"""Python's many ways to stdout and stderr; what the function redirects for itself stays its own; lines never mix."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.end_to_end.harness import Stage

WAYS = """
    import io, logging, sys, warnings
    kept, kept_buffer, kept_raw, kept_write = sys.stdout, sys.stdout.buffer, sys.__stdout__.buffer.raw, sys.stderr.write
    handler_at_import = logging.StreamHandler(sys.stderr)
    own = logging.getLogger("own")
    own.addHandler(handler_at_import)
    own.propagate = False

    def handler(event, context):
        print("a", "b", sep="-", end="!\\n")
        print("print to", "file", file=sys.stderr, flush=True)
        sys.__stdout__.write("sys.__stdout__\\n")
        sys.__stderr__.write("sys.__stderr__\\n")
        sys.__stdout__.flush()
        sys.stdout.writelines(["write", "lines\\n", "second\\n"])
        sys.stdout.buffer.write(b"buffer\\n")
        sys.stdout.buffer.writelines([b"buffer", b"lines\\n"])
        sys.stdout.flush()
        sys.stdout.buffer.raw.write(b"raw\\n")
        sys.stderr.buffer.write(bytearray(b"bytearray\\n"))
        sys.stderr.flush()
        kept.write("kept at import\\n")
        kept.flush()
        kept_buffer.write(memoryview(b"kept buffer\\n"))
        kept_buffer.flush()
        kept_raw.write(b"kept raw\\n")
        kept_write("kept write\\n")
        own.error("a library's own handler")
        warnings.warn("a warning", stacklevel=1)
        print("žluťoučký 🎉 \\udcff".encode("utf-8", "replace").decode())
        sys.stdout.buffer.write(b"not UTF-8: \\xff\\n")
        wrapped = io.TextIOWrapper(sys.stdout.buffer, write_through=True, encoding="utf-8")
        wrapped.write("wrapped anew\\n")
        wrapped.detach()
        print()
        print("without an end", end="")
"""


def test_every_way_to_the_streams_is_captured_and_lands_where_it_would_have(stage: Stage) -> None:
    bare, teed = stage.both(WAYS, shutdown=False)
    assert teed.observed == bare.observed
    for stream, data in (("stdout", bare.stdout), ("stderr", bare.stderr)):
        got = [line["record"] for line in teed.lines if line.get("stream") == stream]
        assert got == data.decode("utf-8", "backslashreplace").splitlines()


@pytest.mark.newest_python
def test_what_the_function_redirects_is_its_own(stage: Stage) -> None:
    source = """
        import contextlib, io, sys
        def handler(event, context):
            own, stdout = io.StringIO(), sys.stdout
            with contextlib.redirect_stdout(own), contextlib.redirect_stderr(own):
                print("redirected")
                print("this too", file=sys.stderr)
            sys.stdout = own
            print("replaced")
            sys.stdout = stdout
            print("back", sys.stdout is stdout)
            return own.getvalue()
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.responses[0].json() == "redirected\nthis too\nreplaced\n"
    assert teed.records() == ["back True"]


@pytest.mark.newest_python
def test_lines_of_threads_and_tasks_never_mix(stage: Stage) -> None:
    source = """
        import asyncio, sys, threading
        def write(name):
            for _ in range(50):
                for piece in (name * 10, "-", name * 10, "\\n"):
                    sys.stdout.write(piece)
                print(name, name, name, file=sys.stderr)

        async def task(name):
            for _ in range(20):
                print(name, "in", "a", "task")
                await asyncio.sleep(0)

        async def tasks():
            await asyncio.gather(*map(task, "xyz"))

        def handler(event, context):
            sys.setswitchinterval(1e-6)
            threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            asyncio.run(tasks())
            for thread in threads:
                thread.join()
    """
    teed = stage.run(source)
    expected: Counter[str] = Counter()
    for name in "abcd":
        expected[f"{name * 10}-{name * 10}"] += 50
        expected[f"{name} {name} {name}"] += 50
    for name in "xyz":
        expected[f"{name} in a task"] += 20
    assert Counter(teed.records()) == expected


@pytest.mark.newest_python
def test_a_function_that_closes_its_streams_is_as_broken_as_without_us(stage: Stage) -> None:
    source = """
        import sys
        def handler(event, context):
            sys.stdout.buffer.close()
            print("no more")
    """
    bare, teed = stage.both(source, shutdown=False)
    errors: list[Any] = [result.responses[0].json() for result in (bare, teed)]
    assert [(error["errorType"], error["errorMessage"]) for error in errors] == [
        ("ValueError", "I/O operation on closed file.")
    ] * 2
    assert teed.stdout == bare.stdout == b""


@pytest.mark.newest_python
def test_a_function_may_detach_a_stream_and_build_its_own(stage: Stage) -> None:
    source = """
        import io, sys
        def handler(event, context):
            below = sys.__stdout__.detach()
            sys.stdout = io.TextIOWrapper(below, encoding="utf-8", write_through=True)
            print("rebuilt")
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records() == ["rebuilt"]


@pytest.mark.parametrize("capture", ["python", "fd"])
def test_what_libraries_do_with_streams_works_with_ours(stage: Stage, capture: str) -> None:
    """A table of locks by stream (structlog), a `write` of one's own, a stream that is gone through."""
    source = """
        import sys, weakref
        def handler(event, context):
            locks = weakref.WeakKeyDictionary()
            for stream in (sys.stdout, sys.__stdout__, sys.__stderr__, sys.__stdout__.buffer):
                locks[stream] = len(locks)
            written = []
            original = sys.__stdout__.write
            def write(text):
                written.append(text)
                return original(text)
            sys.__stdout__.write = write
            print("through a write of its own", file=sys.__stdout__)
            del sys.__stdout__.write
            print("through the stream's again", file=sys.__stdout__)
            return [len(locks), written, iter(sys.__stdout__) is sys.__stdout__]
    """
    bare, teed = stage.both(source, [{}, {}], env={"FIRETEE_CAPTURE": capture}, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records() == ["through a write of its own", "through the stream's again"] * 2


@pytest.mark.parametrize("capture", ["python", "fd"])
def test_what_is_put_on_a_descriptor_is_the_function_s_own_until_it_is_taken_away(stage: Stage, capture: str) -> None:
    """To silence a library, to read what it writes, and for one stream alone."""
    source = """
        import contextlib, os, sys
        @contextlib.contextmanager
        def elsewhere(fd, to):
            saved = os.dup(fd)
            os.dup2(to, fd)
            try: yield
            finally:
                os.dup2(saved, fd)
                os.close(saved)
        def handler(event, context):
            print("before")
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with elsewhere(1, nowhere):
                print("noise")
                sys.stdout.buffer.write(b"noise in bytes\\n")
                sys.stdout.flush()
                os.write(1, b"native noise\\n")
                sys.stderr.write("to stderr\\n")
            read, write = os.pipe()
            with elsewhere(2, write):
                sys.stderr.write("for the function alone\\n")
            with elsewhere(1, write), elsewhere(2, write):
                print("both", flush=True)
            os.close(write)
            print("after")
            return os.read(read, 1000).decode()
    """
    bare, teed = stage.both(source, [{}, {}], env={"FIRETEE_CAPTURE": capture}, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records() == ["before", "to stderr", "after"] * 2


OWN_STREAMS = """
    import io, os, sys
    WAYS = {
        "fdopen": lambda: os.fdopen(sys.stdout.fileno(), "w", 1, closefd=False),
        "open": lambda: open(1, "w", closefd=False),
        "a copy": lambda: os.fdopen(os.dup(1), "w", 1),
        "memory": io.StringIO,
        "a file": lambda: open(os.devnull, "w"),
    }
    def handler(event, context):
        saved, sys.stdout = sys.stdout, WAYS[event]()
        print("by a stream of its own", flush=True)
        return event
"""


@pytest.mark.parametrize("way", ["fdopen", "open", "a copy"])
def test_a_stream_of_the_function_s_own_over_its_descriptor_is_told_or_captured(stage: Stage, way: str) -> None:
    bare, teed = stage.both(OWN_STREAMS, [way, way], shutdown=False)
    assert [response.body for response in teed.responses] == [response.body for response in bare.responses]
    assert teed.stdout == bare.stdout
    (said,) = teed.stderr.decode().splitlines()
    assert said.startswith("[firetee] sys.stdout is a stream of the function's own over descriptor 1")
    native = stage.run(OWN_STREAMS, [way], env={"FIRETEE_CAPTURE": "fd"})
    assert native.records() == ["by a stream of its own"]
    assert native.stderr == b""


@pytest.mark.newest_python
@pytest.mark.parametrize("way", ["memory", "a file"])
def test_a_stream_to_somewhere_else_is_nobody_s_business(stage: Stage, way: str) -> None:
    bare, teed = stage.both(OWN_STREAMS, [way], shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records() == []
