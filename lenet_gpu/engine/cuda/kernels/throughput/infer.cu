// Inference: the scores of many images.
#include "throughput/forward.cuh"

// Scores of the classes for `count` images, four images a thread block at a time: logits, or penalties with their sign
// turned.
//
//   parameters  [PARAMETERS]      the network
//   images      [count][28][28]   pixels, on a 4-byte boundary
//   scores      [count][CLASSES]  out
//
// Launch with any number of blocks, best two for each multiprocessor, and sizeof(ScoringMemory) bytes of shared memory.
//
// Marks: 0 begin, 1 load, 2 C1 and S2, 3 C3 and S4, 4 C5, 5 F6, 6 output, 7 end.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_A_MULTIPROCESSOR)
lenet5_infer(const float* __restrict__ parameters, const unsigned char* __restrict__ images, float background,
             float scale, int count, float* __restrict__ scores) {
    constexpr int IMAGES = IMAGES_A_SCORING, TURNS = (IMAGES * WORDS + THREADS - 1) / THREADS;
    ScoringMemory& m = *reinterpret_cast<ScoringMemory*>(dynamic_shared);
    if (static_cast<int>(blockIdx.x) * IMAGES >= count) return;
    unsigned four[TURNS];  // pixels of the coming images, which lie one after the other
    const auto fetch = [&](int first) {
        const int thread = thread_of_block();
        const unsigned* words = reinterpret_cast<const unsigned*>(images) + static_cast<size_t>(first) * WORDS;
        const int left = (count - first) * WORDS;
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn) {
            const int word = thread + turn * THREADS;
            four[turn] = word < IMAGES * WORDS && word < left ? words[word] : 0;
        }
    };
    fetch(blockIdx.x * IMAGES);
    load_weights(parameters, m);
    fill_margins(background, m);
#pragma unroll 1
    for (int first = blockIdx.x * IMAGES; first < count; first += gridDim.x * IMAGES) {
        MARK(0);  // start
        const int thread = thread_of_block();
#pragma unroll
        for (int turn = 0; turn < TURNS; ++turn) {
            const int word = thread + turn * THREADS;
            if (word < IMAGES * WORDS)
                store_pixels(four[turn], word % WORDS, background, scale, m.image[word / WORDS].x);
        }
        fetch(first + gridDim.x * IMAGES);
        __syncthreads();
        MARK(1);  // image
        forward_c1_s2(m);
        __syncthreads();
        MARK(2);  // C1, S2
        forward_c3_s4(m);
        ForwardDense<IMAGES, S4_UNITS, C5_UNITS> c5;
        c5.begin(parameters + C5_WEIGHT, parameters + C5_BIAS);
        __syncthreads();
        MARK(3);  // C3, S4
        c5.finish(m.s4, m.c5);
        ForwardDense<IMAGES, C5_UNITS, F6_UNITS> f6;
        f6.begin(parameters + F6_WEIGHT, parameters + F6_BIAS);
        __syncthreads();
        MARK(4);  // C5
        f6.finish(m.c5, m.f6);
        __syncthreads();
        MARK(5);  // F6
        forward_head(parameters, m);
        __syncthreads();
        MARK(6);  // output
        for (int k = thread_of_block(); k < IMAGES * CLASSES; k += THREADS)
            if (first + k / CLASSES < count)
                scores[static_cast<size_t>(first) * CLASSES + k] = m.output[k / CLASSES][k % CLASSES];
        MARK(7);  // end
        // No barrier: the next images are written into x, which no thread has read since C1's barrier.
    }
}
