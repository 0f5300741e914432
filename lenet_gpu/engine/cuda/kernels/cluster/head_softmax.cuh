// What follows F6 in the network `modern`, see output_softmax.cuh: F6's sums, logits, softmax, the loss, and back to F6.
//
// Every block does all of it, which is cheaper than an exchange. Up to 16 classes it is the work of one warp; with more,
// every warp takes some: warp w classes w, w + WARPS, ... Both pass the barrier once, when dE/da of F6 is there for everybody.
#include "cluster/forward.cuh"
#include "output_softmax.cuh"

constexpr int LANES = 16;  // classes of one warp, two lanes each
constexpr int HEAD_WARPS = CLASSES <= LANES ? 1 : WARPS;
constexpr float NEVER = -3e38f;  // the logit of a class that isn't there

template <int LANES_A_ROUND>
__device__ inline float largest_of_lanes(float value) {
#pragma unroll
    for (int distance = LANES_A_ROUND / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}
template <int LANES_A_ROUND>
__device__ inline float total_of_lanes(float value) {
#pragma unroll
    for (int distance = LANES_A_ROUND / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

__device__ inline void head_of_one_warp(Memory& m, const Turn& turn, int label, float one_over_batch, int lane) {
    float weight[UNITS_A_LANE][CLASSES], f6_bias[UNITS_A_LANE], y[UNITS_A_LANE], a[LANES] = {};
    const int j = lane % LANES;
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k) {
        f6_bias[k] = m.own.f6_bias[unit_of(lane, k)];
#pragma unroll
        for (int i = 0; i < CLASSES; ++i) weight[k][i] = m.own.output_weight[i * F6_UNITS + unit_of(lane, k)];
    }
    const float bias = j < CLASSES ? m.own.output_bias[j] : 0.0f;
    wait_for(m, MAIL_F6, turn.parity);
    MARK(10);  // F6 there
    forward_f6(m, lane, f6_bias, y);
#pragma unroll
    for (int i = 0; i < CLASSES; ++i)
#pragma unroll
        for (int k = 0; k < UNITS_A_LANE; ++k) a[i] += weight[k][i] * y[k];
    const float sum = sums_of_lanes<LANES>(a), logit = j < CLASSES ? sum + bias : NEVER;
    const float largest = largest_of_lanes<LANES>(logit), z = logit - largest;
    const float power = j < CLASSES ? expf(z) : 0.0f, total = total_of_lanes<LANES>(power);
    const float goal = j < CLASSES ? target(j, label) : 0.0f, d = (power / total - goal) * one_over_batch;
    float back[UNITS_A_LANE] = {};
#pragma unroll
    for (int i = 0; i < CLASSES; ++i) {
        const float delta = __shfl_sync(0xffffffffu, d, i);
#pragma unroll
        for (int k = 0; k < UNITS_A_LANE; ++k) back[k] += weight[k][i] * delta;
    }
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k)
        if (lane + k * WARP < F6_UNITS) m.d_f6[lane + k * WARP] = back[k] * squash_slope(y[k]);
    workers_wait();
    MARK(11);  // output, loss, d of F6
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k)
        if (lane + k * WARP < F6_UNITS) m.f6[lane + k * WARP] = y[k];
    if (lane < CLASSES) m.d_output[lane] = d;
    const float answer = -largest_of_lanes<LANES>(logit == largest ? -static_cast<float>(j) : NEVER);
    const float wanted = total_of_lanes<LANES>(j < CLASSES ? goal * z : 0.0f);
    if (lane == 0) {
        m.loss = logf(total) - wanted;
        m.correct = answer == static_cast<float>(label) ? 1.0f : 0.0f;
    }
}

