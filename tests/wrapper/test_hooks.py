"""The runtime client's methods are wrapped as soon as it is imported, and nothing of ours stays in its way."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import wrapt

from log_capture.envelope.lines import Assembler
from tests.fakes.runtime import client_module
from wrapper.hooks import ClientFinder, wrap_client


class Listener:
    """Stands for the lifecycle: notes which of its methods was called, and goes on."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.failures: list[BaseException] = []
        self.failed = self.failures.append

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("around_"):
            raise AttributeError(name)

        def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            self.heard.append(name)
            return wrapped(*args, **kwargs)

        return around


@pytest.fixture
def client_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package `awslambdaric` to import."""
    package = tmp_path / "awslambdaric"
    package.mkdir()
    for name in ("__init__", "lambda_runtime_client", "bootstrap", "other"):
        (package / f"{name}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    yield
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.startswith("awslambdaric")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["BaseLambdaRuntimeClient", "LambdaRuntimeClient"])
def test_the_methods_of_either_class_are_wrapped_with_their_arguments_untouched(name: str) -> None:
    module, listener = client_module(name), Listener()
    wrap_client(module, listener, wrapt.FunctionWrapper)  # type: ignore[arg-type]
    client = getattr(module, name)()
    assert client.wait_next_invocation() == ("wait_next_invocation", (), {})
    assert client.post_invocation_result("id", "result", x=1) == ("post_invocation_result", ("id", "result"), {"x": 1})
    assert listener.heard == ["around_next", "around_result"]
    assert client.post_init_error.__name__ == "call"


@pytest.mark.parametrize("ours", [True, False])
def test_a_method_is_called_once_whatever_fails_around_it(ours: bool) -> None:
    """A second answer to one invocation would be refused by Lambda; none would be a timeout."""

    def bug() -> None:
        Assembler().feed([None])  # type: ignore[list-item]

    class Failing(Listener):
        before = False

        def __getattr__(self, name: str) -> Any:
            def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                if self.before:
                    bug()
                result = wrapped(*args, **kwargs)
                if ours:
                    bug()
                raise ConnectionError(result)

            return around

    module, listener = client_module("LambdaRuntimeClient"), Failing()
    calls: list[str] = []
    module.LambdaRuntimeClient.post_invocation_result = lambda self, request_id: calls.append(request_id)
    wrap_client(module, listener, wrapt.FunctionWrapper)  # type: ignore[arg-type]
    client = module.LambdaRuntimeClient()
    with pytest.raises(Exception):  # noqa: B017, PT011 - what comes after the call is not ours to hide
        client.post_invocation_result("after")
    assert calls == ["after"]
    assert listener.failures == []
    listener.before = True
    client.post_invocation_result("before")
    assert calls == ["after", "before"]
    assert len(listener.failures) == 1


def test_the_sinks_of_the_bootstrap_are_wrapped_where_they_are() -> None:
    class StandardLogSink:
        def log(self, text: str) -> str:
            return text

    module, listener = ModuleType("awslambdaric.bootstrap"), Listener()
    module.StandardLogSink = StandardLogSink  # type: ignore[attr-defined]
    wrap_client(module, listener, wrapt.FunctionWrapper)  # type: ignore[arg-type]
    assert StandardLogSink().log("x") == "x"
    assert listener.heard == ["around_log"]


@pytest.mark.usefixtures("client_on_disk")
def test_the_finder_hears_of_both_modules_and_then_is_gone() -> None:
    seen: list[str] = []
    finder = ClientFinder(lambda module: seen.append(module.__name__))
    sys.meta_path.insert(0, finder)
    importlib.import_module("awslambdaric.other")
    client = importlib.import_module("awslambdaric.lambda_runtime_client")
    assert finder in sys.meta_path
    importlib.import_module("awslambdaric.bootstrap")
    assert seen == ["awslambdaric.lambda_runtime_client", "awslambdaric.bootstrap"]
    assert finder not in sys.meta_path
    assert client.__spec__ is not None
    assert type(client.__loader__).__module__ == type(client.__spec__.loader).__module__ == "_frozen_importlib_external"


@pytest.mark.usefixtures("client_on_disk")
def test_without_a_runtime_client_the_import_fails_as_it_would() -> None:
    wrapped: list[ModuleType] = []
    sys.meta_path.insert(0, ClientFinder(wrapped.append))
    package = Path(importlib.import_module("awslambdaric").__path__[0])
    (package / "bootstrap.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'awslambdaric\.bootstrap'"):
        importlib.import_module("awslambdaric.bootstrap")
    assert wrapped == []
