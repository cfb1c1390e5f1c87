"""`firetee local` runs a function through the layer and says where its lines got to."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from firetee import runtimes
from firetee.cli import main

SOURCE = """
import os
def handler(event, context):
    print("hello", event.get("name"), os.environ.get("GREETING"))
    return event
"""


@pytest.fixture
def function(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE)
    return tmp_path / "app"


def local(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["local", *arguments])


def messages(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_event_is_an_invocation_and_every_line_arrives(function: Path, tmp_path: Path) -> None:
    for name in ("ada", "grace"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name}))
    events = [f"--event={tmp_path / name}.json" for name in ("ada", "grace")]
    result = local(f"{function}.handler", *events, "--env", "GREETING=!", "--json")
    assert result.exit_code == 0, result.output
    said = messages(result)
    lines = [message["envelope"] for message in said if message["kind"] == "line"]
    assert [line["record"] for line in lines if line["type"] == "function"] == ["hello ada !", "hello grace !"]
    assert [json.loads(message["body"]) for message in said if message["kind"] == "response"] == [
        {"name": "ada"},
        {"name": "grace"},
    ]
    assert said[-1]["missing"] == []


def test_people_see_the_lines_and_the_answer(function: Path) -> None:
    result = local(f"{function}.handler")
    assert result.exit_code == 0, result.output
    assert "hello None None" in result.stdout
    assert "answer 1" in result.stdout
    assert "0 missing" in result.stdout


def test_a_line_that_does_not_arrive_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os\ndef handler(event, context):\n    os.write(1, b'native\\n')\n")
    result = local(f"{tmp_path / 'app'}.handler", "--json")
    assert result.exit_code == 1
    assert messages(result)[-1]["missing"] == [{"stream": "stdout", "text": "native"}]
    assert messages(result)[-1]["filtered"] == []


def test_a_line_that_waited_in_vain_is_shown_with_the_decision_and_not_missing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import logging\n"
        "def handler(event, context):\n"
        "    print('held', event['n'])\n"
        "    if event['n'] == 2: logging.error('bad')\n"
    )
    events = []
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(json.dumps({"n": number}))
        events += ["--event", str(tmp_path / f"{number}.json")]
    result = local(f"{tmp_path / 'app'}.handler", *events, "--env", "FIRETEE_HOLD=unlevelled", "--json")
    assert result.exit_code == 0, result.output
    assert messages(result)[-1]["missing"] == []
    assert messages(result)[-1]["held"] == [{"stream": "stdout", "text": "held 1"}]
    shown = local(f"{tmp_path / 'app'}.handler", *events, "--env", "FIRETEE_HOLD=unlevelled").stdout
    assert "1 held and discarded, 0 missing" in shown
    assert "of answer 1 1 waited: not worth sending" in shown
    assert "of answer 2 1 waited: sent, for level:ERROR" in shown
    assert "held stdout: held 1" in shown


def test_a_line_that_the_settings_hold_back_is_filtered_and_not_missing(function: Path) -> None:
    result = local(f"{function}.handler", "--env", "FIRETEE_EXCLUDE=hello", "--json")
    assert result.exit_code == 0
    assert messages(result)[-1]["missing"] == []
    assert messages(result)[-1]["filtered"] == [{"stream": "stdout", "text": "hello None None"}]
    assert (
        "1 held back by the settings, 0 missing" in local(f"{function}.handler", "--env=FIRETEE_EXCLUDE=hello").stdout
    )


def test_a_line_that_is_redacted_has_arrived(function: Path) -> None:
    result = local(f"{function}.handler", "--env", "FIRETEE_REDACT=None", "--json")
    assert result.exit_code == 0
    assert (messages(result)[-1]["missing"], messages(result)[-1]["arrived"]) == ([], 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise ValueError('x')", "ValueError"),
        ("import time; time.sleep(9)", "timeout"),
        ("import os; os._exit(3)", "crash"),
        ("return {'errorType': 'returned', 'errorMessage': 'by the handler'}", None),
    ],
)
def test_an_error_and_a_timeout_exit_with_1_and_a_returned_object_does_not(
    tmp_path: Path, body: str, error: str | None
) -> None:
    (tmp_path / "app.py").write_text(f"def handler(event, context):\n    {body}\n")
    result = local(f"{tmp_path / 'app'}.handler", "--timeout", "1", "--json")
    assert result.exit_code == (1 if error else 0), result.output
    (answer,) = [message for message in messages(result) if message["kind"] == "response"]
    assert answer.get("error") == error


def test_the_last_lines_of_a_process_that_died_arrive_with_another_event(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os\ndef handler(event, context):\n    print('order', event)\n    event == 17 and os._exit(3)\n"
    )
    for number in (17, 18):
        (tmp_path / f"{number}.json").write_text(str(number))
    events = [f"--event={tmp_path / str(number)}.json" for number in (17, 18)]
    alone = local(f"{tmp_path / 'app'}.handler", events[0])
    assert "missing stdout: order 17" in alone.stdout
    assert "the environment's next start sends its last lines. Give another --event" in alone.stdout
    both = local(f"{tmp_path / 'app'}.handler", *events)
    assert "2 lines in the bucket" in both.stdout
    assert "0 missing" in both.stdout


def test_an_error_while_the_function_is_imported_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import no_such_module\n")
    assert local(f"{tmp_path / 'app'}.handler").exit_code == 1


def test_a_file_of_variables_is_read_and_the_command_line_wins(function: Path, tmp_path: Path) -> None:
    (tmp_path / "local.env").write_text("GREETING=from the file\n")
    from_file = [f"{function}.handler", "--env-file", str(tmp_path / "local.env")]
    assert "hello None from the file" in local(*from_file).stdout
    assert "hello None from here" in local(*from_file, "--env", "GREETING=from here").stdout


def test_the_project_s_packages_and_another_layer_are_there(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import in_project, in_layer\ndef handler(event, context):\n    print(in_project.x + in_layer.x)\n"
    )
    python = runtimes.this()
    packages = tmp_path / ".venv" / "lib" / f"python{python.minor}" / "site-packages"
    layer = tmp_path / "layer" / "python"
    for folder, name, value in ((packages, "in_project", 40), (layer, "in_layer", 2)):
        folder.mkdir(parents=True)
        (folder / f"{name}.py").write_text(f"x = {value}\n")
    venv.EnvBuilder(with_pip=False).create(tmp_path / ".venv")
    target, env = f"{tmp_path / 'app'}.handler", {"VIRTUAL_ENV": ""}
    result = CliRunner(env=env).invoke(main, ["local", target, "--layer", str(layer.parent)])
    assert result.exit_code == 0, result.output
    assert re.search(r"stdout +42", result.stdout)
    without = CliRunner(env=env).invoke(main, ["local", target, "--layer", str(layer.parent), "--packages", "none"])
    assert without.exit_code == 1


def test_the_delivered_objects_can_be_kept(function: Path, tmp_path: Path) -> None:
    local(f"{function}.handler", "--keep", str(tmp_path / "bucket"))
    content = b"".join(path.read_bytes() for path in (tmp_path / "bucket").rglob("*.jsonl"))
    assert b'"record":"hello None None"' in content


def test_other_services_are_moto_s_if_asked_for(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import boto3\ndef handler(event, context):\n"
        "    print('queues:', boto3.client('sqs').list_queues()['ResponseMetadata']['HTTPStatusCode'])\n"
    )
    result = local(f"{tmp_path / 'app'}.handler", "--moto")
    assert result.exit_code == 0, result.output
    assert "queues: 200" in result.stdout


def test_a_stream_of_the_user_s_own_name_is_there(function: Path) -> None:
    result = local(f"{function}.handler", "--env", "FIRETEE_STREAM=orders-logs", "--json")
    assert result.exit_code == 0, result.output
    assert messages(result)[-1]["arrived"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.handler"], "there is no file nowhere.py"),
        (["nowhere"], "there is no file nowhere.py"),
        (["{function}.handler", "--env", "GREETING"], "NAME=VALUE is needed"),
        (["{function}.handler", "--env", "FIRETEE_FORMAT=text"], "leave it out here"),
        (["{function}.handler", "--event", "{function}.py"], "not JSON"),
    ],
)
def test_wrong_usage_is_said_and_exits_with_2(function: Path, arguments: list[str], says: str) -> None:
    result = local(*(argument.format(function=function) for argument in arguments))
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_python_that_is_not_here_is_said(function: Path) -> None:
    result = local(f"{function}.handler", "--python", "2.7")
    assert result.exit_code == 1
    assert "no CPython 2.7" in result.stderr


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[dict[str, Any]]]]:
    """The command in a process of its own, and what it says; ended by Ctrl-C, and well."""
    command = [sys.executable, "-m", "firetee", "local", *arguments, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, (json.loads(line) for line in process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def save(path: Path, text: str, at_ns: int | None = None) -> None:
    """As most editors do: at no time is there half a file. `at_ns`: the time that it gets."""
    scratch = path.with_name(f".{path.name}")
    scratch.write_text(text)
    if at_ns is not None:
        os.utime(scratch, ns=(at_ns, at_ns))
    scratch.replace(path)


def test_watch_runs_it_again_when_a_file_changes_and_ends_with_ctrl_c(function: Path) -> None:
    with running(f"{function}.handler", "--watch") as (_, said):
        assert "hello None None" in first_run(said)
        save(function.with_suffix(".py"), SOURCE.replace("hello", "good evening,"))
        assert "good evening, None None" in first_run(said)


def test_watch_goes_on_when_an_event_or_the_file_of_variables_is_broken_for_a_while(
    function: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("beside")
    event, variables = folder / "event.json", folder / "local.env"
    save(event, '{"name": "ada"}')
    save(variables, "GREETING=!\n")
    arguments = ["--watch", "--event", str(event), "--env-file", str(variables)]
    with running(f"{function}.handler", *arguments) as (process, said):
        assert "hello ada !" in first_run(said)
        save(event, '{"name": ')
        assert "not JSON" in next(said)["error"]
        save(event, '{"name": "grace"}')
        assert "hello grace !" in first_run(said)
        save(variables, "GREETING\n")
        assert "local.env:1: NAME=value is needed" in next(said)["error"]
        save(variables, "GREETING=?\n")
        assert "hello grace ?" in first_run(said)
        assert process.poll() is None


def test_watch_never_runs_code_of_before_a_change_of_the_same_second_and_size(function: Path) -> None:
    source = function.with_suffix(".py")
    greeting = function.parent / "greeting.py"
    second = int(time.time()) * 10**9
    save(greeting, "hello = 'aaaaa'\n", second)
    save(source, "import greeting\ndef handler(event, context):\n    print(greeting.hello)\n")
    with running(f"{function}.handler", "--watch") as (_, said):
        assert "aaaaa" in first_run(said)
        for number, word in enumerate(("bbbbb", "ccccc", "ddddd")):
            save(greeting, f"hello = '{word}'\n", second + number + 1)
            assert word in first_run(said)


def test_watch_takes_a_layer_as_it_is_now(function: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    layer = tmp_path_factory.mktemp("layer")
    (layer / "python").mkdir()
    save(layer / "python" / "in_layer.py", "x = 'one'\n")
    save(function.with_suffix(".py"), "import in_layer\ndef handler(event, context):\n    print(in_layer.x)\n")
    with running(f"{function}.handler", "--watch", "--layer", str(layer)) as (_, said):
        assert "one" in first_run(said)
        save(layer / "python" / "in_layer.py", "x = 'two'\n")
        assert "two" in first_run(said)


def test_watch_is_not_woken_by_what_the_function_writes(function: Path) -> None:
    source = function.with_suffix(".py")
    code = """
