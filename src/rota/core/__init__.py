"""What things mean: values and rules, without a clock, I/O or randomness."""
