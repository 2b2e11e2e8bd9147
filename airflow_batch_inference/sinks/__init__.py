"""Publishing a prediction set where others read it: a kind of target a module, found by the registry."""
