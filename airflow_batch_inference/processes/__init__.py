"""Child processes: how they are started, what they are given of the environment, how many threads they may use."""
