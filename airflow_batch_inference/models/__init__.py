"""From a model's file to a model that may be used: verified, trusted, loaded, named."""
