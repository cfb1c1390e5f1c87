"""Users' regular expressions, each run by an engine that takes linear time on it. Pure.

`re` is ten times faster than our automaton but backtracks. So it gets the patterns that are seen to be harmless
and the automaton gets the others; a pattern that neither can run in linear time is refused.

A pattern is harmless if it is one sequence of characters, classes, repeated classes, groups of these, and choices
(``ERROR|WARN``, ``(?:GET|POST) ``, ``(?:https?://)?``) between groups of a bounded length; in which an unbounded
repetition (``\\S+``, ``[^"]*``)

* is the last thing: it is followed by a match and never tried a second way; or
* ends in one way only, because what comes next cannot be in it (``[^"]*"``), and cannot reach over a later
  beginning of a match, because something before it cannot be in it either (``"password"\\s*:``);

and whose bounded repetitions and choices leave few ways (`_MAX_WAYS`). Then each beginning costs a bounded number of
steps, and the steps inside repetitions add up to the length of the text once for each way at most. That `re` finds what
the automaton finds, and takes no longer on longer texts, is what the tests try with patterns and texts of chance.
"""

from __future__ import annotations

import re

from .automaton import SINGLE, UNBOUNDED, Automaton, UnsupportedError, compile_node, parse
from .redaction import Replacing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Flags = tuple[tuple[int, int], ...]
    #: Characters (see `_members`), how many of them at least and at most (None: without a bound), and in how many ways,
    #: if not just in each number of times (None: then in as many as there are numbers).
    Item = tuple[frozenset[str], int, int | None, int | None]

#: Ways through a harmless pattern's bounded parts, and characters in them. Choices: at the worst this many steps
#: for each character of a text, a few nanoseconds each.
_MAX_WAYS = 64
_MAX_WIDTH = 256

#: One character of each kind that a class can tell apart beyond ASCII, if it names none of those itself: a
#: digit, a letter, a blank, and another.
_BEYOND_ASCII = ("\u0661", "\u00e9", "\u00a0", "\u2603")
_SAMPLES = (*map(chr, range(128)), *_BEYOND_ASCII)


