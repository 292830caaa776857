"""Files, devices, memory, signals and terminals: what the machine gives, for every room above. Private to the core."""
