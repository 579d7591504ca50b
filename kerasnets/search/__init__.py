"""Architecture search with keras-tuner: what may vary, the trials, their results."""
