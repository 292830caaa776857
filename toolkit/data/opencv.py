"""OpenCV with its own threads off: the loader's workers are the one pool; nested pools fight for cores."""

from __future__ import annotations

import cv2

__all__ = ["cv2"]

cv2.setNumThreads(0)
cv2.ocl.setUseOpenCL(False)
