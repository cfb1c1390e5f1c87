"""docs/performance.md, made from results.json alone: no number in it is typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import cost
from benchmarks.goals import GOALS
from benchmarks.variants import BY_NAME, FIELD, Variant

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TEMPLATE = Path(__file__).parent / "performance.md.tmpl"

OURS = ("before-return", "after-return", "batched")
ABSENT = "-"


def write(results: Mapping[str, Any]) -> None:
    """Write the page; leaves it as it is while measurements are missing."""
    try:
        text = page(results)
    except KeyError:
        return
    PAGE.write_text(text)


def page(results: Mapping[str, Any]) -> str:
    """The page's text. Raises `KeyError` for a measurement that is missing."""
    measured = results["measured"]
    parts = {
        "goals": _goals(measured),
        "missed": _missed(measured),
        "side_by_side": _side_by_side(measured),
        "lost": _lost(measured["loss"]),
        "bill": _bill(measured["bill"]),
        "cost": _cost(measured),
        "not_first": _not_first(measured),
        "floor": spread(measured["floor"]["ms"]),
        "print": _print(measured["print"]),
        "sustained": _sustained(measured["sustained"]),
        "journal": _journal(measured["journal"]),
        "growth": _growth(measured["growth"]),
        "machine": _machine(results["machine"]),
        "rounds": _rounds(results["conditions"]),
        "assumed": (
            f"{cost.MEMORY_GB * 1024:g} MB, {cost.COLD_SHARE:.0%} cold starts, {cost.LINES} lines an invocation, "
            f"${cost.LAMBDA_GB_SECOND:.10f} a GB-second, ${cost.FIREHOSE_GB} a GB into Firehose"
        ),
    }
    return TEMPLATE.read_text().format_map(parts)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def number(value: float, digits: int = 3) -> str:
    """So many significant digits at least, no needless ones: 0.0123, 1.23, 12.3, 12,345."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    decimals = 0
    while decimals < 4 and magnitude * 10**decimals < 10 ** (digits - 1):
        decimals += 1
    return f"{value:,.{decimals}f}"


def spread(summary: Mapping[str, float]) -> str:
    """Median and quartiles: `12.3 (11.9 to 13.0)`."""
    return f"{number(summary['median'])} ({number(summary['q1'])} to {number(summary['q3'])})"


def _goals(measured: dict[str, Any]) -> str:
    rows = []
    for goal in GOALS:
        value = goal.measured(measured)
        sign = "≥ " if goal.least else "≤ "
        rows.append(
            [goal.title, sign + goal.show(goal.limit), goal.show(value), "met" if goal.met(measured) else "**missed**"]
        )
    return markdown(["added to the bare function", "goal", "measured", ""], rows)


def _missed(measured: dict[str, Any]) -> str:
    missed = [goal.title for goal in GOALS if not goal.met(measured)]
    return f"{len(GOALS) - len(missed)} of {len(GOALS)} goals are met." + (
        f" Missed: {'; '.join(missed)}." if missed else ""
    )


def _side_by_side(measured: dict[str, Any]) -> str:
    cold, warm = measured["cold"], measured["warm"]
    rows = [
        [
            each.title,
            spread(cold[each.name]["ms"]),
            number(cold[each.name]["cpu_ms"]["median"]),
            *(number(warm[each.name]["lines"][lines]["asked_ms"]["median"]) for lines in ("0", "1", "10", "100")),
            number(warm[each.name]["lines"]["10"]["answered_ms"]["median"]),
            number(warm[each.name]["lines"]["10"]["cpu_ms"]["median"]),
            number(warm[each.name]["resident_mb"]),
        ]
        for each in FIELD
    ]
    head = [
        "",
        "cold start, ms",
        "its CPU, ms",
        *(f"{count}, ms" for count in ("no line", "1 line", "10 lines", "100 lines")),
        "10 lines, answered, ms",
        "10 lines, CPU, ms",
        "resident, MB",
    ]
    return markdown(head, rows)


def _lost(loss: dict[str, Any]) -> str:
    cases = list(next(iter(loss.values())))
    rows = [
        [each.title, *(f"{loss[each.name][case]:g}" if each.name in loss else ABSENT for case in cases)]
        for each in FIELD
        if each.name != "bare"
    ]
    return markdown(["lines lost of 100", *cases], rows)


def _bill(bill: dict[str, Any]) -> str:
    rows = []
    for each in FIELD:
        if each.name in bill:
            found = bill[each.name]
            billed = found["billed_bytes"]
            figures = [found["delivered"], found["requests"], found["bytes"]]
            rows.append([each.title, *(f"{value:,}" for value in figures), ABSENT if billed is None else f"{billed:,}"])
    return markdown(
        ["1,000 lines, 100 invocations", "delivered", "requests", "bytes of bodies", "billed by Firehose, bytes"], rows
    )


def _cost(measured: dict[str, Any]) -> str:
    rows = []
    for each in FIELD:
        if each.name != "bare":
            parts = cost.per_million(measured, each.name)
            firehose = f"{parts['firehose']:.2f}" if parts["firehose"] else ABSENT
            rows.append(
                [each.title, f"{parts['warm']:.2f}", f"{parts['cold']:.2f}", firehose, f"{sum(parts.values()):.2f}"]
            )
    return markdown(["added to a million invocations, US$", "warm", "cold", "Firehose", "together"], rows)


#: What is compared, the least being the best. A variant for which it raises `KeyError` does not take part.
_COLUMNS: dict[str, Callable[[dict[str, Any], str], float]] = {
    "cold start, ms": lambda measured, name: float(measured["cold"][name]["ms"]["median"]),
    "invocation that writes nothing, ms": lambda measured, name: _asked(measured, name, "0"),
    "invocation with 1 line, ms": lambda measured, name: _asked(measured, name, "1"),
    "invocation with 10 lines, ms": lambda measured, name: _asked(measured, name, "10"),
    "invocation with 100 lines, ms": lambda measured, name: _asked(measured, name, "100"),
    "10 lines until the answer, ms": lambda measured, name: float(
        measured["warm"][name]["lines"]["10"]["answered_ms"]["median"]
    ),
    "resident, MB": lambda measured, name: float(measured["warm"][name]["resident_mb"]),
    "lost by an exit that an invocation follows": lambda measured, name: float(
        measured["loss"][name]["exit, then an invocation"]
    ),
    "lost by an exit that nothing follows": lambda measured, name: float(measured["loss"][name]["exit, then nothing"]),
    "lost by a freeze after the answer": lambda measured, name: float(measured["loss"][name]["freeze"]),
    "requests for 1,000 lines": lambda measured, name: float(measured["bill"][name]["requests"]),
    "bytes of bodies for 1,000 lines": lambda measured, name: float(measured["bill"][name]["bytes"]),
}


def _asked(measured: dict[str, Any], name: str, lines: str) -> float:
    return float(measured["warm"][name]["lines"][lines]["asked_ms"]["median"])


#: What differs by less than this is the same: two runs differ by as much (a choice).
_SAME = 1.05


def beaten(measured: dict[str, Any]) -> list[str]:
    """Where another is better than a mode of firetee: a line for each column, with everyone's figures."""
    found = []
    for column, value in _COLUMNS.items():
        modes = {mode: value(measured, mode) for mode in OURS}
        others = {
            each.title: theirs
            for each in FIELD
            if each.name not in (*OURS, "bare") and (theirs := _or_none(value, measured, each)) is not None
        }
        worst = max(modes.values())
        better = [f"{title} ({number(theirs)})" for title, theirs in others.items() if theirs * _SAME < worst]
        if better:
            least = min(others.values())
            behind = [f"{BY_NAME[mode].title} ({number(ours)})" for mode, ours in modes.items() if least * _SAME < ours]
            found.append(f"{column}: {', '.join(better)}, before {', '.join(behind)}")
    return found


