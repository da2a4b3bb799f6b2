"""What the notebooks use: the opened home, plots, and a few measures."""
