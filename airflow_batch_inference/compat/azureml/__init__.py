"""Azure ML's files: batch deployments and parallel jobs."""
