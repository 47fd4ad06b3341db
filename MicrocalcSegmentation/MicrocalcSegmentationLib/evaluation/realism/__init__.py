"""Whether simulated mammograms measure and look like real ones."""
