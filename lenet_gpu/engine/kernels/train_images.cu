// First kernel of a training step: forward and backward, one thread block an image.
#include "backward.cuh"
#include "forward.cuh"

// Images step * batch ... of the epoch's order: each leaves its record (see lenet5.cuh) behind.
//
//   parameters      [60850]         the network
//   images, labels  [n][28][28], [n]  the whole training set
//   order           [length]        the epoch's permutation of 0 ... n - 1
//   background, scale               pixel value v stands for background + scale * v
//   clock           [4]             where in the epoch we are
//   records         [batch][2536]   out
//
// Launch with any number of blocks, best one for each image of a batch, and sizeof(Memory) bytes of shared memory.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
lenet5_train_images(const float* __restrict__ parameters, const unsigned char* __restrict__ images,
                    const unsigned char* __restrict__ labels, const int* __restrict__ order, float background,
                    float scale, int* clock, float* __restrict__ records) {
    Memory& m = *reinterpret_cast<Memory*>(dynamic_shared);
    const int step = clock[CLOCK_IMAGES_STEP], count = images_of_step(clock, step);
    if (blockIdx.x == 0 && threadIdx.x == 0) clock[CLOCK_UPDATE_STEP] = step;
    if (static_cast<int>(blockIdx.x) >= count) return;
    load_weights(parameters, m);
    for (int image = blockIdx.x; image < count; image += gridDim.x) {
        const int index = order[step * clock[CLOCK_BATCH] + image];
        load_image(images + static_cast<size_t>(index) * (IMAGE_SIZE * IMAGE_SIZE), background, scale, m);
        __syncthreads();
        forward(parameters, m);
        backward(parameters, labels[index], 1.0f / count, records + static_cast<size_t>(image) * RECORD, m);
        // No barrier: the next image is written into x, which nobody has read since the last barrier of `backward`.
    }
}
