"""`FunctionWrapper` in Python, for a CPython that wrapt has no binary for: what wrapt's does, as far as we need it.

A wrapper stands in front of a function: it is called as `around(wrapped, instance, args, kwargs)`, and in everything
else (attributes, `isinstance`, `==`, binding to an instance) it is the function. A call costs about a microsecond more
than through wrapt's C code.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_OWN = frozenset(("__wrapped__", "_self_around", "_self_binding", "_self_instance", "_self_owner", "_self_parent"))
#: Kinds that are called without an instance of their own.
_WITHOUT_INSTANCE = (classmethod, staticmethod, type(len))


class _Proxy:
    """Has the attributes of what it wraps, and its class for `isinstance`."""

    __slots__ = (*_OWN, "__weakref__")

    def __init__(self, wrapped: Any, around: Callable[..., Any]) -> None:
        self.__wrapped__ = wrapped
        self._self_around = around

    # What `object` would answer itself, and every class has.
    __class__ = property(lambda self: self.__wrapped__.__class__)
    __doc__ = property(lambda self: self.__wrapped__.__doc__)
    __module__ = property(lambda self: self.__wrapped__.__module__)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # it is not set up yet: do not ask ourselves for ever
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __eq__(self, other: object) -> bool:
        return bool(self.__wrapped__ == other)

    def __ne__(self, other: object) -> bool:
        return bool(self.__wrapped__ != other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        wrapped = self.__wrapped__
        return f"<{type(self).__name__} at {id(self):#x} for {type(wrapped).__name__} at {id(wrapped):#x}>"

    def __str__(self) -> str:
        return str(self.__wrapped__)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


class FunctionWrapper(_Proxy):
    """Stands in front of a function, a method in its class, a `classmethod` or a `staticmethod`."""

    __slots__ = ()
    __doc__ = _Proxy.__doc__
    __module__ = _Proxy.__module__

    def __init__(self, wrapped: Any, around: Callable[..., Any]) -> None:
        _Proxy.__init__(self, wrapped, around)
        kind = type(wrapped)
        self._self_binding = kind.__name__ if kind in _WITHOUT_INSTANCE else "function"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        wrapped = self.__wrapped__
        bind = getattr(type(wrapped), "__get__", None)
        if bind is None:  # a function in C
            return self
        return _Bound(bind(wrapped, instance, owner), self, instance)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        wrapped = self.__wrapped__
        instance = getattr(wrapped, "__self__", None) if self._self_binding == "function" else None
        return self._self_around(wrapped, instance, args, kwargs)


class _Bound(_Proxy):
    """A wrapper that was found through an instance or a class."""

    __slots__ = ()
    __doc__ = _Proxy.__doc__
    __module__ = _Proxy.__module__

    def __init__(self, wrapped: Any, parent: FunctionWrapper, instance: Any) -> None:
        _Proxy.__init__(self, wrapped, parent._self_around)
        self._self_parent = parent
        self._self_binding = parent._self_binding
        self._self_instance = instance

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if self._self_instance is None and self._self_binding == "function":
            return self._self_parent.__get__(instance, owner)
        return self

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        wrapped, instance = self.__wrapped__, self._self_instance
        if self._self_binding != "function":
            instance = getattr(wrapped, "__self__", None)
        elif instance is None:  # `Class.method(instance, ...)`
            if not args:
                raise TypeError("missing 1 required positional argument")
            instance, *rest = args
            wrapped, args = wrapped.__get__(instance, type(instance)), tuple(rest)
        return self._self_around(wrapped, instance, args, kwargs)
