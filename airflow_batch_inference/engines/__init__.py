"""Where the parts of a job are scored."""
