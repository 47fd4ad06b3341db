"""Which images a seed gives."""

# Raised with every change to what `simulate_case` draws for a seed: scores and data sets
# made with another version are of other images.
SIMULATION_VERSION = "7.2"
