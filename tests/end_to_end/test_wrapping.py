"""The wrapper in every place where a runtime starts, and a function whose names are like ours."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.end_to_end.harness import Stage

SOURCE = 'import sys\ndef handler(event, context):\n    print("hello")\n    return sys.argv\n'


def test_a_function_with_modules_named_like_ours_gets_its_own(stage: Stage) -> None:
    source = """
        import sys
        import wrapper, log_capture, log_capture.taps, wrapt, _wrappers
        def handler(event, context):
            print("hello")
            return [wrapper.MINE, log_capture.MINE, log_capture.taps.MINE, wrapt.__version__, _wrappers.MINE,
                    [name for name in sys.modules if name.startswith(("wrapper.", "log_capture."))]]
    """
    files = {
        "wrapper.py": "MINE = 'wrapper'\n",
        "log_capture/__init__.py": "MINE = 'log_capture'\n",
        "log_capture/taps.py": "MINE = 'taps'\n",
        "wrapt/__init__.py": "__version__ = 'another'\n",
        "_wrappers.py": "MINE = 'wrappers'\n",
    }
    bare, teed = stage.both(source, [{}, {}], files=files, shutdown=False)
    assert teed.observed == bare.observed
    assert bare.responses[0].json() == ["wrapper", "log_capture", "taps", "another", "wrappers", ["log_capture.taps"]]
    assert teed.records() == ["hello", "hello"]


@pytest.mark.newest_python
def test_a_function_without_such_modules_finds_none_of_ours(stage: Stage) -> None:
    source = """
        import importlib
        def handler(event, context):
            found = []
            for name in ("wrapper", "log_capture", "wrapt", "_wrappers", "wrapper.config"):
                try:
                    importlib.import_module(name)
                    found.append(name)
                except ImportError:
                    pass
            return found
    """
    result = stage.run(source)
    assert result.responses[0].json() == []


@pytest.mark.parametrize("options", [("-X", "importtime"), ("-Xdev",), ("-u", "-W", "default"), ("-B", "-s")], ids=str)
@pytest.mark.newest_python
def test_interpreter_options_are_kept(stage: Stage, options: tuple[str, ...]) -> None:
    source = """
        import sys
        def handler(event, context):
            print("hello")
            return [str(sys.flags), sorted(sys._xoptions), sys.warnoptions, sys.argv, sys.orig_argv]
    """
    bare, teed = stage.both(source, [{}], module=True, options=options, shutdown=False)
    assert teed.observed.responses == bare.observed.responses
    assert teed.observed.stdout == bare.observed.stdout
    assert teed.records() == ["hello"]


@pytest.mark.newest_python
def test_the_options_may_also_stand_before_the_bootstrap_script(stage: Stage, tmp_path: Path) -> None:
    """`python -X importtime bootstrap.py`, as another wrapper in front of ours may have made it."""
    outer = tmp_path / "outer"
    outer.write_text(f'#!/bin/sh\npython=$1; shift\nexec {stage.layer}/bin/exec-wrapper "$python" -X importtime "$@"\n')
    outer.chmod(0o755)
    env = {"AWS_LAMBDA_EXEC_WRAPPER": str(outer)}
    result = stage.run(SOURCE, env=env)
    assert result.records() == ["hello"]
    assert b"import time:" in result.stderr
    assert b"awslambdaric" in result.stderr


def chained(folder: Path) -> Path:
    """Another exec wrapper, as layers of tracing vendors have: sets something and goes on."""
    path = folder / "other-wrapper"
    path.write_text('#!/bin/sh\nexport CHAINED="$#:$*"\nexec "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.newest_python
def test_another_exec_wrapper_runs_in_between(stage: Stage, tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            print("hello")
            return os.environ["CHAINED"]
    """
    result = stage.run(source, env={"FIRETEE_EXEC_WRAPPER": str(chained(tmp_path))})
    count, _, command = str(result.responses[0].json()).partition(":")
    assert int(count) == 3  # python, our program, bootstrap.py
    assert command.endswith("bootstrap.py")
    assert result.records() == ["hello"]


