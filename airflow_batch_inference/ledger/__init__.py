"""What has been done and what counts: receipts, the commit, the account of rows."""
