"""`python -m firetee`."""

from firetee.cli import main

main()
