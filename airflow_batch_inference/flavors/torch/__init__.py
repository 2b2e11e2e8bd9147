"""PyTorch's models."""
