"""Whatever a function does to the files in `/tmp`: it fares as it does alone, and no line is missing."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from tests.end_to_end.complete import texts
from tests.end_to_end.harness import STREAM, Stage

#: How functions tidy up, between two lines; some do it after each invocation, for hygiene.
TIDYING = {
    "truncate what glob finds": """
        for path in glob.glob(tmp + "/*"): open(path, "w").close()
    """,
    "truncate everything": """
        for folder, _, names in os.walk(tmp):
            for name in names: open(os.path.join(folder, name), "w").close()
    """,
    "truncate everything by another program": """
        subprocess.run(["find", tmp, "-type", "f", "-exec", "truncate", "-s", "0", "{}", "+"], check=True)
    """,
    "shred everything": """
        subprocess.run("find $TMPDIR -type f -exec shred --force --iterations=1 {} +", shell=True, check=True)
    """,
    "shred and remove everything": """
        subprocess.run("find $TMPDIR -type f -exec shred --force --iterations=1 --remove {} +", shell=True, check=True)
    """,
    "remove every folder": """
        for name in os.listdir(tmp): shutil.rmtree(os.path.join(tmp, name))
    """,
    "remove every file": """
        for name in os.listdir(tmp): os.remove(os.path.join(tmp, name))
    """,
    "remove what scandir finds": """
        for entry in os.scandir(tmp): os.remove(entry)
    """,
    "remove what pathlib finds": """
        for path in pathlib.Path(tmp).iterdir(): path.unlink()
    """,
    "remove everything by another program": """
        subprocess.run(["find", tmp, "-mindepth", "1", "-delete"], check=True)
    """,
    "see that it is empty": """
        os.chdir(tmp)
        found = [os.listdir(tmp), os.listdir(), os.listdir(tmp.encode()), os.listdir(pathlib.Path(tmp)),
                 [entry.name for entry in os.scandir()], glob.glob(tmp + "/.*"), list(os.walk(tmp))]
        assert found == [[], [], [], [], [], [], [(tmp, [], [])]], found
    """,
    "overwrite what is open": """
        for number in range(3, 2000):
            try:
                if os.readlink(f"/proc/self/fd/{number}").startswith(tmp): os.truncate(number, 0)
            except OSError: pass
    """,
}

SOURCE = """
    import glob, os, pathlib, shutil, subprocess
    tmp = os.environ["TMPDIR"]
    def handler(event, context):
        print("before", event["way"])
        exec(event["code"], globals())
        print("after", event["way"])
        if event.get("die"): os._exit(1)
        return event["way"]
"""


def tidying(way: str, **further: bool) -> dict[str, object]:
    """The event that makes the function tidy up in one of these ways."""
    return {"way": way, "code": textwrap.dedent(TIDYING[way]), **further}


PATIENT = {"FIRETEE_LINGER_MS": "60000"}


@pytest.mark.parametrize("flush", ["before-return", "batched"])
def test_a_function_that_tidies_up_fares_as_it_does_alone_and_loses_no_line(stage: Stage, flush: str) -> None:
    """`batched`: each way finds lines of earlier invocations that were not sent yet.

    (An environment without an extension is ended by SIGKILL, one with an extension by SIGTERM.)
    """
    env = {**PATIENT, "FIRETEE_FLUSH": flush}
    bare, teed = stage.both(SOURCE, [tidying(way) for way in TIDYING], env=env, timeout_s=30)
    assert [response.json() for response in bare.responses] == list(TIDYING)
    assert replace(teed.observed, exits=bare.exits) == bare.observed
    assert texts(teed.lines) == [f"{when} {way}" for way in TIDYING for when in ("before", "after")]


@pytest.mark.newest_python
def test_with_native_code_captured_it_fares_no_worse(stage: Stage) -> None:
    env = {**PATIENT, "FIRETEE_CAPTURE": "fd"}
    bare, teed = stage.both(SOURCE, [tidying(way) for way in TIDYING], env=env, timeout_s=30)
    assert replace(teed.observed, exits=bare.exits) == bare.observed
    assert texts(teed.lines) == [f"{when} {way}" for way in TIDYING for when in ("before", "after")]


@pytest.mark.newest_python
def test_the_invocation_after_a_wipe_has_a_journal_again(stage: Stage) -> None:
    ways = ["truncate everything", "shred everything", "remove every folder", "remove everything by another program"]
    with stage.environment(SOURCE, env=PATIENT) as emulator:
        for way in ways:
            emulator.invoke(tidying("see that it is empty"))
            emulator.invoke(tidying(way))
            emulator.invoke(tidying("see that it is empty", die=True))
        emulator.invoke(tidying("see that it is empty"))
        emulator.shutdown()
    found = texts(stage.firehose.lines(STREAM))
    assert [found.count(f"after {way}") for way in ways] == [1] * len(ways)
    assert found.count("after see that it is empty") == 2 * len(ways) + 1


@pytest.mark.newest_python
@pytest.mark.parametrize("way", ["remove everything by another program", "truncate everything"])
def test_a_wipe_and_then_a_crash_in_the_same_invocation_lose_nothing(stage: Stage, way: str) -> None:
    """Once something was written a hundredth of a second after it: so often the file is looked at."""
    pause = "import time; until = time.monotonic() + 0.05\n        while time.monotonic() < until: pass\n        "
    source = SOURCE.replace("if event.get", pause + "print('last words')\n        if event.get")
    with stage.environment(source, env=PATIENT) as emulator:
        emulator.invoke(tidying(way, die=True))
        emulator.invoke(tidying("see that it is empty"))
        emulator.shutdown()
    found = texts(stage.firehose.lines(STREAM))
    assert {f"before {way}", f"after {way}"} <= set(found)
    assert found.count("last words") == 2


@pytest.mark.newest_python
def test_a_folder_of_its_own_can_be_removed_with_the_journals_in_it(stage: Stage) -> None:
    source = """
        import os, shutil
        folder = os.environ["FIRETEE_JOURNAL_DIR"]
        os.makedirs(folder, exist_ok=True)
        def handler(event, context):
            print("before")
            os.makedirs(folder, exist_ok=True)
            shutil.rmtree(folder)
            return os.path.exists(folder)
    """
    env = {"FIRETEE_JOURNAL_DIR": str(stage.folder / "journals")}
    (stage.folder / "journals").mkdir()
    bare, teed = stage.both(source, [{}, {}], env=env)
    assert [response.json() for response in bare.responses] == [False, False]
    assert [response.json() for response in teed.responses] == [False, False]
    assert texts(teed.lines) == ["before", "before"]
