// First kernel of a training step: forward and backward, two images a thread block at a time.
#include "throughput/backward.cuh"
#include "throughput/distort.cuh"
#include "throughput/forward.cuh"

// What a thread holds of the coming group: words of its images, read while the block works on the group before, and
// stored when their place is free.
struct Coming {
    static constexpr int TURNS = (IMAGES_A_GROUP * WORDS + THREADS - 1) / THREADS;
    int index[TURNS];      // of the image in the training set; NONE: there is none
    unsigned four[TURNS];  // pixels; 0 where there is no image
    int label;             // of the thread that holds an image's first word

    // Follow the order: `first` is the place of the group in it, of which `present` images are there.
    __device__ inline void find(const int* __restrict__ order, int first, int present) {
        const int thread = thread_of_block();
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn) {
            const int image = (thread + turn * THREADS) / WORDS;
            index[turn] = image < IMAGES_A_GROUP && image < present ? order[first + image] : NONE;
        }
    }

    __device__ inline void fetch(const unsigned char* __restrict__ images, const unsigned char* __restrict__ labels) {
        const int thread = thread_of_block();
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn) {
            const int word = (thread + turn * THREADS) % WORDS;
            four[turn] = 0;
            if (index[turn] == NONE) continue;
            four[turn] = reinterpret_cast<const unsigned*>(images)[static_cast<size_t>(index[turn]) * WORDS + word];
        }
        static_assert((IMAGES_A_GROUP - 1) * WORDS < THREADS, "the first words are read in the first turn");
        label = thread % WORDS == 0 && index[0] != NONE ? labels[index[0]] : NONE;
    }

    __device__ inline void store(bool distorted, float background, float scale, Memory& m) const {
        const int thread = thread_of_block();
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn) {
            const int image = (thread + turn * THREADS) / WORDS, word = (thread + turn * THREADS) % WORDS;
            if (image >= IMAGES_A_GROUP) continue;
            if (distorted) store_in_frame(four[turn], word, m.image[image].c1);
            else store_pixels(four[turn], word, background, scale, m.image[image].x);
            if (turn == 0 && word == 0) m.label[image] = label;
        }
    }
};

