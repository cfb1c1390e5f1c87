"""Bare and wrapped are the same to the outside: bytes of fd 1 and 2, frames, answers, error payloads, exit codes."""

from __future__ import annotations

import pytest

from tests.end_to_end.harness import Stage
from tests.fakes.firehose import Step

#: What functions do that a wrapper could disturb. Each is invoked twice, bare and wrapped.
FUNCTIONS: dict[str, str] = {
    "prints everywhere": """
        import os, sys
        def handler(event, context):
            print("a", 1, None, sep="-", end="!\\n")
            print("no end", end="")
            sys.stdout.write("x" * 70_000 + "\\n")
            sys.stderr.write("err\\n")
            sys.stdout.buffer.write(b"\\x00\\xff\\n")
            sys.stdout.buffer.raw.write(b"raw\\n")
            sys.__stderr__.write("dunder\\n")
            os.write(1, b"fd 1\\n")
            os.system("echo from a child; echo to stderr >&2")
            return sys.stdout.write("four")
    """,
    "streams look the same": """
        import io, sys
        def look(stream):
            return [stream.fileno(), stream.isatty(), stream.encoding, stream.errors, stream.line_buffering,
                    stream.writable(), stream.readable(), stream.name, stream.mode, stream.closed,
                    stream.write_through, isinstance(stream, io.TextIOBase), stream.buffer.fileno(),
                    str(stream.newlines), type(stream).__name__, isinstance(stream.buffer, io.BufferedWriter),
                    repr(stream.buffer.raw)]
        def handler(event, context):
            sys.stdout.reconfigure(errors="backslashreplace")
            print("\\ud800")
            with_file = open(1, "w", closefd=False)
            print("by a file object of its own", file=with_file, flush=True)
            return [look(sys.stdout), look(sys.stderr), sys.stdout is sys.__stdout__]
    """,
    "stream errors are the original's": """
        import sys
        def handler(event, context):
            found = []
            for call in (lambda: sys.stdout.write(1), lambda: sys.stdout.buffer.write("text"),
                         lambda: sys.stdout.seek(0), lambda: sys.stdout.nothing, lambda: sys.stdout.write(),
                         lambda: sys.stdout.read(), lambda: sys.stdout.writelines([1]),
                         lambda: print("\\ud800", file=sys.stdout)):
                try:
                    found.append(str(call()))
                except Exception as error:
                    found.append(f"{type(error).__name__}: {error}")
            return found
    """,
    "replaces its streams": """
        import contextlib, io, sys
        def handler(event, context):
            caught = io.StringIO()
            with contextlib.redirect_stdout(caught):
                print("caught")
            saved, sys.stdout = sys.stdout, io.StringIO()
            print("lost")
            sys.stdout = saved
            print("seen")
            return caught.getvalue()
    """,
    "logging at debug": """
        import logging
        logging.getLogger().setLevel(logging.DEBUG)
        def handler(event, context):
            logging.debug("debug %s", 1)
            logging.getLogger("a.b").info("info")
            logging.warning("two\\nlines")
            context.log("by the context")
            return [type(handler).__name__ for handler in logging.getLogger().handlers]
    """,
    "logging of its own": """
        import logging, sys
        logger = logging.getLogger("own")
        logger.addHandler(logging.StreamHandler(sys.stdout))
        logger.propagate = False
        logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        def handler(event, context):
            logger.warning("to stdout")
            logging.error("by the runtime's handler")
            return sorted(logging.root.manager.loggerDict)
    """,
    "raises": """
        def deeper(): raise ValueError("unlucky")
        def handler(event, context):
            print("before")
            deeper()
    """,
    "raises in a chain": """
        def handler(event, context):
            try:
                {}["missing"]
            except KeyError as error:
                raise RuntimeError("t\\u00e9e \\n lines") from error
    """,
    "recurses too deep": """
        def depth(n):
            try:
                return depth(n + 1)
            except RecursionError:
                return n
        print(depth(0))
        def handler(event, context):
            return handler(event, context)
    """,
    "returns what is no JSON": """
        def handler(event, context):
            return {1, 2}
    """,
    "raises a BaseException": """
        class Strange(BaseException): pass
        def handler(event, context):
            raise Strange("out")
    """,
    "raises SystemExit": """
        import sys
        def handler(event, context):
            print("leaving")
            sys.exit(3)
    """,
    "raises SystemExit with a text": """
        import sys
        def handler(event, context):
            sys.exit("no more")
    """,
    "raises KeyboardInterrupt": """
        def handler(event, context):
            raise KeyboardInterrupt
    """,
    "leaves by os._exit": """
        import os
        def handler(event, context):
            print("gone")
            os._exit(4)
    """,
    "is killed": """
        import os
        def handler(event, context):
            print("killed")
            os.kill(os.getpid(), 9)
    """,
    "segfaults": """
        import ctypes
        def handler(event, context):
            print("about to fail")
            ctypes.string_at(0)
    """,
    "aborts": """
        import os
        def handler(event, context):
            os.abort()
    """,
    "warns": """
        import warnings
        warnings.warn("at import")
        def warn(): warnings.warn("from the handler", DeprecationWarning, stacklevel=2)
        def handler(event, context):
            warnings.simplefilter("default")
            warn()
            return len(warnings.filters)
    """,
    "threads": """
        import concurrent.futures, threading
        def fail(): raise ValueError("in a thread")
        def handler(event, context):
            thread = threading.Thread(target=fail, name="failing")
            thread.start(); thread.join()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                numbers = list(pool.map(lambda n: n * n, range(10)))
            return [numbers, sorted(t.name for t in threading.enumerate() if "Thread" not in t.name)]
    """,
    "counts its threads": """
        import threading, sys
        def handler(event, context):
            return [threading.active_count(), len(threading._active), threading.current_thread().name]
    """,
    "a time limit by alarm": """
        import signal, time
        class Late(Exception): pass
        def late(number, frame): raise Late("too late")
        signal.signal(signal.SIGALRM, late)
        def handler(event, context):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            lines = 0
            try:
                while True:
                    print("", end="")
                    lines += 1
            except Late as error:
                return str(error)
    """,
    "signals as they are": """
        import signal
        def handler(event, context):
            found = [str(signal.getsignal(n)) for n in (2, 10, 12, 13, 14, 15, 17)]
            return [found, signal.set_wakeup_fd(-1), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]
    """,
    "looks around": """
        import sys, os, site
        def handler(event, context):
            ours = ("wrapper", "log_capture", "wrapt", "firetee", "_wrappers")
            return {
                "modules": [name for name in sys.modules if name.partition(".")[0] in ours],
                "path": sys.path, "meta": [str(finder) for finder in sys.meta_path], "hooks": len(sys.path_hooks),
                "argv": sys.argv, "orig_argv": sys.orig_argv, "main": sys.modules["__main__"].__file__,
                "main names": sorted(sys.modules["__main__"].__dict__), "executable": sys.executable,
                "pythonpath": os.environ.get("PYTHONPATH"), "flags": str(sys.flags), "prefix": sys.prefix,
                "cache": sorted(sys.path_importer_cache),
                "excepthook": sys.excepthook is sys.__excepthook__, "trace": str(sys.gettrace()),
                "spec": getattr(sys.modules["__main__"].__spec__, "name", None), "interval": sys.getswitchinterval(),
                "environ": sorted(name for name in os.environ if not name.startswith("AWS_LAMBDA_EXEC_WRAPPER")),
                "cwd": os.getcwd(), "umask": os.umask(0o22),
            }
    """,
    "imports what is heavy only by itself": """
        import sys
        heavy = ("ssl", "botocore", "boto3", "asyncio", "urllib3", "http.client", "email", "inspect",
                 "hashlib", "socket")
        def loaded(): return [name for name in heavy if name in sys.modules]
        before = loaded()
        def handler(event, context):
            return [before, loaded()]
    """,
    "forks": """
        import os, sys
        def handler(event, context):
            pid = os.fork()
            if not pid:
                print("in the child", flush=True)
                os._exit(5)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    """,
    "multiprocessing": """
        import multiprocessing
        def work(pipe): print("in the child", flush=True); pipe.send(1)
        def handler(event, context):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("fork").Process(target=work, args=(theirs,))
            process.start(); answer = ours.recv(); process.join()
            return [answer, process.exitcode]
    """,
    "subprocess": """
        import subprocess, sys
        def handler(event, context):
            child = "import os, sys; print(len(os.listdir('/proc/self/fd')), 'firetee' in str(sys.path))"
            done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, close_fds=False)
            return [done.stdout, done.stderr, done.returncode]
    """,
    "asyncio": """
        import asyncio
        async def work(): await asyncio.sleep(0.01); print("awaited"); return 7
        def handler(event, context):
            return asyncio.run(work())
    """,
    "tracemalloc and gc": """
        import gc
        class Noisy:
            def __del__(self): print("finalised")
        def handler(event, context):
            one = Noisy(); one.self = one; del one
            gc.collect()
            return len(gc.callbacks)
    """,
    "prints from a finalizer and a trace function": """
        import sys
        def handler(event, context):
            sys.settrace(lambda *args: None)
            print("traced")
            sys.settrace(None)
    """,
    "a large answer": """
        def handler(event, context):
            print("sending")
            return "x" * 2_000_000
    """,
    "binary junk and no newline": """
        import sys
        def handler(event, context):
            sys.stdout.buffer.write(bytes(range(256)) * 10)
            sys.stderr.write("\\x1b[31mred\\x1b[0m")
    """,
    "closes stderr": """
        import sys
        def handler(event, context):
            sys.stderr.close()
            try:
                print("x", file=sys.stderr)
            except ValueError as error:
                return str(error)
    """,
    "import error": "import nothing_of_this_name\n",
    "syntax error": "def handler(:\n",
    "exits at import": "import sys\nprint('leaving')\nsys.exit(9)\n",
    "raises at import": "print('before')\nraise ValueError('at import')\n",
    "no handler": "print('nothing here')\n",
}

