"""Bytes to Arrow and back: which format a file has, how it is cut into units, read and written."""
