"""Which images a seed gives."""

# Raised with every change to what `simulate_case` draws for a seed: scores and data sets
# made with another version are of other images.
# 6.1 has the images of 6; what lies under the frame of a film is no longer marked in it.
SIMULATION_VERSION = "6.1"
