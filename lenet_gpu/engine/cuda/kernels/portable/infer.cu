// Inference: the scores of many images.
#include "portable/forward.cuh"

// Scores of the classes for `count` images, one thread block an image at a time: logits, or penalties with their sign
// turned.
//
//   parameters  [PARAMETERS]      the network
//   images      [count][28][28]   pixels
//   scores      [count][CLASSES]  out
//
// Launch with any number of blocks, best a few for each multiprocessor, and sizeof(Memory) bytes of shared memory.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
lenet5_infer(const float* __restrict__ parameters, const unsigned char* __restrict__ images, float background,
             float scale, int count, float* __restrict__ scores) {
    Memory& m = *reinterpret_cast<Memory*>(dynamic_shared);
    if (static_cast<int>(blockIdx.x) >= count) return;
    store_weights(weights_of_thread(parameters), m);
    store_margin(background, m);
    const auto pixels = [&](int image) {
        return pixels_of_thread(images + static_cast<size_t>(image) * (IMAGE_SIZE * IMAGE_SIZE));
    };
    unsigned four = pixels(blockIdx.x);
    for (int image = blockIdx.x; image < count; image += gridDim.x) {
        store_image(four, background, scale, m);
        __syncthreads();
        const int next = image + static_cast<int>(gridDim.x);
        if (next < count) four = pixels(next);
        F6Rows f6;
        forward(parameters, f6, m);
        if (threadIdx.x < CLASSES) scores[static_cast<size_t>(image) * CLASSES + threadIdx.x] = m.output[threadIdx.x];
        // No barrier: the next image is written into x, which no thread has read since the first barrier of `forward`.
    }
}
