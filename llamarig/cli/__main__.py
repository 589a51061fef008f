"""`python -m llamarig.cli`: the console script by another way."""

from llamarig.cli.main import main

main()