def handler(event, context):
    open('runs.txt', 'a').write('x')
    print('runs:', len(open('runs.txt').read()), 'with code', {})
"""
    save(source, code.format(0))
    with running(f"{function}.handler", "--watch") as (_, said):
        assert "runs: 1 with code 0" in first_run(said)
        for number in range(1, 4):
            save(source, code.format(number))
            assert f"runs: {number + 1} with code {number}" in first_run(said)


def test_others_invoke_a_function_that_is_served_in_one_environment(function: Path) -> None:
    save(
        function.with_suffix(".py"),
        "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n"
        "    print('call', count, context.function_name)\n    return 1 / event['by']\n",
    )
    with running(f"{function}.handler", "--serve", "--port", "0", "--name", "orders") as (_, said):
        serving = next(said)
        session = boto3.session.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
        client: Any = session.client("lambda", endpoint_url=serving["url"])
        good = client.invoke(FunctionName="orders", Payload=b'{"by": 2}', LogType="Tail")
        bad = client.invoke(FunctionName="orders", Payload=b'{"by": 0}')
        client.close()
        assert json.load(good["Payload"]) == 0.5
        assert base64.b64decode(good["LogResult"]) == b"call 1 orders\n"
        assert (bad["FunctionError"], json.load(bad["Payload"])["errorType"]) == ("Unhandled", "ZeroDivisionError")
        records = []
        for message in said:
            records += [message["envelope"]["record"]] if message["kind"] == "line" else []
            if message.get("event") == 1:
                break
        assert [each for each in records if str(each).startswith("call ")] == ["call 1 orders", "call 2 orders"]


def test_a_port_that_is_taken_is_said(function: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = local(f"{function}.handler", "--serve", "--port", port)
    assert result.exit_code == 1
    assert f"--port {port}: Address already in use; --port 0 takes a free one" in result.stderr


def test_a_served_function_whose_variables_are_broken_for_a_while_says_so_and_goes_on(
    function: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    variables = tmp_path_factory.mktemp("beside") / "local.env"
    save(variables, "GREETING=!\n")
    arguments = ["--serve", "--watch", "--port", "0", "--env-file", str(variables)]
    with running(f"{function}.handler", *arguments) as (_, said):
        url = next(said)["url"]
        assert invoked(url) == {}
        save(variables, "GREETING\n")
        refused = invoked(url)
        assert isinstance(refused, dict)
        assert "NAME=value is needed" in refused["errorMessage"]
        save(variables, "GREETING=?\n")
        assert invoked(url) == {}


def test_sigterm_ends_a_served_function_as_ctrl_c_does(function: Path) -> None:
    with running(f"{function}.handler", "--serve", "--port", "0") as (process, said):
        assert invoked(next(said)["url"]) == {}
        process.send_signal(signal.SIGTERM)
        assert next(message for message in said if message["kind"] == "summary")["arrived"] == 1


def test_a_served_function_that_dies_is_answered_for_and_started_again(function: Path) -> None:
    save(
        function.with_suffix(".py"),
        "import os\ndef handler(event, context):\n    return os._exit(3) if event.get('die') else 'alive'\n",
    )
    with running(f"{function}.handler", "--serve", "--port", "0") as (_, said):
        url = next(said)["url"]
        died = invoked(url, b'{"die": true}')
        assert isinstance(died, dict)
        assert died["errorType"] == "Runtime.ExitError"
        assert invoked(url) == "alive"


def test_a_served_function_is_never_older_than_its_code_with_watch(function: Path) -> None:
    source = function.with_suffix(".py")
    save(source, "def handler(event, context):\n    return 'one'\n")
    with running(f"{function}.handler", "--serve", "--watch", "--port", "0") as (_, said):
        url = next(said)["url"]
        assert invoked(url) == "one"
        save(source, "def handler(event, context):\n    return 'two'\n")
        assert invoked(url) == "two"


def invoked(url: str, event: bytes = b"{}") -> object:
    request = urllib.request.Request(f"{url}/2015-03-31/functions/app/invocations", event)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def test_a_second_run_does_not_look_for_pythons_nor_build_the_layer(function: Path) -> None:
    assert local(f"{function}.handler").exit_code == 0
    program = (
        "import sys\nfrom firetee import layer, runtimes\n"
        "def refuse(*given):\n    raise AssertionError(given)\n"
        "layer.build = runtimes.installed = refuse\n"
        "from firetee.cli import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program, "local", f"{function}.handler"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "rich.console" in imported
    assert not {"boto3", "botocore", "moto", "flask"} & imported


def first_run(said: Iterator[dict[str, Any]]) -> list[object]:
    """What was delivered until the next summary."""
    delivered = []
    for message in said:
        if message["kind"] == "summary":
            break
        if message["kind"] == "line":
            delivered.append(message["envelope"]["record"])
    return delivered
