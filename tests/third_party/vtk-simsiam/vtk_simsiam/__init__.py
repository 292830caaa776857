"""Self-supervised learning for vision-toolkit: a backbone from pictures without labels."""
