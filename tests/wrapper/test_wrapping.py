"""Our `FunctionWrapper` does what wrapt's does: each test is asked of both."""

from __future__ import annotations

import copy
import inspect
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firetee import layer
from wrapper import wrapping
from wrapper.private import load_function_wrapper

Wrap = Callable[..., Any]


@pytest.fixture(scope="module")
def wrapts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the layer has, with wrapt's C modules."""
    folder = tmp_path_factory.mktemp("wrapt")
    for path in layer.wheels():
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if name.endswith(".so"):
                    (folder / os.path.basename(name)).write_bytes(wheel.read(name))
    return folder


@pytest.fixture(params=["wrapt", "ours"])
def wrap(request: pytest.FixtureRequest, wrapts: Path) -> Wrap:
    found: Wrap = load_function_wrapper(str(wrapts)) if request.param == "wrapt" else wrapping.FunctionWrapper
    return found


def tell(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Shows what a wrapper is called with, and what the original answers."""
    return instance, args, kwargs, wrapped(*args, **kwargs)


class Thing:
    def method(self, *args: Any, **kwargs: Any) -> Any:
        """Says it."""
        return self, args, kwargs

    @classmethod
    def of_class(cls, *args: Any) -> Any:
        return cls, args

    @staticmethod
    def static(*args: Any) -> Any:
        return args


def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


def wrapped_class(wrap: Wrap) -> Any:
    return type("Wrapped", (Thing,), {
        "method": wrap(Thing.__dict__["method"], tell),
        "of_class": wrap(Thing.__dict__["of_class"], tell),
        "static": wrap(Thing.__dict__["static"], tell),
    })  # fmt: skip


def test_where_wrapt_has_no_binary_ours_is_taken(tmp_path: Path) -> None:
    assert load_function_wrapper(str(tmp_path)) is wrapping.FunctionWrapper


def test_a_function_is_called_through_it(wrap: Wrap) -> None:
    assert wrap(add, tell)(1, b=3) == (None, (1,), {"b": 3}, 4)


def test_a_function_in_c_is_called_through_it(wrap: Wrap) -> None:
    assert wrap(os.getpid, tell)() == (None, (), {}, os.getpid())


def test_a_method_gets_its_instance(wrap: Wrap) -> None:
    thing = wrapped_class(wrap)()
    assert thing.method(1, x=2) == (thing, (1,), {"x": 2}, (thing, (1,), {"x": 2}))


def test_a_method_called_through_its_class_gets_its_instance(wrap: Wrap) -> None:
    kind = wrapped_class(wrap)
    thing = kind()
    assert kind.method(thing, 1) == (thing, (1,), {}, (thing, (1,), {}))
    with pytest.raises(TypeError):
        kind.method()


def test_a_bound_method_that_is_kept_stays_bound(wrap: Wrap) -> None:
    thing = wrapped_class(wrap)()
    bound = thing.method
    assert bound(1)[0] is bound.__self__ is thing
    other = type("Other", (), {"method": bound})()
    assert other.method(1)[0] is thing


def test_class_methods_and_static_methods_are_called_as_they_were(wrap: Wrap) -> None:
    kind = wrapped_class(wrap)
    assert kind.of_class(1) == kind().of_class(1) == (kind, (1,), {}, (kind, (1,)))
    assert kind.static(1) == kind().static(1) == (None, (1,), {}, (1,))


def test_a_subclass_and_super_find_it(wrap: Wrap) -> None:
    kind = wrapped_class(wrap)

    class Sub(kind):  # type: ignore[misc,valid-type]
        def method(self, *args: Any, **kwargs: Any) -> Any:
            return super().method(*args, **kwargs)

    thing = Sub()
    assert thing.method(1)[:2] == (thing, (1,))


def test_a_function_in_c_does_not_bind(wrap: Wrap) -> None:
    kind = type("Kind", (), {"pid": wrap(os.getpid, tell)})
    assert kind().pid()[3] == os.getpid()


@pytest.mark.parametrize("function", [add, os.listdir, os.waitpid], ids=lambda function: function.__name__)
def test_it_looks_like_what_it_stands_for(wrap: Wrap, function: Any) -> None:
    wrapper = wrap(function, tell)
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__class__"):
        assert getattr(wrapper, name) == getattr(function, name)
    assert isinstance(wrapper, type(function))
    assert wrapper == function
    assert function == wrapper
    assert hash(wrapper) == hash(function)
    assert str(wrapper) == str(function)
    assert dir(wrapper) == dir(function)
    assert callable(wrapper)
    assert inspect.signature(wrapper) == inspect.signature(function)
    assert inspect.isroutine(wrapper)
    assert inspect.unwrap(wrapper) is function


def test_it_is_told_apart_by_its_type(wrap: Wrap) -> None:
    assert isinstance(wrap(add, tell), wrap)  # type: ignore[arg-type]
    assert not isinstance(add, wrap)  # type: ignore[arg-type]


def test_attributes_are_the_function_s(wrap: Wrap) -> None:
    def function() -> None:
        pass

    wrapper = wrap(function, tell)
    wrapper.mark = 1
    assert function.mark == vars(function)["mark"] == wrapper.mark == 1  # type: ignore[attr-defined]
    del wrapper.mark
    assert not hasattr(function, "mark")
    with pytest.raises(AttributeError):
        wrapper.nothing  # noqa: B018
    wrapper.__doc__ = "Another."
    assert function.__doc__ == "Another."


def test_exceptions_of_the_function_pass(wrap: Wrap) -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        wrap(fail, tell)()


def test_ours_can_be_copied_as_the_function_can() -> None:
    """wrapt's cannot."""
    assert copy.copy(wrapping.FunctionWrapper(os.getpid, tell)) == os.getpid