#: Those of them that meet what differs between versions: streams, stacks, exits, signals, forks, the import system.
ON_EVERY_PYTHON = (
    "a time limit by alarm",
    "forks",
    "import error",
    "looks around",
    "prints everywhere",
    "raises",
    "raises KeyboardInterrupt",
    "raises SystemExit with a text",
    "raises a BaseException",
    "recurses too deep",
    "signals as they are",
    "stream errors are the original's",
    "streams look the same",
    "syntax error",
    "threads",
)


def names(every_python: bool) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name in FUNCTIONS if (name in ON_EVERY_PYTHON) == every_python])


@names(every_python=True)
def test_a_function_is_seen_the_same_with_and_without_on_every_python(stage: Stage, name: str) -> None:
    bare, teed = stage.both(FUNCTIONS[name], [{}, {}], shutdown=False)
    assert teed.observed == bare.observed


@pytest.mark.newest_python
@names(every_python=False)
def test_a_function_is_seen_the_same_with_and_without(stage: Stage, name: str) -> None:
    bare, teed = stage.both(FUNCTIONS[name], [{}, {}], shutdown=False)
    assert teed.observed == bare.observed


@pytest.mark.newest_python
@pytest.mark.parametrize(
    "name", ["prints everywhere", "logging at debug", "raises", "raises SystemExit", "import error", "warns"]
)
def test_it_is_seen_the_same_without_a_telemetry_fd(stage: Stage, name: str) -> None:
    bare, teed = stage.both(FUNCTIONS[name], [{}, {}], shutdown=False, telemetry=False)
    assert teed.observed == bare.observed


