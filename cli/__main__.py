"""`python -m cli`: the same as `lazaretto`."""

from cli.main import main

main()
