"""Reports: a drift result as a self-contained HTML page."""
