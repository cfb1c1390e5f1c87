"""Regular expressions in linear time: an automaton for the patterns that could backtrack for ever. Pure.

`re` tries one way after the other, holds the GIL while it does, and cannot be interrupted: ``(a+)+$`` on forty
letters hangs a process, ``\\s+$`` on a megabyte of blanks too. Here all ways are followed at once, so a text
costs time in proportion to its length whatever the pattern is, and other threads run meanwhile.

The pattern is parsed by `re` itself and each character class is matched by `re` itself, so only the control
flow is ours: sequence, alternatives, groups, repetition (greedy and lazy), anchors and word boundaries, inline
flags. Backreferences, lookaround, atomic groups and possessive repetition need `re` and are refused.

Two machines are made of one pattern. The backward one reads a text from its end and finds every place where a
match begins; the forward one begins there and finds where that match ends, preferring what `re` prefers. Their
states are made when first needed (a lazy DFA); each is a dict from the next character to the next state.
"""

from __future__ import annotations

import re

try:
    from re import _compiler as sre_compile  # type: ignore[attr-defined,unused-ignore]
    from re import _parser as sre_parse  # type: ignore[attr-defined,unused-ignore]
except ImportError:
    try:  # Python 3.10
        import sre_compile
        import sre_parse
    except ImportError:  # a Python that we do not know
        sre_compile = sre_parse = None  # type: ignore[assignment,unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    Node = tuple[Any, Any]
    #: What to do (`_CHAR` and so on), its argument, and the instruction after it.
    Instruction = tuple[int, Any, int]


def parse(pattern: str) -> Any:
    """The nodes of a pattern. Raises `UnsupportedError` where the parser is not to be had, `re.error` as `re` does."""
    if not hasattr(sre_parse, "parse") or not hasattr(sre_compile, "compile"):
        raise UnsupportedError("the parser of `re` is not known on this Python")
    return sre_parse.parse(pattern)


UNBOUNDED = getattr(sre_parse, "MAXREPEAT", None)

_CHAR, _SPLIT, _AT, _MATCH = range(4)

#: Instructions in one program; repetitions are written out. A choice: a step takes time in proportion.
MAX_INSTRUCTIONS = 1000

#: States kept by one machine; when there are more they are all made anew as needed. A choice that bounds memory.
_MAX_STATES = 2000

#: Instructions that making states may cost in all, beside a few for each character ever read. A choice: about a
#: second. Ordinary patterns need some thousands; only a pattern whose states never repeat comes near it.
_MAX_WORK = 1_000_000
_WORK_PER_CHARACTER = 4

#: What only `re` can do.
_NAMES = {
    "GROUPREF": "a backreference",
    "GROUPREF_EXISTS": "a conditional group",
    "ASSERT": "lookaround",
    "ASSERT_NOT": "lookaround",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "possessive repetition",
}

#: The symbol for a newline that ends the text: ``$`` matches before that one.
_LAST_NEWLINE = "\n$"


class UnsupportedError(Exception):
    """The pattern needs what an automaton cannot do, or is too large for one; the message says which."""


class TooComplexError(Exception):
    """This text would make the automaton exceed its bounds, so it was given up."""


