"""`python -m pipelines`: the same as `lazaretto`."""

from pipelines.cli import main

main()
