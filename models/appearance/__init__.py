"""The appearance network, which distinguishes people by their clothing: network, recipe, evaluation."""
