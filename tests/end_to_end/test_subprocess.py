"""Child processes: what they write is where it would have been without us, and in Firehose."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.end_to_end.harness import STREAM, Stage

WAYS = """
    import asyncio, os, subprocess, sys
    SHELL = "echo out-$0; echo err-$0 >&2; printf 'par'; sleep 0.02; echo t-$0; printf 'no newline-%s' $0"

    def handler(event, context):
        print("before")
        subprocess.run(["sh", "-c", SHELL, "run"], check=True)
        print("between")
        code = subprocess.call(SHELL.replace("$0", "call") + "; exit 7", shell=True, stderr=subprocess.STDOUT)
        subprocess.run(["sh", "-c", SHELL, "explicit"], stdout=sys.stdout, stderr=sys.stderr)
        subprocess.run(["sh", "-c", SHELL, "swapped"], stdout=sys.stderr, stderr=sys.__stdout__)
        subprocess.run(["/bin/sh", "-c", SHELL, "spawned"], close_fds=False)
        subprocess.run(["/bin/sh", "-c", SHELL, "joined"], close_fds=False, stderr=subprocess.STDOUT)
        kept = subprocess.run(["sh", "-c", SHELL, "kept"], capture_output=True)
        half = subprocess.run(["sh", "-c", SHELL, "half"], stderr=subprocess.PIPE)
        subprocess.run(["sh", "-c", SHELL, "null"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        async def spawn():
            process = await asyncio.create_subprocess_exec("sh", "-c", SHELL, "async")
            return await process.wait()

        codes = [code, asyncio.run(spawn())]
        codes.append(os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", SHELL, "posix"], os.environ), 0)[1])
        print("after")
        return [codes, kept.stdout.decode(), kept.stderr.decode(), half.stderr.decode()]
"""


def test_inherited_output_is_captured_and_lands_where_it_would_have(stage: Stage) -> None:
    bare, teed = stage.both(WAYS, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.responses[0].status == 200
    expected: Counter[tuple[str, str]] = Counter([("stdout", "before"), ("stdout", "between"), ("stdout", "after")])
    for name in ("run", "call", "explicit", "swapped", "spawned", "joined", "half", "async", "posix"):
        out, err = ("stderr", "stdout") if name == "swapped" else ("stdout", "stderr")
        err = "stdout" if name in ("call", "joined") else err
        expected.update([(out, f"out-{name}"), (out, f"part-{name}"), (out, f"no newline-{name}")])
        if name != "half":
            expected.update([(err, f"err-{name}")])
    got = Counter((line["stream"], line["record"]) for line in teed.lines if line["type"] == "function")
    assert got == expected


@pytest.mark.newest_python
def test_the_order_of_what_a_child_and_its_parent_write_is_kept(stage: Stage) -> None:
    source = """
        import subprocess
        def handler(event, context):
            for number in range(20):
                print("parent", number)
                subprocess.run(["echo", "child", str(number)])
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.stdout == bare.stdout
    assert teed.records() == teed.stdout.decode().splitlines()


@pytest.mark.newest_python
def test_what_a_finished_child_wrote_is_on_its_way_even_if_the_function_dies_at_once(stage: Stage) -> None:
    source = """
        import os, subprocess
        def handler(event, context):
            if event["die"]:
                subprocess.run(["sh", "-c", "echo last words; echo last sigh >&2"])
                os._exit(3)
    """
    with stage.environment(source) as emulator:
        emulator.invoke({"die": True})
        assert (emulator.stdout, emulator.stderr) == (b"last words\n", b"last sigh\n")
        emulator.invoke({"die": False})
        lines = stage.firehose.lines(STREAM)
    texts = [line["record"] for line in lines if line["type"] == "function"]
    assert sorted(texts) == ["last sigh", "last words"]


@pytest.mark.newest_python
def test_a_child_that_outlives_its_invocation_holds_nothing_up_and_is_heard_in_a_later_one(stage: Stage) -> None:
    source = """
        import os, subprocess
        FIFO = os.environ["TMPDIR"] + "/go"
        def handler(event, context):
            if event["start"]:
                os.mkfifo(FIFO)
                global child
                child = subprocess.Popen(["sh", "-c", "echo started; read line <$0; echo went on", FIFO])
                return "returned"
            with open(FIFO, "w") as fifo:
                fifo.write("go\\n")
            return child.wait(5)
    """
    with stage.environment(source) as emulator:
        first = emulator.invoke({"start": True})
        second = emulator.invoke({"start": False})
        lines = stage.firehose.lines(STREAM)
    assert (first.body, second.body) == (b'"returned"', b"0")
    function = [line for line in lines if line["type"] == "function"]
    assert [line["record"] for line in function] == ["started", "went on"]
    assert function[0]["requestId"] != function[1]["requestId"]


@pytest.mark.newest_python
def test_a_child_may_write_more_than_any_pipe_holds(stage: Stage) -> None:
    source = """
        import subprocess
        def handler(event, context):
            return subprocess.call(["sh", "-c", "yes 0123456789 | head -n 30000"])
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.records() == ["0123456789"] * 30_000


@pytest.mark.newest_python
def test_lines_of_children_that_write_at_the_same_time_do_not_mix(stage: Stage) -> None:
    source = """
        import subprocess
        SHELL = "for i in 1 2 3 4 5 6 7 8 9; do printf $0; sleep 0.001; printf '%s\\n' $0; done"
        def handler(event, context):
            children = [subprocess.Popen(["sh", "-c", SHELL, name * 10]) for name in "abcd"]
            print([child.wait() for child in children])
    """
    teed = stage.run(source)
    assert sorted(teed.records()) == sorted([c * 20 for c in "abcd"] * 9 + ["[0, 0, 0, 0]"])


@pytest.mark.newest_python
def test_a_shell_may_open_dev_stderr_anew(stage: Stage) -> None:
    source = """
        import subprocess
        def handler(event, context):
            subprocess.run("echo first >&2; echo second >/dev/stderr; echo third >&2", shell=True)
    """
    teed = stage.run(source)
    assert teed.stderr == b"first\nsecond\nthird\n"
    assert teed.records() == ["first", "second", "third"]


@pytest.mark.newest_python
def test_output_that_the_function_redirected_on_the_descriptor_is_its_own(stage: Stage) -> None:
    source = """
        import os, subprocess
        def handler(event, context):
            kept = os.dup(1)
            with open(os.environ["TMPDIR"] + "/own", "w+") as own:
                os.dup2(own.fileno(), 1)
                subprocess.run(["echo", "for the file"])
                os.dup2(kept, 1)
                own.seek(0)
                read = own.read()
            subprocess.run(["echo", "for all"])
            return read
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.responses[0].body == b'"for the file\\n"'
    assert teed.records() == ["for all"]


@pytest.mark.newest_python
def test_a_function_that_forks_itself_and_its_children_do_not_disturb_each_other(stage: Stage) -> None:
    source = """
        import os, subprocess
        def handler(event, context):
            child = subprocess.Popen(["sh", "-c", "read line; echo $line"], stdin=subprocess.PIPE)
            pid = os.fork()
            if not pid:
                print("forked")
                subprocess.run(["echo", "child of the forked"])
                os._exit(0)
            os.waitpid(pid, 0)
            child.communicate(b"child of the first\\n")
    """
    bare, teed = stage.both(source, [{}, {}], shutdown=False)
    assert teed.observed == bare.observed
    once = {(line["environment"], line["seq"]): line["record"] for line in teed.lines if line["type"] == "function"}
    assert Counter(once.values()) == {"forked": 2, "child of the forked": 2, "child of the first": 2}


@pytest.mark.newest_python
def test_children_of_a_bundled_preexec_function_are_started_as_ever(stage: Stage) -> None:
    source = """
        import os, subprocess
        def handler(event, context):
            return subprocess.run("echo $$; nice", shell=True, preexec_fn=lambda: os.nice(3)).returncode
    """
    bare, teed = stage.both(source, shutdown=False)
    assert teed.responses[0].body == bare.responses[0].body
    assert bare.stdout.splitlines()[1] == teed.stdout.splitlines()[1]
    assert teed.records() == teed.stdout.decode().splitlines()
