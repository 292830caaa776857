"""Networks: backbones of torchvision and timm, plain CNNs, heads, weights, freezing, averages. Private to the core."""