// The images of a step, `batch` of the epoch's order: what each contributes to the gradient (see lenet5.cuh).
//
//   parameters      [PARAMETERS]    the network
//   images, labels  [n][28][28], [n]  the whole training set, on a 4-byte boundary; label NO_CLASS: none of the classes
//   order           [length]        the epoch's permutation of 0 ... n - 1
//   loss                            which one, for a head that knows several
//   background, scale               pixel value v stands for background + scale * v
//   distorted                       whether the images are distorted; if not, the next two are never read
//   distortions     [length][8]     how each image of the order is, see distort.cuh
//   fields          [1024][2][32][32]  elastic displacement fields
//   counter         [4]             step of the epoch, see lenet5.cuh
//   groups          [(batch + 1) / 2][GROUP]  out; an odd batch ends with a group of one image
//   records         [batch][RECORD]  out
//
// Launch with any number of blocks, best two for each multiprocessor, and sizeof(Memory) bytes of shared memory.
//
// Marks: 0 begin, 1 load, 2 C1 and S2, 3 C3 and S4, 4 C5, 5 F6, 6 output, 7 loss, 8 back to F6, 9 slices of F6, 10 d of
// C5, 11 slices of C5 and records, 12 S4, 13 C3, 14 S2, 15 C1's weights, 16 end.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_A_MULTIPROCESSOR)
lenet5_train_images(const float* __restrict__ parameters, const unsigned char* __restrict__ images,
                    const unsigned char* __restrict__ labels, const int* __restrict__ order, int loss,
                    float background, float scale, int distorted, const float* __restrict__ distortions,
                    const float* __restrict__ fields, int* counter, float* __restrict__ groups, float* __restrict__ records) {
    Memory& m = *reinterpret_cast<Memory*>(dynamic_shared);
    const int step = counter[IMAGES_STEP], count = images_of_step(counter, step);
    if (blockIdx.x == 0 && threadIdx.x == 0) counter[UPDATE_STEP] = step;
    const int group_count = (count + IMAGES_A_GROUP - 1) / IMAGES_A_GROUP, first_place = step * counter[BATCH_SIZE];
    if (static_cast<int>(blockIdx.x) >= group_count) return;
    const float one_over_batch = 1.0f / count;
    Coming coming;
    coming.find(order, first_place + blockIdx.x * IMAGES_A_GROUP, count - blockIdx.x * IMAGES_A_GROUP);
    coming.fetch(images, labels);
    load_weights(parameters, m);
    if (threadIdx.x < C3_SIZE) m.zeros[threadIdx.x] = 0.0f;
    if (!distorted) fill_margins(background, m);
#pragma unroll 1
    for (int group = blockIdx.x; group < group_count; group += gridDim.x) {
        const int first = group * IMAGES_A_GROUP, left = count - first;
        const int present = left < IMAGES_A_GROUP ? left : IMAGES_A_GROUP;
        float* sums = groups + static_cast<size_t>(group) * GROUP;
        MARK(0);  // start
        coming.store(distorted, background, scale, m);
        if (distorted) {
            fill_frames(m);
            __syncthreads();
            sample_frames(present, distortions + static_cast<size_t>(first_place + first) * DISTORTION, fields,
                          background, scale, m);
        }
        __syncthreads();
        MARK(1);  // image
        forward_c1_s2(m);
        __syncthreads();
        MARK(2);  // C1, S2
        forward_c3_s4(m);
        ForwardDense<IMAGES_A_GROUP, S4_UNITS, C5_UNITS> c5;
        c5.begin(parameters + C5_WEIGHT, parameters + C5_BIAS);
        __syncthreads();
        MARK(3);  // C3, S4
        c5.finish(m.s4, m.c5);
        ForwardDense<IMAGES_A_GROUP, C5_UNITS, F6_UNITS> f6;
        f6.begin(parameters + F6_WEIGHT, parameters + F6_BIAS);
        __syncthreads();
        MARK(4);  // C5
        f6.finish(m.c5, m.f6);
        __syncthreads();
        MARK(5);  // F6
        forward_head(parameters, m);
        __syncthreads();
        MARK(6);  // output
        BackwardDense<C5_UNITS, F6_UNITS, F6_SLICES> back_to_c5;
        back_to_c5.begin(parameters + F6_WEIGHT);
        if (const int image = threadIdx.x / WARP; image < IMAGES_A_GROUP)
            loss_backward(loss, m.label[image], image < present ? one_over_batch : 0.0f, image, m);
        __syncthreads();
        MARK(7);  // loss
        backward_head(parameters, m);
        __syncthreads();
        MARK(8);  // back to F6
        const int next = first + gridDim.x * IMAGES_A_GROUP;
        coming.find(order, first_place + next, count - next);
        back_to_c5.finish(m.d_f6, m.scratch);
        BackwardDense<S4_UNITS, C5_UNITS, C5_SLICES> back_to_s4;
        back_to_s4.begin(parameters + C5_WEIGHT);
        __syncthreads();
        MARK(9);  // back through F6
        backward_c5(m);
        __syncthreads();
        MARK(10);  // d of C5
        back_to_s4.finish(m.d_c5, m.scratch);
        write_records(present, records + static_cast<size_t>(first) * RECORD, m);
        __syncthreads();
        MARK(11);  // back through C5
        coming.fetch(images, labels);
        backward_s4(sums, m);
        __syncthreads();
        MARK(12);  // S4
        backward_c3(sums, m);
        __syncthreads();
        MARK(13);  // C3 backward
        backward_s2(m);
        __syncthreads();
        MARK(14);  // S2
        backward_c1_weights(m);
        __syncthreads();
        MARK(15);  // C1's weights
        add_tasks(sums, m);
        MARK(16);  // last sums
        // No barrier: the next images are written into x (or C1), which no thread has read since the last one.
    }
}
