"""`FIRETEE_CAPTURE=fd`: native code's output is in Firehose and where it would have been; Python's goes its own way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.end_to_end.harness import STREAM, Stage

FD = {"FIRETEE_CAPTURE": "fd"}


def test_native_output_is_captured_and_lands_where_it_would_have(stage: Stage) -> None:
    source = """
        import ctypes, os, subprocess, sys
        libc = ctypes.CDLL(None)

        def handler(event, context):
            print("python")
            os.write(1, b"os.write\\n")
            print("python again")
            os.write(2, b"to stderr\\n")
            print("python to stderr", file=sys.stderr)
            libc.puts(b"puts")
            libc.fflush(None)
            os.system("echo os.system; echo err >&2")
            os.write(sys.stdout.fileno(), b"by number\\n")
            subprocess.run(["echo", "subprocess"])
            os.writev(1, [b"ve", b"ctor\\n"])
            print("end")
            return [sys.stdout.fileno(), sys.__stderr__.fileno(), sys.stdout.buffer.fileno(), repr(sys.__stdout__)]
    """
    bare, teed = stage.both(source, [{}, {}], env=FD, shutdown=False)
    assert teed.observed == bare.observed
    assert Counter(teed.records()) == Counter((teed.stdout + teed.stderr).decode().splitlines())
    streams = {line["record"]: line["stream"] for line in teed.lines if line["type"] == "function"}
    assert streams["to stderr"] == streams["err"] == "stderr"
    assert streams["puts"] == streams["os.system"] == "stdout"


@pytest.mark.newest_python
def test_ten_megabytes_printed_with_the_gil_held_do_not_hang(stage: Stage) -> None:
    source = """
        import ctypes
        libc = ctypes.PyDLL(None)  # unlike CDLL, calls with the GIL held
        LINE = b"x" * 99_999 + b"\\n"

        def handler(event, context):
            for _ in range(100):
                libc.write(1, LINE, len(LINE))
            libc.write(1, LINE * 10, 10 * len(LINE))
            return "done"
    """
    env = {**FD, "FIRETEE_COMPRESSION": "gzip", "FIRETEE_FLUSH_TIMEOUT_MS": "9000"}
    teed = stage.run(source, env=env)
    assert teed.responses[0].body == b'"done"'
    assert teed.stdout == (b"x" * 99_999 + b"\n") * 110
    assert teed.records() == ["x" * 99_999] * 110


@pytest.mark.newest_python
def test_what_was_copied_takes_no_disk(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            for _ in range(8):
                os.write(1, b"y" * 999_999 + b"\\n")
                print()  # a copy is made before Python writes
            spool = os.fstat(1)
            return [spool.st_size, spool.st_blocks * 512]
    """
    teed = stage.run(source, env={**FD, "FIRETEE_FLUSH_TIMEOUT_MS": "1"}, shutdown=False)
    answer: Any = teed.responses[0].json()
    size, on_disk = answer
    assert size == 8_000_000
    assert on_disk < 3_000_000


@pytest.mark.newest_python
@pytest.mark.parametrize("death", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "faulthandler._sigsegv()"])
def test_after_a_crash_nothing_of_native_code_is_missing(stage: Stage, death: str) -> None:
    source = f"""
        import faulthandler, os, signal
        faulthandler.enable()
        def handler(event, context):
            if event["die"]:
                print("python")
                os.write(1, b"native last words\\n")
                os.write(2, b"and to stderr")
                {death}
            return "alive"
    """
    with stage.environment(source, env=FD) as emulator:
        emulator.invoke({"die": True})
        assert emulator.stdout.startswith(b"python\n")
        assert emulator.invoke({"die": False}).body == b'"alive"'
        stdout, stderr = emulator.stdout, emulator.stderr
        lines = [line for line in stage.firehose.lines(STREAM) if line["type"] == "function"]
        left = list(emulator.tmp.glob(".firetee-*/*.fd*"))
    assert stdout == b"python\nnative last words\n"
    assert stderr.startswith(b"and to stderr")
    assert ("Fatal Python error" in stderr.decode()) == ("sigsegv" in death)
    assert len({line["environment"] for line in lines}) == 1
    texts = [line["record"] for line in lines]
    assert texts[:2] == ["python", "native last words"]
    assert "\n".join(texts[2:]).rstrip() == stderr.decode().rstrip()
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    assert len(left) == 2  # the living process's own


