"""What Parquet files say of themselves before they are read."""
