"""What predicts a mini-batch: one model, a chain, a split, a champion with challengers, or a function."""
