"""LeNet-5 on an NVIDIA GPU: fused kernels, many steps a CUDA graph."""