@pytest.mark.newest_python
def test_what_the_function_redirects_on_the_descriptor_is_its_own(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            kept = os.dup(1)
            with open(os.environ["TMPDIR"] + "/own", "w+") as own:
                os.dup2(own.fileno(), 1)
                print("python for the file")
                os.write(1, b"native for the file\\n")
                os.dup2(kept, 1)
                own.seek(0)
                read = own.read()
            os.close(kept)
            print("python for all")
            os.write(1, b"native for all\\n")
            return read
    """
    bare, teed = stage.both(source, [{}, {}], env=FD, shutdown=False)
    assert teed.observed == bare.observed


def test_native_and_python_output_stay_in_order_around_a_redirection(stage: Stage) -> None:
    source = """
        import os
        kept = os.dup(2)
        def handler(event, context):
            os.write(1, b"native before\\n")
            saved = os.dup(1)
            os.dup2(kept, 1)
            print("python for stderr")
            os.write(1, b"native for stderr\\n")
            os.dup2(saved, 1)
            os.write(1, b"native after\\n")
            print("python after")
            os.close(saved)
    """
    bare, teed = stage.both(source, [{}, {}], env=FD, shutdown=False)
    assert teed.observed == bare.observed


def test_what_a_shell_writes_over_its_output_is_seen_each_time(stage: Stage) -> None:
    """The emulator does not let its own stderr be opened anew: compared with what the shell would have written."""
    source = """
        import os
        def handler(event, context):
            return [os.system("echo oops > /dev/stderr") for _ in range(3)]
    """
    _, teed = stage.both(source, [{}, {}], env=FD, shutdown=False)
    assert [response.json() for response in teed.responses] == [[0, 0, 0]] * 2
    assert teed.records() == ["oops"] * 6


@pytest.mark.newest_python
def test_a_closed_stdout_fails_as_it_would_have(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            os.close(1)
            print("nowhere")
    """
    bare, teed = stage.both(source, env=FD, shutdown=False)
    assert b"Bad file descriptor" in bare.responses[0].body
    assert teed.observed == bare.observed


@pytest.mark.newest_python
def test_native_output_goes_out_while_the_handler_runs(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            os.write(1, b"early\\n")
            open(os.environ["TMPDIR"] + "/gate").read()  # until the test has seen the line in Firehose
    """
    import os
    import threading

    with stage.environment(source, env={**FD, "FIRETEE_LINGER_MS": "50"}) as emulator:
        os.mkfifo(emulator.tmp / "gate")
        caller = threading.Thread(target=emulator.invoke, args=({},))
        caller.start()
        try:
            stage.firehose.wait_until(lambda: any("early" in str(record) for record in stage.firehose.records(STREAM)))
        finally:
            (emulator.tmp / "gate").write_text("go on")
            caller.join()
        assert emulator.stdout == b"early\n"


@pytest.mark.newest_python
def test_another_program_in_our_place_writes_to_the_original_descriptors(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            os.write(1, b"before\\n")
            try:
                os.execv("/nowhere", ["nowhere"])
            except FileNotFoundError:
                os.write(1, b"still here\\n")
            os.execvp("sh", ["sh", "-c", "echo after"])
    """
    bare, teed = stage.both(source, env=FD, shutdown=False)
    assert teed.stdout == bare.stdout == b"before\nstill here\nafter\n"


@pytest.mark.newest_python
def test_a_forked_child_writes_natively_into_its_parents_lines(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            pid = os.fork()
            if not pid:
                os.write(1, b"from the child\\n")
                os._exit(0)
            os.waitpid(pid, 0)
            print("from the parent")
    """
    bare, teed = stage.both(source, env=FD, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records() == ["from the child", "from the parent"]


@pytest.mark.newest_python
def test_output_at_the_very_end_is_not_swallowed(stage: Stage) -> None:
    source = """
        import ctypes, sys
        libc = ctypes.CDLL(None)
        def handler(event, context):
            libc.puts(b"in libc's buffer until exit")
            sys.exit(0)
    """
    bare, teed = stage.both(source, env=FD, shutdown=False)
    assert teed.stdout == bare.stdout == b"in libc's buffer until exit\n"
