"""What was watched: counts of each hour, what they leave out, and what is said beside incidents."""
