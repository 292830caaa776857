"""Hook specifications, the catalogue of plugins, and the plugin manager of one run."""
