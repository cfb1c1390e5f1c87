"""A function may close any descriptor and open other files under its number: nothing of ours gets into them."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.complete import texts
from tests.end_to_end.harness import Stage

#: Files and connections of the function's take the numbers of descriptors that it has closed.
TAKING = """
    import os, select, socket, subprocess, time

    def mine():
        return sorted(int(name) for name in os.listdir("/proc/self/fd") if int(name) >= 900)

    def take(numbers, name):
        # files under these numbers, each with its own content
        for number in numbers:
            fd = os.open(f"{os.environ['TMPDIR']}/{name}-{number}", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(fd, number)
            if fd != number: os.close(fd)
            os.write(number, b"precious")

    def left(name):
        found = set()
        for file in os.listdir(os.environ["TMPDIR"]):
            if file.startswith(name + "-"):
                found.add(open(f"{os.environ['TMPDIR']}/{file}", "rb").read())
        return sorted(map(repr, found))

    def listen():
        here, there = socket.socketpair()
        for number in range(1000, 1010):
            os.dup2(here.fileno(), number)
        there.setblocking(False)
        return here, there
"""

IN_THE_PARENT = (
    TAKING
    + """
    def handler(event, context):
        global pair
        print("before", event)
        if event == 2:
            numbers = mine() or list(range(1000, 1010))
            os.closerange(900, 1024)
            take(numbers, "parent")
            select.select([], [], [], 0.02)
        if event == 3:
            os.closerange(900, 1024)
            pair = listen()
            select.select([], [], [], 0.02)
        print("after", event)
        subprocess.run(["echo", "from a child"], check=True)
        select.select([], [], [], 0.2)  # the sender looks, and uses what it takes for its own
        if event < 4:
            return left("parent")
        try:
            return repr(pair[1].recv(4096))
        except BlockingIOError:
            return "nothing came"
"""
)


def test_nothing_of_ours_gets_into_files_that_took_our_numbers(stage: Stage) -> None:
    """The journal's descriptor is looked at once in 10 ms while the function writes, the others at each use."""
    env = {"FIRETEE_LINGER_MS": "50"}
    bare, teed = stage.both(IN_THE_PARENT, [1, 2, 3, 4, 4], env=env, timeout_s=20)
    answers = [response.json() for response in bare.responses]
    assert answers == [[], ["b'precious'"], ["b'precious'"], "nothing came", "nothing came"]
    assert [response.json() for response in teed.responses] == answers
    assert {f"{when} {event}" for event in (1, 2) for when in ("before", "after")} <= set(texts(teed.lines))


DAEMON = (
    TAKING
    + """
    def daemon():
        pid = os.fork()
        if pid:
            return os.waitpid(pid, 0)[1]
        os.setsid()
        if os.fork():
            os._exit(0)
        os.closerange(0, 4096)
        take(range(0, 40), "daemon")
        take(range(1000, 1012), "daemon")
        print("into a file of its own", flush=True)
        os.close(os.open(os.environ["TMPDIR"] + "/done", os.O_CREAT | os.O_WRONLY))
        os._exit(0)

    def handler(event, context):
        print("before", event)
        if event == 1:
            daemon()
            while not os.path.exists(os.environ["TMPDIR"] + "/done"):
                time.sleep(0.01)
        print("after", event)
        return left("daemon")
"""
)


def test_a_daemon_that_closes_everything_has_its_files_to_itself(stage: Stage) -> None:
    bare, teed = stage.both(DAEMON, [1, 2], timeout_s=20)
    answers: list[Any] = [response.json() for response in bare.responses]
    assert "b'precious'" in answers[0]
    assert [response.json() for response in teed.responses] == answers
    found = [text for text in texts(teed.lines) if text.startswith(("before", "after"))]
    assert found == ["before 1", "after 1", "before 2", "after 2"]


def test_the_function_gets_the_same_descriptors_as_without_us(stage: Stage) -> None:
    source = """
        import os
        def handler(event, context):
            print("hello")
            fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]
            for fd in fds: os.close(fd)
            return fds
    """
    bare, teed = stage.both(source, [1, 2])
    assert [response.body for response in teed.responses] == [response.body for response in bare.responses]
