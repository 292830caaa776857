"""Which sample is in which split: cuts, groups and copies that stay together, limits, manifests.

Private to the core.
"""
