"""``python -m consensus`` is the command line."""

from consensus.cli import main

main()
