"""From samples to batches: datasets, the order of samples, workers, and the cache of decoded pictures.

Private to the core.
"""
