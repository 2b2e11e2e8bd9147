"""Model files that nobody vouches for: first recognised and loaded in a process that may die of them."""
