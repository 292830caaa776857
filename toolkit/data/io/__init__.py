"""Image files in and out: headers, decoding, resizing, and the paths of very many files.

``toolkit.read_image``, ``read_mask``, ``find_images`` and ``ImageError`` are public; the rest is private to the core.
"""
