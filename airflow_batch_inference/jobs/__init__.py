"""One scoring job: what is asked, how it is cut into parts, and how a part is scored."""
