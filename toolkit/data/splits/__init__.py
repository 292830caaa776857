"""Which sample is in which split: cuts, groups and copies that stay together, limits, manifests.

Private to the core.
"""

from toolkit.moved import names_of_old

__getattr__ = names_of_old(__name__, "toolkit.data.splits.splits")
