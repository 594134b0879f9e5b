"""Records where results come from: versions, inputs, and the regions of a training."""