@pytest.mark.newest_python
@pytest.mark.parametrize("name", ["looks around", "raises a BaseException", "recurses too deep", "import error"])
def test_it_is_seen_the_same_where_a_container_image_starts_the_runtime(stage: Stage, name: str) -> None:
    bare, teed = stage.both(FUNCTIONS[name], [{}, {}], shutdown=False, module=True)
    assert teed.observed == bare.observed


@pytest.mark.parametrize("firehose_is", ["well", "down"])
@pytest.mark.parametrize("client", ["direct", "boto3"])
def test_our_client_says_nothing_to_a_root_logger_at_debug(stage: Stage, client: str, firehose_is: str) -> None:
    source = """
        import logging, warnings
        logging.getLogger().setLevel(logging.DEBUG)
        for name in ("boto3", "botocore", "urllib3", "botocore.endpoint", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        def handler(event, context):
            logging.debug("debug")
            warnings.warn("once")
            warnings.warn_explicit("as often as botocore warns", DeprecationWarning, "x.py", 1)
    """
    if firehose_is == "down":
        stage.firehose.otherwise = Step("server_error")
    env = {"FIRETEE_CLIENT": client, "FIRETEE_FLUSH_TIMEOUT_MS": "200", "FIRETEE_LOG_LEVEL": "CRITICAL"}
    bare, teed = stage.both(source, [{}, {}], env=env, shutdown=False)
    assert teed.observed == bare.observed
    assert stage.firehose.calls


