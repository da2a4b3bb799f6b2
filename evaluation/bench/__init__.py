"""Speed, cost and accuracy of this pipeline beside the loops that a user would write, on the same footage."""
