"""What child processes of `multiprocessing` write, by start method: see docs/capture.md."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.end_to_end.harness import Result, Stage

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
