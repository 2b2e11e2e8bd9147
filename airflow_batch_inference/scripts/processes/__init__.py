"""Worker processes of scoring scripts."""
