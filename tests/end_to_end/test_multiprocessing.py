"""What child processes of `multiprocessing` write, by start method: see docs/capture.md."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.end_to_end.harness import STREAM, Result, Stage

WORK = """
    import sys
    def work(name):
        sys.stdout.write(f"child {name}\\n")  # in one call, which the other child's cannot divide
        sys.stderr.write(f"child to stderr {name}\\n")
"""
SOURCE = """
    import multiprocessing, work
    def handler(event, context):
        method = multiprocessing.get_context(event["method"])
        children = [method.Process(target=work.work, args=(name,)) for name in "ab"]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print("joined", [child.exitcode for child in children])
"""


def once(result: Result) -> list[dict[str, object]]:
    """The function's lines, without what was delivered twice: a child may die between delivery and its note of it."""
    lines = {(line["environment"], line["seq"]): line for line in result.lines if line["type"] == "function"}
    return list(lines.values())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_every_start_method_are_captured(stage: Stage, method: str) -> None:
    bare, teed = stage.both(SOURCE, [{"method": method}], files={"work.py": WORK}, shutdown=False)
    assert [response.body for response in teed.responses] == [response.body for response in bare.responses]
    for mine, theirs in ((teed.stdout, bare.stdout), (teed.stderr, bare.stderr)):
        assert sorted(mine.splitlines()) == sorted(theirs.splitlines())
    lines = once(teed)
    expected = (teed.stdout + teed.stderr).decode().splitlines()
    assert "child a" in expected
    assert Counter(str(line["record"]) for line in lines) == Counter(expected)


@pytest.mark.newest_python
def test_a_forked_child_has_an_environment_of_its_own_and_the_invocations_ids(stage: Stage) -> None:
    teed = stage.run(SOURCE, [{"method": "fork"}], files={"work.py": WORK})
    lines = once(teed)
    environments = {str(line["record"]).split()[-1]: line["environment"] for line in lines if "child" in str(line)}
    assert len({*environments.values(), lines[-1]["environment"]}) == 3
    assert len({line["requestId"] for line in lines}) == 1


@pytest.mark.newest_python
def test_a_spawned_child_is_heard_through_its_parent(stage: Stage) -> None:
    teed = stage.run(SOURCE, [{"method": "spawn"}], files={"work.py": WORK})
    assert len({line["environment"] for line in teed.lines}) == 1


@pytest.mark.newest_python
def test_executors_work_and_are_captured(stage: Stage) -> None:
    source = """
        import concurrent.futures, multiprocessing, work
        def handler(event, context):
            context = multiprocessing.get_context("fork")
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
                list(executor.map(work.work, "abcdef"))
    """
    teed = stage.run(source, files={"work.py": WORK})
    names = Counter(str(line["record"]) for line in once(teed) if line["stream"] == "stdout")
    assert names == Counter(f"child {name}" for name in "abcdef")


@pytest.mark.parametrize("way", ["a process", "a fork", "a pool"])
def test_while_a_forked_child_is_waited_for_the_parent_is_heard(stage: Stage, way: str) -> None:
    """Its lines go out after a linger, the timeout is explained, and SIGTERM ends it with a last report.

    (What a pool's own threads do when its workers end by the same signal may cut the report short.)
    """
    source = """
        import multiprocessing, os, time
        WAYS = {
            "a process": lambda: multiprocessing.get_context("fork").Process(target=time.sleep, args=(20,)),
            "a pool": lambda: multiprocessing.get_context("fork").Pool(2),
        }
        def handler(event, context):
            print("before the fork")
            if event == "a fork":
                pid = os.fork()
                if not pid:
                    time.sleep(20)
                    os._exit(0)
                os.waitpid(pid, 0)
            elif event == "a process":
                process = WAYS[event]()
                process.start()
                process.join()
            else:
                WAYS[event]().map(time.sleep, [20, 20])
    """
    with stage.environment(source, env={"FIRETEE_LINGER_MS": "50"}, timeout_s=1) as emulator:
        answer = emulator.invoke(way)
        last = b"firetee.timeoutWarning" if way == "a pool" else b"platform.report"
        stage.firehose.wait_until(lambda: last in b"".join(stage.firehose.records(STREAM)))
        lines = stage.firehose.lines(STREAM)
    assert b"Task timed out" in answer.body
    kinds = [line["type"] for line in lines]
    assert "before the fork" in [line["record"] for line in lines]
    assert "firetee.timeoutWarning" in kinds
    assert ("platform.report" in kinds) or way == "a pool"


@pytest.mark.parametrize("lines", [1, 300])
def test_workers_of_a_pool_that_end_by_themselves_repeat_no_line(stage: Stage, lines: int) -> None:
    source = f"""
        import multiprocessing
        def work(number):
            for line in range({lines}):
                print("work", number, line)
        def handler(event, context):
            with multiprocessing.get_context("fork").Pool(4) as pool:
                pool.map(work, range(8))
                pool.close()
                pool.join()
            print("done")
    """
    result = stage.run(source, [{}] * 5, env={"FIRETEE_LINGER_MS": "20"}, timeout_s=30)
    found = Counter((line["environment"], line["seq"]) for line in result.lines)
    assert len(found) > 5 * 8 * lines
    assert found.total() == len(found)


def test_what_a_preexec_fn_writes_is_recorded_where_the_child_s_output_is(stage: Stage) -> None:
    source = """
        import os, subprocess, sys
        def before():
            print("before the program", flush=True)
            sys.stderr.write("to stderr\\n")
            os.write(1, b"by os.write\\n")
        def handler(event, context):
            piped = subprocess.run(["echo", "piped"], preexec_fn=before, stdout=subprocess.PIPE).stdout
            subprocess.run(["echo", "inherited"], preexec_fn=before)
            print("afterwards")
            return piped.decode()
    """
    bare, teed = stage.both(source, [{}, {}], shutdown=False)
    assert teed.observed == bare.observed
    out = ["before the program", "by os.write", "inherited", "afterwards"]
    records = [line["record"] for line in teed.lines if line.get("stream") == "stdout"]
    assert records == out * 2
    assert [line["record"] for line in teed.lines if line.get("stream") == "stderr"] == ["to stderr"] * 4
