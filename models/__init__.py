"""Which weights there are: registry, cards, training, export and evaluation."""
