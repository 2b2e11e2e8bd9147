"""scikit-learn's models: skops, joblib and pickle."""
