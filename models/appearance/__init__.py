"""A small network that tells people apart by their clothing: its form, its recipe, how good it is."""
