"""The command line `firetee`: a group of commands, each imported only when it is run.

Exit codes, of every command:
    0  done, or nothing to do
    1  failed, or a check found something (lines missing, a diagnosis with problems); nothing is left changed
    2  wrong usage
    3  failed or interrupted half way, and something is changed; the message lists what
"""

from __future__ import annotations

import importlib
import json
import platform

import click

#: Command, the module and attribute that hold it, one line of help. A space makes it part of a group: `layer build`.
COMMANDS: dict[str, tuple[str, str]] = {
    "layer build": ("firetee.commands.layer:build", "Write the layer's zip"),
    "layer publish": ("firetee.commands.publish:publish", "Publish the layer, in one region or in all of them"),
    "layer unpack": ("firetee.commands.layer:unpack", "Unpack the layer into a folder, for container images"),
    "new": ("firetee.commands.new:new", "Make a small function that uses the layer, to try it on"),
    "attach": ("firetee.commands.attach:attach", "Attach firetee to functions"),
    "detach": ("firetee.commands.detach:detach", "Take it off again, without a trace"),
    "doctor": ("firetee.commands.doctor:doctor", "Say what is wrong with a function's set-up, and how to repair it"),
    "upgrade": ("firetee.commands.upgrade:upgrade", "Have another version of the layer on functions that have firetee"),
    "status": ("firetee.commands.status:status", "Show which functions have firetee, and where they send"),
    "tail": ("firetee.commands.tail:tail", "Show delivered lines, from a stream's bucket"),
    "search": ("firetee.commands.search:search", "Search delivered lines of the past, in a stream's bucket"),
    "cost": ("firetee.commands.cost:cost", "Compute what lines cost a month, with your numbers"),
    "local": ("firetee.commands.local:command", "Run a function here, through the layer, and watch its lines arrive"),
}

#: What the groups say about themselves.
GROUPS: dict[str, str] = {
    "": "Sends everything a Python Lambda function writes to Amazon Data Firehose, without a change to the function.",
    "layer": "The Lambda layer that does it: one zip for every Python and both architectures.",
}


def unserved(command: str, system: str) -> str:
    """Why a command cannot run on an operating system; empty if it can. Asked before the command is imported."""
    if system == "Windows":
        return "firetee's commands need Linux or macOS, this is Windows: use WSL"
    if command == "local" and system != "Linux":
        return f"AWS's emulator is a program for Linux, this is {system}: use a Linux machine, a container or WSL"
    return ""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help from `COMMANDS` and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        prefix = f"{self.name} " if self.name in GROUPS else ""
        names = [name.removeprefix(prefix) for name in COMMANDS if name.startswith(prefix)]
        return list(dict.fromkeys(name.split(" ")[0] for name in names))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        full = f"{self.name} {cmd_name}" if self.name in GROUPS else cmd_name
        if full in GROUPS:
            return LazyGroup(full, help=GROUPS[full], no_args_is_help=True)
        if full not in COMMANDS:
            return None
        if why := unserved(full, platform.system()):
            raise click.ClickException(why)
        module, _, attribute = COMMANDS[full][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        wants_json = "--json" in args
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if not wants_json:
                raise
            remedy = f"See `{ctx.command_path} --help`."
            click.echo(json.dumps({"error": error.format_message(), "remedy": remedy}, indent=2))
            ctx.exit(2)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        prefix = f"{self.name} " if self.name in GROUPS else ""
        rows = []
        for name in self.list_commands(ctx):
            full = prefix + name
            rows.append((name, GROUPS[full] if full in GROUPS else COMMANDS[full][1]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.command(
    cls=LazyGroup,
    name="firetee",
    help=GROUPS[""],
    no_args_is_help=True,
    epilog="Exit codes: 0 done; 1 failed, or a check found something; 2 wrong usage; 3 failed with changes left.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="firetee")
def main() -> None:
    """See `GROUPS`: this text is not shown."""