class Backtracking:
    """A harmless pattern, run by `re`."""

    def __init__(self, compiled: re.Pattern[str]) -> None:
        self._compiled = compiled

    def found(self, text: str) -> bool:
        """Whether the pattern matches anywhere."""
        return self._compiled.search(text) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The matches that are not empty, in order."""
        return [match.span() for match in self.matches(text)]

    def matches(self, text: str) -> list[re.Match[str]]:
        """The same with their groups."""
        return [match for match in self._compiled.finditer(text) if match.end() > match.start()]

    def check(self, template: str) -> None:
        """Raise `re.error` or IndexError if no match can be expanded by it."""
        self._compiled.sub(template, "")


class Everything:
    """Stands for a pattern that cannot be run where not finding a match would give something away."""

    def found(self, text: str) -> bool:
        """Always."""
        return True

    def spans(self, text: str) -> list[tuple[int, int]]:
        """All of the text."""
        return [(0, len(text))] if text else []


if TYPE_CHECKING:
    Pattern = Backtracking | Automaton | Everything


def split_patterns(value: str) -> list[str]:
    """The patterns in a setting: one a line, or separated by ``;;``; blanks around them do not count."""
    return [part.strip() for part in re.split(r"\n|;;", value) if part.strip()]


def compile_patterns(variable: str, value: str | None, *, withhold: bool = False) -> tuple[list[Pattern], list[str]]:
    """A setting's patterns ready to run, and one line about each that cannot be: variable, pattern, error.

    A pattern that does not compile is left out. One that is refused, because nothing here can run it in linear
    time, is left out too; or with `withhold` it counts as matching everything.
    """
    ready: list[Pattern] = []
    problems = []
    for pattern in split_patterns(value or ""):
        try:
            ready.append(_compile(pattern))
        except UnsupportedError as error:
            problems.append(_refused(variable, pattern, str(error), withhold))
            if withhold:
                ready.append(Everything())
        except (re.error, OverflowError, RecursionError) as error:
            problems.append(f"{variable}: the pattern {pattern!r} does not compile ({error}): it is ignored")
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # the nodes of another parser
            problems.append(_refused(variable, pattern, f"unknown to us on this Python: {error}", withhold))
            if withhold:
                ready.append(Everything())
    return ready, problems


def compile_replacements(variable: str, value: str | None) -> tuple[list[Replacing], list[str]]:
    """The same for a setting of ``pattern`` and ``pattern=>text``; what is refused counts as matching everything.

    `text` may name groups (``\\1``, ``\\g<name>``) where the pattern is harmless. Elsewhere nothing tells them in
    linear time: then, and where there is no such group, matches become ``***``.
    """
    ready: list[Replacing] = []
    problems: list[str] = []
    for part in split_patterns(value or ""):
        pattern, arrow, text = part.rpartition("=>")
        compiled, more = compile_patterns(variable, pattern if arrow else part, withhold=True)
        problems += more
        for each in compiled:
            replacing = Replacing(each)
            if isinstance(each, Everything):
                pass  # it was refused
            elif arrow and "\\" not in text:
                replacing.text = text
            elif arrow:
                why = _why_no_groups(each, text)
                if why is None:
                    replacing.template = text
                else:
                    problems.append(
                        f"{variable}: the text {text!r} cannot take the place of {pattern!r} ({why}): *** does"
                    )
            ready.append(replacing)
    return ready, problems


def _why_no_groups(pattern: Pattern, template: str) -> str | None:
    if not isinstance(pattern, Backtracking):
        return "the pattern may backtrack, and then its groups are not told in bounded time"
    try:
        pattern.check(template)
    except (re.error, IndexError) as error:
        return str(error)
    return None


def _refused(variable: str, pattern: str, why: str, withhold: bool) -> str:
    instead = "every line is sent as ***" if withhold else "it is ignored"
    return f"{variable}: the pattern {pattern!r} cannot be run in bounded time ({why}): {instead}"


def _compile(pattern: str) -> Pattern:
    import warnings

    with warnings.catch_warnings():  # "possible nested set": not the function's concern
        warnings.simplefilter("ignore")
        compiled = re.compile(pattern)
        return Backtracking(compiled) if is_harmless(pattern) else Automaton(pattern)


def is_harmless(pattern: str) -> bool:
    """Whether `re` searches any text for this pattern in time proportional to its length; False if in doubt."""
    tree = parse(pattern)
    try:
        items = _items(tree, tree.state, ())
    except _NotFlat:
        return False
    ways = width = 1
    for index, (members, least, most, choices) in enumerate(items):
        last = index == len(items) - 1
        if most is None:
            width += least
            if not last and not (_ends_one_way(items, index) and _begins_outside(items, index)):
                return False
        elif not members and not last:
            width += most  # a check between characters; what it looks at counts
        else:
            width += most
            if choices is not None:
                ways *= choices
            elif most > least and not last and not _ends_one_way(items, index):
                ways *= most - least + 1
    return ways <= _MAX_WAYS and width <= _MAX_WIDTH


class _NotFlat(Exception):
    """The pattern is more than a sequence."""


def _items(nodes: Iterable[tuple[Any, Any]], state: Any, flags: Flags) -> list[Item]:
    """The sequence that the nodes are; a check between characters is an item without characters."""
    items: list[Item] = []
    for node in nodes:
        operation, argument = str(node[0]), node[1]
        if operation in SINGLE:
            items.append((_members(state, node, flags), 1, 1, None))
        elif operation == "SUBPATTERN":
            items += _items(argument[3], state, (*flags, argument[1:3]))
        elif operation in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            items += _repeated(least, most, _items(inner, state, flags))
        elif operation == "AT":
            items.append((frozenset(), 0, 0, None))
        elif operation in ("ASSERT", "ASSERT_NOT"):
            looked_at = _items(argument[1], state, flags)
            if any(least != most for _, least, most, _ in looked_at):
                raise _NotFlat
            items.append((frozenset(), 0, len(looked_at), None))
        elif operation == "BRANCH":
            items.append(_any_of([_choice(_items(way, state, flags)) for way in argument[1]]))
        else:
            raise _NotFlat
        if len(items) > _MAX_WIDTH:
            raise _NotFlat
    return items


def _repeated(least: int, most: int, items: list[Item]) -> list[Item]:
    if least == most and least * len(items) <= _MAX_WIDTH:
        return items * least
    if len(items) == 1 and items[0][1:] == (1, 1, None):
        return [(items[0][0], least, None if most == UNBOUNDED else most, None)]
    if most == UNBOUNDED or most > _MAX_WAYS:
        raise _NotFlat
    return [_any_of([_choice(items * times) for times in range(least, most + 1)])]


def _choice(items: list[Item]) -> Item:
    """A sequence of a bounded length as one item."""
    members: frozenset[str] = frozenset()
    least, most, ways = 0, 0, 1
    for characters, at_least, at_most, choices in items:
        if at_most is None or (at_most and not characters):  # without a bound, or a look at what is around
            raise _NotFlat
        members |= characters
        least, most = least + at_least, most + at_most
        ways *= choices or at_most - at_least + 1
    return members, least, most, ways


def _any_of(choices: list[Item]) -> Item:
    """Several choices as one item."""
    members: frozenset[str] = frozenset().union(*(choice[0] for choice in choices))
    return (
        members,
        min(choice[1] for choice in choices),
        max(choice[2] or 0 for choice in choices),
        sum(choice[3] or 1 for choice in choices),
    )


def _members(state: Any, node: tuple[Any, Any], flags: Flags) -> frozenset[str]:
    """Which of `_SAMPLES` the node matches: exact for ASCII, beyond it never too few kinds."""
    compiled = compile_node(state, node, flags)
    members = frozenset(filter(compiled.match, _SAMPLES))
    if compiled.flags & re.IGNORECASE or any(code > 127 for code in _codes(node)):
        members |= frozenset(_BEYOND_ASCII)
    return members


def _codes(node: tuple[Any, Any]) -> Iterable[int]:
    """The code points that a node names."""
    operation, argument = str(node[0]), node[1]
    if operation in ("LITERAL", "NOT_LITERAL"):
        return (argument,)
    if operation == "RANGE":
        return tuple(argument)
    if operation == "IN":
        return [code for inner in argument for code in _codes(inner)]
    return ()


def _ends_one_way(items: list[Item], index: int) -> bool:
    """Whether a repetition can only go on as far as it can: no character after it could also be its own."""
    members = items[index][0]
    for other, least, _, _ in items[index + 1 :]:
        if members & other:
            return False
        if least:
            return True
    return False


def _begins_outside(items: list[Item], index: int) -> bool:
    """Whether something that must come before a repetition can never be inside it."""
    return any(least and other.isdisjoint(items[index][0]) for other, least, _, _ in items[:index])
