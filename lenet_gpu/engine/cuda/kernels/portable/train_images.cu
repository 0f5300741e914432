// First kernel of a training step: forward and backward, one thread block an image.
#include "portable/backward.cuh"
#include "portable/distort.cuh"
#include "portable/forward.cuh"

// The images of a step, `batch` of the epoch's order: what each contributes to the gradient (see lenet5.cuh).
//
//   parameters      [PARAMETERS]    the network
//   images, labels  [n][28][28], [n]  the whole training set; label NO_CLASS: none of the classes
//   order           [length]        the epoch's permutation of 0 ... n - 1
//   loss                            which one, for a head that knows several
//   background, scale               pixel value v stands for background + scale * v
//   distorted                       whether the images are distorted; if not, the next two are never read
//   distortions     [length][8]     how each image of the order is, see distort.cuh
//   fields          [1024][2][32][32]  elastic displacement fields
//   counter         [4]             step of the epoch, see lenet5.cuh
//   groups          [batch][GROUP]  out
//   records         [batch][RECORD]  out
//
// Launch with any number of blocks, best one for each image of a batch, and sizeof(Memory) bytes of shared memory.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
lenet5_train_images(const float* __restrict__ parameters, const unsigned char* __restrict__ images,
                    const unsigned char* __restrict__ labels, const int* __restrict__ order, int loss,
                    float background, float scale, int distorted, const float* __restrict__ distortions,
                    const float* __restrict__ fields, int* counter, float* __restrict__ groups, float* __restrict__ records) {
    Memory& m = *reinterpret_cast<Memory*>(dynamic_shared);
    wait_for_kernel_before();
    let_next_kernel_begin();
    MARK(0);  // start
    const float4 weights = weights_of_thread(parameters);
    const int step = counter[IMAGES_STEP], count = images_of_step(counter, step), first = step * counter[BATCH_SIZE];
    if (blockIdx.x == 0 && threadIdx.x == 0) counter[UPDATE_STEP] = step;
    if (static_cast<int>(blockIdx.x) >= count) return;
    // The chain counter - order - pixels is the longest way to the first barrier: everything else is done beside it.
    int index = order[first + blockIdx.x];
    store_weights(weights, m);
    if (!distorted) store_margin(background, m);
    for (int image = blockIdx.x; image < count; image += gridDim.x) {
        const unsigned char* pixels = images + static_cast<size_t>(index) * (IMAGE_SIZE * IMAGE_SIZE);
        const int label = labels[index];
        if (distorted)
            load_distorted_image(
                pixels, distortions + static_cast<size_t>(first + image) * DISTORTION, fields, background, scale, m);
        else store_image(pixels_of_thread(pixels), background, scale, m);
        const int next = image + static_cast<int>(gridDim.x);
        if (next < count) index = order[first + next];
        __syncthreads();
        MARK(1);  // weights, image
        F6Rows f6;
        forward(parameters, f6, m);
        backward(parameters, f6, loss, label, 1.0f / count, groups + static_cast<size_t>(image) * GROUP,
                 records + static_cast<size_t>(image) * RECORD, m);
        // No barrier: the next image is written into x (and C1), which no thread has read since the last barrier of `backward`.
    }
}
