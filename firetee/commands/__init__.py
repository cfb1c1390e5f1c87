"""The commands of the command line; `firetee.cli.COMMANDS` lists them."""