class Automaton:
    """One pattern, ready to search; one thread may use it. Making one may raise `UnsupportedError`."""

    def __init__(self, pattern: str) -> None:
        tree = parse(pattern)
        self._needed = "" if tree.state.flags & re.IGNORECASE else _needed(tree)
        self._backward = _Machine(_Builder(tree, backward=True), backward=True)
        self._forward = _Machine(_Builder(tree, backward=False), backward=False)

    def found(self, text: str) -> bool:
        """Whether the pattern matches anywhere. Raises `TooComplexError`."""
        if self._needed not in text:
            return False
        return next(iter(self._backward.accepted(_symbols(text), len(text))), None) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The matches that are not empty, in order, as `re.finditer` has them. Raises `TooComplexError`."""
        if self._needed not in text:
            return []
        self._forward.refill(len(text))
        symbols = _symbols(text)
        budget = 4 * len(text) + 1000  # characters read, in all, to find the ends; a choice
        found = []
        position = 0
        for start in reversed(list(self._backward.accepted(symbols, len(text)))):
            if start < position:
                continue
            end, steps = self._forward.end(symbols, start)
            budget -= steps
            if budget < 0:  # matches that read far beyond their ends: linear time needs a blunt end
                found.append((start, len(text)))
                break
            if end > start:
                found.append((start, end))
                position = end
        return found


def _needed(nodes: Iterable[Node]) -> str:
    """A character without which there is no match, if possible a rare one; empty if none is known."""
    found = ""
    for node in nodes:
        operation, argument = str(node[0]), node[1]
        if operation == "LITERAL":
            needed = chr(argument)
        elif operation == "SUBPATTERN" and not argument[1] & re.IGNORECASE:
            needed = _needed(argument[3])
        elif operation in ("MAX_REPEAT", "MIN_REPEAT") and argument[0]:
            needed = _needed(argument[2])
        else:
            continue
        if not found or found.isalnum():
            found = needed or found
    return found


def _symbols(text: str) -> Sequence[str]:
    return [*text[:-1], _LAST_NEWLINE] if text[-1:] == "\n" else text


class _Builder:
    """Writes a parsed pattern as a program, from its end to its beginning, so that every target is known."""

    def __init__(self, tree: Any, *, backward: bool) -> None:
        self._state = tree.state
        self._backward = backward
        self._matchers: dict[tuple[int, tuple[tuple[int, int], ...]], re.Pattern[str]] = {}
        self.program: list[Instruction] = [(_MATCH, None, 0)]
        self.has_anchors = False
        self.start = self._sequence(tree, 0, ())

    def _emit(self, operation: int, argument: Any, target: int) -> int:
        if len(self.program) >= MAX_INSTRUCTIONS:
            raise UnsupportedError("it is too large")
        self.program.append((operation, argument, target))
        return len(self.program) - 1

    def _sequence(self, nodes: Iterable[Node], target: int, flags: tuple[tuple[int, int], ...]) -> int:
        for node in list(nodes) if self._backward else list(nodes)[::-1]:
            target = self._node(node, target, flags)
        return target

    def _node(self, node: Node, target: int, flags: tuple[tuple[int, int], ...]) -> int:
        operation, argument = str(node[0]), node[1]
        if operation in SINGLE:
            return self._emit(_CHAR, self._matcher(node, flags), target)
        if operation == "AT":
            self.has_anchors = True
            return self._emit(_AT, self._matcher(node, flags), target)
        if operation == "SUBPATTERN":
            _, add, remove, inner = argument
            return self._sequence(inner, target, (*flags, (add, remove)))
        if operation == "BRANCH":
            ways = tuple(self._sequence(way, target, flags) for way in argument[1])
            return self._emit(_SPLIT, ways, 0)
        if operation in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            return self._repeat(least, most, inner, target, flags, lazy=operation == "MIN_REPEAT")
        raise UnsupportedError(_NAMES.get(operation, operation))

    def _repeat(
        self,
        least: int,
        most: int,
        inner: Iterable[Node],
        target: int,
        flags: tuple[tuple[int, int], ...],
        *,
        lazy: bool,
    ) -> int:
        inner = list(inner)
        after = target
        if most == UNBOUNDED:
            loop = self._emit(_SPLIT, None, 0)
            ways = (self._sequence(inner, loop, flags), after)
            self.program[loop] = (_SPLIT, ways[::-1] if lazy else ways, 0)
            target = loop
        else:
            for _ in range(most - least):
                ways = (self._sequence(inner, target, flags), after)
                target = self._emit(_SPLIT, ways[::-1] if lazy else ways, 0)
        for _ in range(least):
            target = self._sequence(inner, target, flags)
        return target

    def _matcher(self, node: Node, flags: tuple[tuple[int, int], ...]) -> re.Pattern[str]:
        key = id(node), flags
        if key not in self._matchers:
            self._matchers[key] = compile_node(self._state, node, flags)
        return self._matchers[key]


#: Nodes that match exactly one character.
SINGLE = frozenset(("LITERAL", "NOT_LITERAL", "ANY", "IN"))


def compile_node(state: Any, node: Node, flags: tuple[tuple[int, int], ...]) -> re.Pattern[str]:
    """One node of a parsed pattern as a pattern of its own; `flags` are the groups' around it, outermost first."""
    for add, remove in reversed(flags):
        node = (sre_parse.SUBPATTERN, (None, add, remove, sre_parse.SubPattern(state, [node])))
    compiled: re.Pattern[str] = sre_compile.compile(sre_parse.SubPattern(state, [node]), state.flags)
    return compiled


