// From the scores of the classes back to F6, whichever head there is: by lanes, without a barrier.
//
// Each of eleven warps needs all of d, the derivative by the scores, and works it out for itself: lane j has that of class
// j (and j + 32); with at most 16 classes both halves of the warp have all of them, which saves a round of each exchange.
#include "portable/dense.cuh"

constexpr int SPAN = CLASSES <= WARP / 2 ? WARP / 2 : WARP, SCORES_A_LANE = (CLASSES + SPAN - 1) / SPAN;
constexpr int F6_UNITS_A_HEAD_WARP = 8, HEAD_WARPS = (F6_UNITS + F6_UNITS_A_HEAD_WARP - 1) / F6_UNITS_A_HEAD_WARP;
constexpr int HEAD_SLICES = WARP / F6_UNITS_A_HEAD_WARP, CLASSES_A_SLICE = (CLASSES + HEAD_SLICES - 1) / HEAD_SLICES;
static_assert(HEAD_WARPS < WARPS, "one more warp, for the loss");
constexpr float LOWEST = -3.402823466e+38f;

// The class of a lane's k-th score; beyond the last one there is none.
__device__ inline int class_of(int k) { return threadIdx.x % SPAN + k * SPAN; }

__device__ inline float largest_score(const float (&score)[SCORES_A_LANE]) {
    float largest = score[0];
#pragma unroll
    for (int k = 1; k < SCORES_A_LANE; ++k) largest = fmaxf(largest, score[k]);
#pragma unroll
    for (int distance = SPAN / 2; distance > 0; distance /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, distance));
    return largest;
}

// Sum over the classes; every lane gets it.
__device__ inline float sum_of_scores(const float (&value)[SCORES_A_LANE]) {
    float sum = value[0];
#pragma unroll
    for (int k = 1; k < SCORES_A_LANE; ++k) sum += value[k];
#pragma unroll
    for (int distance = SPAN / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    return sum;
}

// The answer: the first class with the largest score.
__device__ inline int class_with(float largest, const float (&score)[SCORES_A_LANE]) {
    int answer = CLASSES;
#pragma unroll
    for (int k = SCORES_A_LANE - 1; k >= 0; --k)
        if (score[k] == largest) answer = class_of(k);
#pragma unroll
    for (int distance = SPAN / 2; distance > 0; distance /= 2)
        answer = at_most(answer, __shfl_xor_sync(0xffffffffu, answer, distance));
    return answer;
}

// Four lanes take a unit of F6, each every fourth class.
__device__ inline int unit_of_head() {
    return at_most(threadIdx.x / WARP * F6_UNITS_A_HEAD_WARP + threadIdx.x % WARP / HEAD_SLICES, F6_UNITS - 1);
}
__device__ inline int class_of_head(int k) { return at_most(threadIdx.x % HEAD_SLICES + k * HEAD_SLICES, CLASSES - 1); }

// dE/da[i] = f'(a[i]) * sum over j of factor[j, i] * d[j], unit i of F6, class j
__device__ inline void back_to_f6(const float (&factor)[CLASSES_A_SLICE], const float (&d)[SCORES_A_LANE], Memory& m) {
    const int lane = threadIdx.x % WARP, unit = threadIdx.x / WARP * F6_UNITS_A_HEAD_WARP + lane / HEAD_SLICES;
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < CLASSES_A_SLICE; ++k)  // beyond the last class d is 0
        sum += factor[k] * __shfl_sync(0xffffffffu, d[k * HEAD_SLICES / SPAN], lane % HEAD_SLICES + k * HEAD_SLICES % SPAN);
    sum = quad_sum(sum);
    if (lane % HEAD_SLICES == 0 && unit < F6_UNITS) m.d_f6[unit] = sum * squash_slope(m.f6[unit]);
}
