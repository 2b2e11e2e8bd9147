"""Rules: how the comparisons of all columns become one verdict, a rule a file."""
