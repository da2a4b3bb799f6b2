"""Sources of footage: files, folders, image sequences; decoded in order, with what was lost between."""
