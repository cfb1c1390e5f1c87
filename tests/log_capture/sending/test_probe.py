"""A probe asks little, so that even a small function with a large backlog finds out in time that Firehose is back."""

from __future__ import annotations

from log_capture.sending.failures import REFUSED
from tests.fakes.client import ScriptedClient, failure, refuses
from tests.log_capture.sending.test_delivery import Scene


def probe(scene: Scene) -> bool:
    return scene.delivery.send([scene.source], scene.clock.now + 0.2, scene.clock.pause, tries=1, probe=True)


def test_a_probe_is_one_call_with_one_record() -> None:
    client = ScriptedClient()
    scene = Scene(client)
    scene.write("a", "b", "c")
    assert probe(scene)
    assert [put.records for put in client.puts] == [(b"a\n",)]
    assert scene.send()
    assert scene.lines == ["a", "b", "c"]


def test_a_probe_that_fails_is_not_tried_again_but_on_another_stream() -> None:
    down = ScriptedClient(default=failure(REFUSED))
    scene = Scene(down, ScriptedClient())
    scene.write("a", "b")
    assert probe(scene)
    assert (len(down.puts), scene.lines) == (1, ["a"])
    alone = Scene(ScriptedClient(default=failure(REFUSED)))
    alone.write("a")
    assert not probe(alone)
    assert alone.delivery.calls == 1


def test_a_record_that_is_never_taken_does_not_make_every_probe_fail() -> None:
    client = ScriptedClient(default=refuses(b"bad"))
    scene = Scene(client)
    scene.write("bad", "b", "c")
    assert probe(scene)
    assert scene.send()
    assert scene.lines == ["b", "c"]
    assert ["InvalidArgumentException" in said for said in scene.said] == [True]
