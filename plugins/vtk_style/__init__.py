"""Neural style transfer.

The numbers, and where each is computed as a plain function of tensors, differentiable, on any device:

======================================  ==========================================================
G = F·Fᵀ / (a·b·c·d)                    ``vtk_style.gram.gram_matrix(F)``, F of shape (a, b, c, d)
content = mean((F − P)²)                ``vtk_style.losses.content_loss(F, P)``
style at a layer = mean((G − A)²)       ``vtk_style.losses.style_loss(G, A)``
TV = mean(dx²) + mean(dy²)              ``vtk_style.losses.total_variation(x)``; ``"l1"`` for mean(|dx|) + mean(|dy|)
features of VGG-19 at named layers      ``vtk_style.vgg.VggFeatures(parameters, taps)(image)``
VGG-19's weights                        ``vtk_style.weights.load_parameters(source, depth, seed)``
all terms of an image, tile by tile     ``vtk_style.objective.Objective.terms(image)``
======================================  ==========================================================

Images are (1, 3, H, W) in [0, 1]; the vgg normalises them with ImageNet's mean and deviation. Total = w_c · content +
w_s · Σ style + w_tv · TV with w_c = 1, w_s = 10⁶, w_tv = 0 by default. Convolutions are counted conv_1 … conv_16
through the network, and tapped before their ReLU; ``relu_k`` is after it.

Other programs normalise Gram matrices differently, or sum where a mean stands here, so their weights do not carry over.
"""
