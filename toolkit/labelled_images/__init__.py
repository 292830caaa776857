"""The kit for tasks on labelled images: data, model, loss, survey and test-time augmentation, above data and models.

The built-in classification and multi-label tasks stand on it. Provisional: names may change in a minor version.
"""
