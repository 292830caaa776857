"""Object detection for vision-toolkit: boxes and what is in them."""
