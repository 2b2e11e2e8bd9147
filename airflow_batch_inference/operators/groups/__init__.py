"""Groups of an operator's arguments: what belongs together, in small objects that are checked when a DAG is parsed."""
