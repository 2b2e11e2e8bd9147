"""Keras' models."""