@pytest.mark.newest_python
@pytest.mark.parametrize("client", ["direct", "boto3"])
def test_a_function_that_uses_boto3_itself_finds_it_as_it_is(stage: Stage, client: str) -> None:
    source = """
        import logging
        import boto3, botocore.session
        logging.getLogger().setLevel(logging.INFO)
        def handler(event, context):
            one = boto3.client("firehose", region_name="eu-west-1")
            answer = one.put_record_batch(DeliveryStreamName="logs", Records=[{"Data": b'"of its own"\\n'}])
            logging.getLogger("botocore").warning("of its own")
            return [answer["FailedPutCount"], one.meta.region_name, boto3.DEFAULT_SESSION is not None,
                    len(logging.getLogger("botocore").handlers)]
    """
    bare, teed = stage.both(source, [{}, {}], env={"FIRETEE_CLIENT": client}, shutdown=False)
    assert teed.observed == bare.observed


ALARMS = """
    import signal, subprocess, threading, time
    class Late(Exception): pass
    def late(number, frame):
        raise Late
    signal.signal(signal.SIGALRM, late)
    def handler(event, context):
        child = subprocess.Popen(["sh", "-c", "while echo from a child; do sleep 0.002; done"])
        alarms = number = 0
        while alarms < 120:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.003)
                while True:
                    number += 1
                    print("line", number)
            except Late:
                alarms += 1
        child.kill()
        child.wait()
        thread = threading.Thread(target=print, args=("from another thread",))
        thread.start()
        thread.join(5)
        return thread.is_alive()
"""


@pytest.mark.parametrize("capture", ["python", "fd"])
def test_a_hundred_alarms_that_raise_leave_nothing_locked(stage: Stage, capture: str) -> None:
    env = {"FIRETEE_CAPTURE": capture}
    bare, teed = stage.both(ALARMS, [{}, {}], env=env, timeout_s=20)
    for run in (bare, teed):
        assert [response.body for response in run.responses] == [b"false", b"false"]
    assert all(response.seconds < 10 for response in teed.responses)
    assert teed.records().count("from another thread") == 2
    assert b"[firetee]" not in teed.stderr


def test_an_alarm_behind_a_write_does_not_cost_its_line(stage: Stage) -> None:
    """The handler's signal comes, most of the time, while the write is in the kernel."""
    source = """
        import os, signal
        class Late(Exception): pass
        def late(number, frame):
            raise Late
        signal.signal(signal.SIGALRM, late)
        def handler(event, context):
            number = 0
            for _ in range(40):
                signal.setitimer(signal.ITIMER_REAL, 0.002)
                try:
                    while True:
                        number += 1
                        os.write(2, b"")
                        print("line %d\\n" % number, end="")
                except Late:
                    pass
    """
    _, teed = stage.both(source, timeout_s=20)
    seen = teed.stdout.decode().splitlines()
    found = teed.records()
    assert len(seen) - len(set(seen) & set(found)) <= 2
    assert set(found) - set(seen) <= {found[-1]} or len(set(found) - set(seen)) <= 2
