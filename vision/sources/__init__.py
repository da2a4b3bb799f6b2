"""Sources of footage: video files and image sequences, decoded in order, with the gaps between frames."""
