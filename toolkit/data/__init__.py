"""The data path: decoding, sources, splits, transforms, loaders."""
