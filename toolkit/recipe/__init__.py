"""From recipe text to a validated recipe with the place and origin of each value."""
