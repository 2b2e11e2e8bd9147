"""From a prediction set with labels to metrics, and from metrics to a verdict."""
