"""The commands that talk to AWS, one module each. `firetee.cli` imports a module only when its command is used."""
