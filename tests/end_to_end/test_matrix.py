"""One life on every CPython found here with every version of the runtime client that installs there.

The quick subset has the newest client on each CPython; `make matrix` has them all.
"""

from __future__ import annotations

from collections import Counter

from firetee import runtimes
from tests.end_to_end.harness import STREAM, Stage

LIFE = """
    import json, logging, os, subprocess, sys, threading
    logging.getLogger().setLevel("INFO")
    print("imported")

    def handler(event, context):
        print("printed", event["number"])
        print(json.dumps({"level": "warn", "number": event["number"]}))
        sys.stderr.write("to stderr\\n")
        logging.getLogger("life").info("logged")
        subprocess.run(["echo", "from a child"])
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()
        pid = os.fork()
        if not pid:
            print("from a fork")
            os._exit(0)
        os.waitpid(pid, 0)
        if event["number"] == 2:
            raise LookupError("nothing there")
        if event["number"] == 3:
            print("last words")
            os._exit(7)
        return {"number": event["number"]}
"""
EVENTS = [{"number": number} for number in (1, 2, 3, 4)]
LINES = Counter(["to stderr", "from a child", "from a thread", "from a fork"] * 4)


def test_a_life_is_seen_the_same_and_is_delivered_whole(stage: Stage) -> None:
    bare, teed = stage.both(LIFE, EVENTS, shutdown=False)
    assert teed.observed == bare.observed
    assert teed.exits[0] == 7


def test_a_life_is_delivered_whole_with_its_context(stage: Stage) -> None:
    with stage.environment(LIFE) as emulator:
        for event in EVENTS:
            emulator.invoke(event)
        emulator.shutdown()
        exits = emulator.exits
    assert len(exits) == 2
    lines = list({(line["environment"], line["seq"]): line for line in stage.firehose.lines(STREAM)}.values())
    function = [line for line in lines if line["type"] == "function"]
    texts = Counter(line["record"] for line in function if isinstance(line["record"], str))
    objects = [line["record"] for line in function if isinstance(line["record"], dict)]
    assert texts >= LINES
    assert texts["imported"] == 2
    assert texts["last words"] == 1
    assert {f"printed {number}" for number in (1, 2, 3, 4)} <= texts.keys()
    assert [record["number"] for record in objects if record.get("level") == "warn"] == [1, 2, 3, 4]
    assert sum("nothing there" in str(line["record"]) for line in function) == 1
    assert sum("logged" in str(line["record"]) for line in function) == 4
    assert {line["type"] for line in lines} >= {"platform.initStart", "platform.start", "platform.report"}
    environments = Counter(line["environment"] for line in lines)
    for environment in environments:
        numbers = [line["seq"] for line in lines if line["environment"] == environment]
        assert sorted(numbers) == list(range(len(numbers)))


def test_the_matrix_has_every_generation_of_the_client() -> None:
    combinations = {(python.minor, ric) for python, ric in runtimes.combinations()}
    without_wheel = {"2.2.1": ("3.13", "3.14", "3.15"), "3.0.2": ("3.14", "3.15"), "3.1.1": ("3.15",)}
    for python in runtimes.installed():
        for ric in ("2.2.1", "3.0.2", "3.1.1", "4.0.1", "4.0.2", "4.0.4", "4.1.0", "4.2.0", "4.2.2"):
            assert ((python.minor, ric) in combinations) == (python.minor not in without_wheel.get(ric, ()))
