"""Wallaroo's columns of results: what they are called, which are asked for, and an output that has them."""
