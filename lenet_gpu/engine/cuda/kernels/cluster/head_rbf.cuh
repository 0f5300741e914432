// What follows F6 in the network `paper`, see output_rbf.cuh: F6's sums, penalties, the loss, and back to F6.
//
// Every block does all of it, by one warp: lane l has units l, l + 32 and l + 64 of F6; after the sums over its lanes,
// the penalty of digit l % 16. It passes the workers' barrier once, when dE/da of F6 is there for everybody.
#include "cluster/forward.cuh"
#include "output_rbf.cuh"

constexpr int LANES = 16, HEAD_WARPS = 1;
constexpr float NEVER = -3e38f;  // the score of a digit that isn't there
static_assert(CLASSES <= LANES, "two lanes a digit");

// With N the images of the batch, j the penalty of the rubbish class, which stands for everything that is no digit:
//
//   E = mean of y[label]                                               d[i] = -target[i] / N             (equation 8)
//   E = mean of y[label] + log(e^-j + sum over k of e^-y[k])           d[i] = (p[i] - target[i]) / N     (equation 9)
//   p[i] = e^-y[i] / (e^-j + sum over k of e^-y[k])
//
// Here d is dE/ds, and target is 1 for the label, 0 for all others. An image that is not a digit has the penalty j
// in loss (9), and counts for nothing in loss (8). Back to F6 and through its squashing:
//
//   dE/da[j] = f'(a[j]) * sum over i of d[i] * 2 (w[i, j] - x[j])
__device__ inline void head(
    Memory& m, const Turn& turn, int loss, int label, float one_over_batch, int /* warp: the first */, int lane) {
    float bias[UNITS_A_LANE], x[UNITS_A_LANE], y[LANES] = {};
    unsigned words[UNITS_A_LANE] = {};  // bit i: component of digit i's code, for each of the lane's units
    const int i = lane % LANES;
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k) {
        bias[k] = m.own.f6_bias[unit_of(lane, k)];
#pragma unroll
        for (int digit = 0; digit < CLASSES; ++digit) words[k] |= (CODES[digit][k] >> lane & 1u) << digit;
    }
    wait_for(m, MAIL_F6, turn.parity);
    MARK(10);  // F6 there
    forward_f6(m, lane, bias, x);
#pragma unroll
    for (int digit = 0; digit < CLASSES; ++digit)
#pragma unroll
        for (int k = 0; k < UNITS_A_LANE; ++k) {
            const float difference = x[k] - ((words[k] >> digit & 1u) != 0 ? 1.0f : -1.0f);
            if (lane + k * WARP < F6_UNITS) y[digit] += difference * difference;
        }
    const float sum = sums_of_lanes<LANES>(y), score = i < CLASSES ? -sum : NEVER;
    float largest = score;
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, distance));
    const float best = largest;
    const bool digit = label != NO_CLASS;
    const float of_label = __shfl_sync(0xffffffffu, score, digit ? label : 0);
    float p = 0.0f, total = 1.0f;
    if (loss != RIGHT_PENALTY) {
        largest = fmaxf(largest, -RUBBISH_PENALTY);  // taken out of all exponents, so that not all terms can be 0
        const float power = i < CLASSES ? expf(score - largest) : 0.0f;
        total = power;
#pragma unroll
        for (int distance = LANES / 2; distance > 0; distance /= 2)
            total += __shfl_xor_sync(0xffffffffu, total, distance);
        total += expf(-RUBBISH_PENALTY - largest);
        p = power / total;
    }
    const float d = (p - (i == label ? 1.0f : 0.0f)) * one_over_batch;
    float back[UNITS_A_LANE] = {};
#pragma unroll
    for (int other = 0; other < CLASSES; ++other) {
        const float delta = __shfl_sync(0xffffffffu, d, other);
#pragma unroll
        for (int k = 0; k < UNITS_A_LANE; ++k)
            back[k] += delta * (((words[k] >> other & 1u) != 0 ? 1.0f : -1.0f) - x[k]);
    }
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k)
        if (lane + k * WARP < F6_UNITS) m.d_f6[lane + k * WARP] = 2.0f * back[k] * squash_slope(x[k]);
    workers_wait();
    MARK(11);  // output, loss, d of F6
#pragma unroll
    for (int k = 0; k < UNITS_A_LANE; ++k)
        if (lane + k * WARP < F6_UNITS) m.f6[lane + k * WARP] = x[k];
    if (lane < CLASSES) m.d_output[lane] = d;
    float answer = score == best ? static_cast<float>(i) : static_cast<float>(LANES);
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        answer = fminf(answer, __shfl_xor_sync(0xffffffffu, answer, distance));
    if (lane == 0) {
        m.loss = loss == RIGHT_PENALTY ? (digit ? -of_label : 0.0f)
                                       : logf(total) + (largest - (digit ? of_label : -RUBBISH_PENALTY));
        m.correct = answer == static_cast<float>(label) ? 1.0f : 0.0f;
    }
}