def _or_none(value: Callable[[dict[str, Any], str], float], measured: dict[str, Any], each: Variant) -> float | None:
    try:
        return value(measured, each.name)
    except KeyError:
        return None


def _not_first(measured: dict[str, Any]) -> str:
    found = beaten(measured)
    return "\n".join(f"- {each}" for each in found) if found else "Nowhere in this run."


def _print(figures: dict[str, Any]) -> str:
    return (
        f"{spread(figures['bare_us'])} µs bare, {spread(figures['firetee_us'])} µs with firetee, "
        f"{spread(figures['added_us'])} µs added"
    )


def _sustained(ways: dict[str, Any]) -> str:
    titles = {"printed": "one `print` a line", "blocks": "100 lines a write"}
    columns = [(name, figure) for figure in ("rate", "cpu_us") for name in ("bare", "before-return")]
    rows = [[title, *(spread(ways[way][name][figure]) for name, figure in columns)] for way, title in titles.items()]
    head = ["", "bare, lines/s", "firetee, lines/s", "bare, CPU of a line, µs", "firetee, CPU of a line, µs"]
    return markdown(head, rows)


def _journal(journal: dict[str, Any]) -> str:
    titles = {
        "line_us": "one line of 200 bytes, µs",
        "start_us": "at start, µs",
        "resident_mb": "resident after 1,000 bursts of 100 lines, MB",
        "backlog_mb": "resident with 40,000 lines waiting, MB",
    }
    rows = [
        [title, *(spread(journal[name][key]) for key in ("deque", "journal", "added"))]
        for name, title in titles.items()
    ]
    return markdown(["", "deque in memory", "journal", "added"], rows)


def _growth(growth: dict[str, Any]) -> str:
    tables = []
    for curve, points in growth.items():
        rows = [
            [f"{int(at):,}", *(number(point[key]["median"]) for key in ("bare_ms", "firetee_ms", "added_ms"))]
            for at, point in points.items()
        ]
        tables.append(markdown([curve, "bare, ms", "firetee, ms", "added, ms"], rows))
    return "\n\n".join(tables)


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    crowd = (
        " More was running than the machine has cores: every time here is longer than on a quiet machine, those on the "
        "clock most, and what is added has grown with it."
        if machine["load"] > machine["cores"]
        else ""
    )
    others = "".join(f"\n- {BY_NAME[name].title}: {packages}" for name, packages in machine["field"].items())
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']} "
        f"(load over 15 minutes: {machine['load']:g}), CPython {machine['python']}, {versions}.{crowd}\n{others}"
    )


def _rounds(conditions: dict[str, Any]) -> str:
    return ", ".join(f"{name} {found['rounds']}" for name, found in conditions.items())


if __name__ == "__main__":  # after a change of the wording: the page again, without measuring
    from benchmarks import plots
    from benchmarks import results as latest

    found = latest.load()
    write(found)
    plots.draw(found)