@pytest.mark.newest_python
def test_another_exec_wrapper_runs_when_firetee_is_disabled(stage: Stage, tmp_path: Path) -> None:
    source = 'import os\ndef handler(event, context):\n    return os.environ["CHAINED"]\n'
    env = {"FIRETEE_EXEC_WRAPPER": str(chained(tmp_path)), "FIRETEE_DISABLED": "true"}
    result = stage.run(source, env=env)
    assert str(result.responses[0].json()).startswith("2:")
    assert stage.firehose.calls == []


@pytest.mark.newest_python
def test_an_exec_wrapper_that_is_missing_is_one_line(stage: Stage) -> None:
    result = stage.run(SOURCE, env={"FIRETEE_EXEC_WRAPPER": "/nowhere/wrapper"})
    assert result.records() == ["hello"]
    (message,) = result.stderr.decode().splitlines()
    assert message.startswith("[firetee] FIRETEE_EXEC_WRAPPER=/nowhere/wrapper cannot be executed")


@pytest.mark.newest_python
def test_a_wrapper_that_sets_pythonpath_keeps_it(stage: Stage, tmp_path: Path) -> None:
    """OpenTelemetry's wrapper does; what the function's other layers bring must stay as it would be without us."""
    other = tmp_path / "site"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import sys\nsys.from_another = True\n")
    path = tmp_path / "otel-instrument"
    path.write_text(f'#!/bin/sh\nexport PYTHONPATH={other}\nexec "$@"\n')
    path.chmod(0o755)
    source = """
        import os, sys
        def handler(event, context):
            print("x")
            return [os.environ["PYTHONPATH"], sys.path]
    """
    bare = stage.run(source, env={"AWS_LAMBDA_EXEC_WRAPPER": str(path)}, wrapped=False)
    teed = stage.run(source, env={"FIRETEE_EXEC_WRAPPER": str(path)})
    assert teed.observed.responses == bare.observed.responses
    assert teed.records() == ["x"]


@pytest.mark.newest_python
def test_other_layers_under_opt_are_on_the_path(stage: Stage, tmp_path: Path) -> None:
    package = tmp_path / "opt" / "python"
    package.mkdir(parents=True)
    (package / "from_a_layer.py").write_text("VALUE = 17\n")
    (package / "a.pth").write_text("import sys; sys.touched = True\n")
    source = """
        import os, sys
        import from_a_layer
        def handler(event, context):
            print("hello")
            return [from_a_layer.VALUE, sys.touched, os.environ.get("PYTHONPATH"), sys.path]
    """
    bare, teed = stage.both(source, env={"EMULATED_OPT": str(tmp_path / "opt")}, shutdown=False)
    assert teed.observed == bare.observed
    assert bare.responses[0].status == 200
    assert teed.records() == ["hello"]


@pytest.mark.newest_python
def test_a_payload_that_is_missing_leaves_the_function_alone(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "opt" / "bin").mkdir(parents=True)
    wrapper = tmp_path / "opt" / "bin" / "exec-wrapper"
    wrapper.write_bytes((stage.layer / "bin" / "exec-wrapper").read_bytes())
    wrapper.chmod(stat.S_IRWXU)
    env = {"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)}
    bare = stage.run(SOURCE, wrapped=False, shutdown=False)
    alone = stage.run(SOURCE, env=env, shutdown=False)
    assert alone.observed == bare.observed


@pytest.mark.newest_python
def test_the_runtime_is_a_registered_extension_with_no_events(stage: Stage) -> None:
    result = stage.run(SOURCE)
    (line,) = (line for line in result.log.splitlines() if "Internal agent firetee" in line)
    assert line.endswith("registered, subscribed to []")


@pytest.mark.newest_python
def test_a_function_that_registers_an_extension_too_is_served(stage: Stage) -> None:
    source = """
        import http.client, os
        def register():
            api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            api.request("POST", "/2020-01-01/extension/register", '{"events": []}', {"Lambda-Extension-Name": "other"})
            answer = api.getresponse()
            answer.read()
            name = "Lambda-Extension-Identifier"
            global waiting
            waiting = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            waiting.request("GET", "/2020-01-01/extension/event/next", headers={name: answer.headers[name]})
            return answer.status
        status = register()
        def handler(event, context):
            return status
    """
    bare, teed = stage.both(source, [{}, {}])
    assert teed.observed.responses == bare.observed.responses
    assert bare.responses[0].body == b"200"
