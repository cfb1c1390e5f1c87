"""Which functions a command line means: their names, a file of names, tags, a pattern, or all of a region."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

import click

from firetee.cloud import fleet
from firetee.cloud.aws import Cloud
from firetee.cloud.errors import CloudError
from firetee.commands.common import open_cloud


@dataclass(frozen=True)
class Selection:
    """Which functions a command line means."""

    names: tuple[str, ...]
    every: bool = False
    tags: tuple[str, ...] = ()
    match: str = ""
    yes: bool = False
    is_one: bool = False
    """Whether one function was named, and nothing that could have meant several."""

    @property
    def is_whole_region(self) -> bool:
        """Whether nothing narrows down `--all`."""
        return self.every and not self.tags and not self.match


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds what selects functions; the command gets it as `selection`."""

    @functools.wraps(command)
    def run(**kwargs: Any) -> None:
        named, listed = kwargs.pop("functions"), kwargs.pop("names_file")
        selection = Selection(
            tuple(dict.fromkeys((*named, *(listed or ())))),
            kwargs.pop("every"),
            kwargs.pop("tags"),
            kwargs.pop("match"),
            kwargs.pop("yes", False),
            is_one=len(named) == 1 and listed is None,
        )
        command(selection=selection, **kwargs)

    for option in (
        click.option(
            "--from",
            "names_file",
            type=click.File(encoding="utf-8-sig"),  # with a byte order mark, as Windows writes it, or without
            callback=_listed,
            metavar="FILE",
            help="Names, one a line; - is stdin.",
        ),
        click.option("--match", default="", metavar="REGEX", help="Python functions in whose name this is found."),
        click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Python functions with this tag."),
        click.option("--all", "every", is_flag=True, help="All Python functions of the region."),
        click.argument("functions", nargs=-1, metavar="[FUNCTION]..."),
    ):
        run = option(run)
    return run


yes_option = click.option("--yes", is_flag=True, help="Do not ask before a whole region is changed.")
"""For commands that change what they select, below `selection_options`."""


def _listed(context: click.Context, option: click.Parameter, file: IO[str] | None) -> list[str] | None:
    """The names in a file: one a line, without comments."""
    if file is None:
        return None
    try:
        lines = [line.partition("#")[0].strip() for line in file]
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{file.name} is not UTF-8 text.", context, option) from error
    except OSError as error:
        raise click.BadParameter(f"{file.name}: {error.strerror}.", context, option) from error
    finally:
        if file.name != "<stdin>":
            file.close()
    return [line for line in lines if line]


def choose(region: str | None, selection: Selection) -> tuple[Cloud, list[str]]:
    """The account as seen from the region, and the functions that are meant.

    Raises click's UsageError if the selection contradicts itself, CloudError if there is none.
    """
    narrowed = selection.every or bool(selection.tags) or bool(selection.match)
    if bool(selection.names) == narrowed:
        raise click.UsageError("Name the functions, one by one or by --from FILE; or give --all, --tag or --match.")
    try:
        pattern = re.compile(selection.match)
    except re.error as error:
        raise click.UsageError(f"--match {selection.match}: {error}") from error
    cloud = open_cloud(region)
    if selection.names:
        return cloud, list(selection.names)
    chosen = [name for name in fleet.select(cloud, fleet.parse_tags(selection.tags)) if pattern.search(name)]
    if not chosen:
        raise CloudError(f"No Python function in {cloud.region} matches.", "Check --tag, --match and --region.")
    return cloud, chosen


def ask(cloud: Cloud, selection: Selection, chosen: Sequence[str], *, dry_run: bool) -> None:
    """Ask before a whole region is changed; where nobody can answer, raises click's UsageError."""
    if dry_run or selection.yes or not selection.is_whole_region:
        return
    question = f"All {len(chosen)} Python functions in {cloud.region} are to be changed."
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Give --yes if that is what you want.")
    if not click.confirm(f"{question} Go on?", err=True):
        raise CloudError("Nothing was changed.")
