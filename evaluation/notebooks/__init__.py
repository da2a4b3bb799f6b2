"""What the notebooks stand on: a site opened, and plots that one would show to a colleague."""