class _State(dict[str, "_State"]):
    """A state: where each next character leads. `accepted`: a match was at the boundary before the last one."""

    __slots__ = ("_make", "accepted", "edge", "threads")

    def __init__(
        self,
        make: Callable[[_State, str], _State],
        threads: tuple[int, ...],
        edge: str,
        accepted: bool,
    ) -> None:
        self._make = make
        self.threads = threads
        self.edge = edge
        self.accepted = accepted

    def __missing__(self, symbol: str) -> _State:
        self[symbol] = state = self._make(self, symbol)
        return state


class _Machine:
    """The states of one program. Backward: begins anew at every character. Forward: what `re` prefers wins."""

    def __init__(self, builder: _Builder, *, backward: bool) -> None:
        self._program = builder.program
        self._start = builder.start
        self._has_anchors = builder.has_anchors
        self._backward = backward
        self._states: dict[tuple[tuple[int, ...], str, bool], _State] = {}
        self._work_left = _MAX_WORK

    def refill(self, size: int) -> None:
        """Allow for work in proportion to this many characters."""
        self._work_left = min(max(self._work_left, 0) + _WORK_PER_CHARACTER * size, _MAX_WORK)

    def accepted(self, symbols: Sequence[str], size: int) -> Iterable[int]:
        """Backward only: the boundaries where a match begins, from the last to the first."""
        self.refill(size)
        state = self._state((self._start,), "", accepted=False)
        for symbol in reversed(symbols):
            state = state[symbol]
            if state.accepted:
                yield size
            size -= 1
        if state[""].accepted:
            yield 0

    def end(self, symbols: Sequence[str], start: int) -> tuple[int, int]:
        """Forward only: where the match that begins at `start` ends (-1: nowhere), and the characters read."""
        end = -1
        state = self._state((self._start,), symbols[start - 1] if start else "", accepted=False)
        for position in range(start, len(symbols)):
            state = state[symbols[position]]
            if state.accepted:
                end = position
            if not state.threads:
                return end, position - start
        return len(symbols) if state[""].accepted else end, len(symbols) - start

    def _state(self, threads: tuple[int, ...], edge: str, *, accepted: bool) -> _State:
        key = (threads, edge if self._has_anchors else "", accepted)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= _MAX_STATES:
                for old in self._states.values():
                    old.clear()  # they point at one another: without this only the garbage collector frees them
                self._states.clear()
            state = self._states[key] = _State(self._step, *key)
        return state

    def _step(self, state: _State, symbol: str) -> _State:
        before, after = (symbol, state.edge) if self._backward else (state.edge, symbol)
        waiting, accepted = self._closure(state.threads, before, after)
        threads = dict.fromkeys(target for matcher, target in waiting if symbol and matcher.match(symbol[0]))
        if self._backward:
            threads[self._start] = None
            return self._state(tuple(sorted(threads)), symbol, accepted=accepted)
        return self._state(tuple(threads), symbol, accepted=accepted)

    def _closure(
        self, threads: Iterable[int], before: str, after: str
    ) -> tuple[list[tuple[re.Pattern[str], int]], bool]:
        """What these threads wait for at the boundary between two symbols, the preferred first; and a match?"""
        around = before[:1] + (after[:1] if after in ("", _LAST_NEWLINE) else after + "x")
        position = len(before[:1])
        waiting = []
        seen = set()
        stack = list(threads)[::-1]
        accepted = False
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            operation, argument, target = self._program[number]
            if operation == _CHAR:
                waiting.append((argument, target))
            elif operation == _SPLIT:
                stack.extend(argument[::-1])
            elif operation == _AT:
                if argument.match(around, position):
                    stack.append(target)
            else:
                accepted = True
                if not self._backward:
                    break  # what is left is what `re` would have tried later
        self._work_left -= len(seen)
        if self._work_left < 0:
            raise TooComplexError
        return waiting, accepted
