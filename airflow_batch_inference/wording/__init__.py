"""What may be shown of names, URIs and texts of others: nothing that steers a terminal, and nothing that is secret.

Every message, log line, event and page goes through here: the base of the errors, the log records of this package, and
whatever quotes a library. Nothing is imported here but Python's own modules, since the errors need it.
"""
