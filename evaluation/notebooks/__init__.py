"""What the notebooks use: the opened home, plots, and a few measures."""

import warnings

# Libraries that show progress by tqdm warn in a notebook without ipywidgets; no notebook here needs them.
warnings.filterwarnings("ignore", message="IProgress not found")
