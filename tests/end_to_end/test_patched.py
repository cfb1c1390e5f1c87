"""Functions that change the standard library under us: eventlet and gevent patch it, freezegun stops its clock."""

from __future__ import annotations

import pytest

from tests.end_to_end.harness import Stage

#: Every function of these modules is replaced, as `eventlet.monkey_patch()` does with some of them; those that firetee
#: calls all the same are returned.
PATCHING = """
    import _thread, os, select, signal, socket, subprocess, sys, threading, time

    called = set()

    def patch(module, name):
        original = getattr(module, name)
        def patched(*args, **kwargs):
            file = sys._getframe(1).f_code.co_filename
            ours = "/firetee/log_capture/" in file or "/firetee/wrapper/" in file
            if ours and name != "waitpid":  # which is wrapped: it is the function's own call that is passed on
                called.add(f"{module.__name__}.{name} by {os.path.basename(file)}")
            return original(*args, **kwargs)
        setattr(module, name, patched)

    def patch_all():
        for module in (os, select, signal, time, _thread):
            for name, value in list(vars(module).items()):
                if callable(value) and not isinstance(value, type) and not name.startswith("__"):
                    patch(module, name)

    def handler(event, context):
        if event["number"] == 1:
            patch_all()
        print("before", event["number"])
        subprocess.run(["sh", "-c", "echo from a child; echo to stderr >&2"], check=True)
        child = subprocess.Popen(["sh", "-c", "echo early; read line; echo late"], stdin=subprocess.PIPE)
        for number in range(3):
            print("while it runs", number)
        child.communicate(b"go on\\n")
        pid = os.fork()
        if not pid:
            print("from a fork")
            os._exit(0)
        os.waitpid(pid, 0)
        open(os.path.join(os.environ["TMPDIR"], "file"), "w").close()
        os.listdir(os.environ["TMPDIR"])
        return sorted(called)
"""


@pytest.mark.parametrize("capture", ["python", "fd"])
@pytest.mark.parametrize("client", ["direct"])
def test_nothing_of_ours_calls_what_the_function_has_patched(stage: Stage, capture: str, client: str) -> None:
    env = {"FIRETEE_CAPTURE": capture, "FIRETEE_CLIENT": client}
    bare, teed = stage.both(PATCHING, [{"number": 1}, {"number": 2}], env=env)
    assert [response.json() for response in bare.responses] == [[], []]
    assert [response.json() for response in teed.responses] == [[], []]
    assert len(teed.stdout) == len(bare.stdout)
    # A child that dies (`os._exit`) between a delivery and its note of it leaves a line that is sent again.
    lines = {(line["environment"], line["seq"]): line["record"] for line in teed.lines if line["type"] == "function"}
    found = list(lines.values())
    assert found.count("late") == found.count("from a fork") == found.count("to stderr") == 2


def test_a_read_that_waits_for_more_does_not_hold_up_print(stage: Stage) -> None:
    """What `eventlet` makes of `os.read`: where there is nothing to read it lets others run until there is."""
    source = """
        import os, select, subprocess
        read = os.read
        def green_read(fd, size):
            while True:
                try:
                    return read(fd, size)
                except BlockingIOError:
                    select.select([fd], [], [])
        os.read = green_read
        def handler(event, context):
            child = subprocess.Popen(["sh", "-c", "read line; echo done"], stdin=subprocess.PIPE)
            print("while it runs")
            child.communicate(b"go on\\n")
    """
    bare, teed = stage.both(source, timeout_s=5)
    assert bare.responses[0].body == teed.responses[0].body == b"null"
    assert teed.records() == ["while it runs", "done"]


@pytest.mark.newest_python
def test_a_clock_that_stands_still_stops_neither_lines_nor_their_times(stage: Stage) -> None:
    """As `freezegun` does. A line's time is the real one; a frame has the time that the runtime gave it."""
    source = """
        import logging, time
        def handler(event, context):
            frozen = 1_000_000_000
            for name in ("time", "monotonic", "perf_counter"):
                setattr(time, name, lambda: float(frozen))
                setattr(time, name + "_ns", lambda: frozen * 10**9)
            print("printed")
            logging.getLogger().warning("logged")
    """
    bare, teed = stage.both(source, [{}, {}], shutdown=False)
    assert [response.status for response in teed.responses] == [200, 200]
    lines = [line for line in teed.lines if line["type"] == "function"]
    times = {line["record"].split("\t")[-1].strip(): line["time"][:4] for line in lines}
    assert times["printed"] != "2001"
    assert times["logged"] == "2001"
    assert all(line["time"][:4] != "2001" for line in teed.lines if line["type"].startswith("platform."))
    assert len(teed.frames) == len(bare.frames)
