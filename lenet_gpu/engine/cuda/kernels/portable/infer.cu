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
    for (int image = blockIdx.x; image < count; image += gridDim.x) {
        store_image(pixels_of_thread(images + static_cast<size_t>(image) * (IMAGE_SIZE * IMAGE_SIZE)), background, scale, m);
        __syncthreads();
        C5Rows c5;
        F6Rows f6;
        forward(parameters, c5, f6, m);
        const int thread = thread_index();
        if (thread < CLASSES) scores[static_cast<size_t>(image) * CLASSES + thread] = m.output[thread];
        // No barrier: the next image is written into x, which no thread has read since the first barrier of `forward`.
    }
}
