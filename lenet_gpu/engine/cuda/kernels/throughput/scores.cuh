// The scores of the classes, and the largest of them, for either head.
#include "throughput/form.cuh"

constexpr int CLASSES_A_LANE = (CLASSES + WARP - 1) / WARP;
constexpr float LEAST_SCORE = -3.4e38f;

// A warp takes an image and classes a few apart, a lane four units of F6: Output::term is what a unit adds to a score.
template <class Output, class M>
__device__ inline void forward_scores(const float* weight, M& m) {
    constexpr int QUADS = F6_UNITS / 4;
    const int thread = thread_of_block(), warp = thread / WARP, lane = thread % WARP, image = warp % M::IMAGES;
    for (int j = warp / M::IMAGES; j < CLASSES; j += WARPS / M::IMAGES) {
        float sum = 0.0f;
        if (lane < QUADS) {
            const float4 w = reinterpret_cast<const float4*>(weight + j * F6_UNITS)[lane];
            const float4 x = reinterpret_cast<const float4*>(m.f6[image])[lane];
            sum = Output::term(w.x, x.x) + Output::term(w.y, x.y) + Output::term(w.z, x.z) + Output::term(w.w, x.w);
        }
        sum = warp_sum(sum);
        if (lane == 0) m.output[image][j] = Output::score(sum, j, m);
    }
}

struct Largest {
    float score;
    int answer;  // its class; the first one of equal scores
};

// The largest score of an image, by a warp; every lane gets it.
__device__ inline Largest largest_score(const float* score) {
    const int lane = threadIdx.x % WARP;
    Largest found{LEAST_SCORE, lane};
#pragma unroll
    for (int k = 0; k < CLASSES_A_LANE; ++k) {
        const int j = lane + k * WARP;
        if (j < CLASSES && score[j] > found.score) found = {score[j], j};
    }
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const float other = __shfl_xor_sync(0xffffffffu, found.score, distance);
        const int answer = __shfl_xor_sync(0xffffffffu, found.answer, distance);
        if (other > found.score || (other == found.score && answer < found.answer)) found = {other, answer};
    }
    return found;
}
