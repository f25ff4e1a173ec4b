"""``python -m vitexplore`` is the command line."""

from vitexplore.cli import main

main()
