"""Flavors: one file a framework, each of which turns a model file into a :class:`~.base.LoadedModel`."""
