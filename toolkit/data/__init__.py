"""The data path: image files, sources, splits, augmentation, loading; each a folder of its own.

``toolkit.read_image``, ``read_mask``, ``find_images`` and ``ImageError`` are public; the rest is private to the core.
"""