__device__ inline void head_of_all_warps(Memory& m, const Turn& turn, int label, float one_over_batch, int warp, int lane) {
    constexpr int ROUNDS = 2 * WARP / WARPS, SECOND_HALF = WARP / WARPS;  // classes a warp; from here on they are 32 and more
    static_assert(CLASSES <= 2 * WARP, "two classes a lane");
    float weight[UNITS_A_LANE][ROUNDS], f6_bias[UNITS_A_LANE], y[UNITS_A_LANE], a[ROUNDS] = {};
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k) {
        f6_bias[k] = m.own.f6_bias[unit_of(lane, k)];
#pragma unroll
        for (int i = 0; i < ROUNDS; ++i) {
            const int j = warp + i * WARPS;
            weight[k][i] = j < CLASSES ? m.own.output_weight[j * F6_UNITS + unit_of(lane, k)] : 0.0f;
        }
    }
    wait_for(m, MAIL_F6, turn.parity);
    MARK(10);  // F6 there
    forward_f6(m, lane, f6_bias, y);
#pragma unroll
    for (int i = 0; i < ROUNDS; ++i)
#pragma unroll
        for (int k = 0; k < UNITS_A_LANE; ++k) a[i] += weight[k][i] * y[k];
    const float sum = sums_of_lanes<ROUNDS>(a);
    const int own = warp + lane * WARPS;
    if (lane < ROUNDS && own < CLASSES) m.output[own] = sum + m.own.output_bias[own];
    workers_wait();
    float logit[2], z[2], power[2], goal[2], d[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) logit[h] = lane + h * WARP < CLASSES ? m.output[lane + h * WARP] : NEVER;
    const float largest = largest_of_lanes<WARP>(fmaxf(logit[0], logit[1]));
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const int j = lane + h * WARP;
        z[h] = logit[h] - largest;
        power[h] = j < CLASSES ? expf(z[h]) : 0.0f;
        goal[h] = j < CLASSES ? target(j, label) : 0.0f;
    }
    const float total = total_of_lanes<WARP>(power[0] + power[1]);
#pragma unroll
    for (int h = 0; h < 2; ++h) d[h] = (power[h] / total - goal[h]) * one_over_batch;
    float back[UNITS_A_LANE] = {};
#pragma unroll
    for (int i = 0; i < ROUNDS; ++i) {
        const float delta = __shfl_sync(0xffffffffu, i < SECOND_HALF ? d[0] : d[1], (warp + i * WARPS) % WARP);
#pragma unroll
        for (int k = 0; k < UNITS_A_LANE; ++k) back[k] += weight[k][i] * delta;  // of a class that isn't there: 0
    }
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k)
        if (lane + k * WARP < F6_UNITS) {
            m.scratch[warp * F6_UNITS + lane + k * WARP] = back[k];
            if (warp == 0) m.f6[lane + k * WARP] = y[k];
        }
    if (warp == 0) {
        float answer = static_cast<float>(logit[0] == largest ? lane : (logit[1] == largest ? lane + WARP : 2 * WARP));
        answer = -largest_of_lanes<WARP>(-answer);
        const float wanted = total_of_lanes<WARP>((lane < CLASSES ? goal[0] * z[0] : 0.0f) +
                                                  (lane + WARP < CLASSES ? goal[1] * z[1] : 0.0f));
        if (lane < CLASSES) m.d_output[lane] = d[0];
        if (lane + WARP < CLASSES) m.d_output[lane + WARP] = d[1];
        if (lane == 0) {
            m.loss = logf(total) - wanted;
            m.correct = answer == static_cast<float>(label) ? 1.0f : 0.0f;
        }
    }
    workers_wait();
    const int unit = warp * WARP + lane;
    if (unit < F6_UNITS) {
        float sum_of_warps = m.scratch[unit];
#pragma unroll
        for (int w = 1; w < WARPS; ++w) sum_of_warps += m.scratch[w * F6_UNITS + unit];
        m.d_f6[unit] = sum_of_warps * squash_slope(m.f6[unit]);
    }
    workers_wait();
    MARK(11);  // output, loss, d of F6
}

__device__ inline void head(
    Memory& m, const Turn& turn, int /* loss: of one */, int label, float one_over_batch, int warp, int lane) {
    if constexpr (HEAD_WARPS == 1) head_of_one_warp(m, turn, label, one_over_batch, lane);
    else head_of_all_warps(m, turn, label, one_over_batch, warp, lane);
}
