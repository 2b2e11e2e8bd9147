"""Challengers, and how their predictions differ from the champion's."""
