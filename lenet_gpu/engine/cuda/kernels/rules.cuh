// The update rules: how a gradient moves a parameter (lenet_gpu/nn/optim.py, lenet_gpu/nn/sdlm.py).
#pragma once

// The rules by number.
//
//   0          plain gradient descent, w <- w - r dE/dw, r the learning rate (equation 2)
//   NESTEROV   Nesterov's momentum, weight decay, and a running average of the weights:
//                v <- momentum v - r dE/dw
//                w <- (1 - r weight_decay) w + momentum v - r dE/dw
//                average <- average + share (w - average)      the optimiser's share of this step
//   RATES      plain descent with a rate for each parameter on top, estimated from the curvature of the loss before
//              every pass (equation 18): w <- w - r (rate dE/dw)
constexpr int NESTEROV = 1, RATES = 2;

// What a rule reads and writes; the arrays of the other rules are never touched.
struct Rule {
    int number;
    float* velocity;     // [PARAMETERS]  NESTEROV
    float* average;      // [PARAMETERS]  NESTEROV
    float momentum, weight_decay;  // NESTEROV
    const float* rates;  // [PARAMETERS]  RATES
    float learning_rate, share;    // of this step
};

// What a rule knows of a parameter; it can be read before the gradient is known.
struct RuleState {
    float velocity, average, rate;
};

__device__ inline RuleState state_of(const Rule& rule, int index) {
    RuleState state{};
    if (rule.number == NESTEROV) {
        state.velocity = rule.velocity[index];
        state.average = rule.average[index];
    } else if (rule.number == RATES) state.rate = rule.rates[index];
    return state;
}

// The new value of parameter `index`, which was `value`; moves the rule's own arrays, too. Of several threads that move
// copies of a parameter in the same way only one keeps its average (`averaged`).
__device__ inline float moved(
    const Rule& rule, int index, float value, float gradient, const RuleState& state, bool averaged = true) {
    if (rule.number == NESTEROV) {
        const float step = -rule.learning_rate * gradient, v = rule.momentum * state.velocity + step;
        const float w = value - rule.learning_rate * rule.weight_decay * value + (step + rule.momentum * v);
        rule.velocity[index] = v;
        if (averaged) rule.average[index] = state.average + rule.share * (w - state.average);
        return w;
    }
    if (rule.number == RATES) gradient *= state.rate;
    return value - rule.learning_rate * gradient;
}

__device__ inline float moved(const Rule& rule, int index, float value, float gradient, bool averaged = true) {
    return moved(rule, index, value, gradient, state_of(rule, index), averaged);
}
