/* tanh by a quotient of polynomials in x^2, fitted for the least relative error on -9 to 9: 3.4e-7 at most. */
static float squash(float x)
{
    x = x < -9.0f ? -9.0f : x > 9.0f ? 9.0f : x;
    const float s = x * x;
    const float p = (((1.3354552e-8f * s + 2.06090008e-5f) * s + 3.49558308e-3f) * s + 0.133810207f) * s + 1.0f;
    const float q = (((7.7765128e-7f * s + 3.28562659e-4f) * s + 2.58769635e-2f) * s + 0.467143357f) * s + 1.0f;
    return x * p / q;
}

/* Adds the convolution of one map, inside x inside, with a 5x5 kernel to a map of outside x outside. */
static void convolve(const float *map, int inside, const float *kernel, float *sum, int outside)
{
    for (int row = 0; row < outside; row++) {
        float *to = sum + row * outside;
        for (int u = 0; u < 5; u++) {
            const float *x = map + (row + u) * inside, *w = kernel + 5 * u;
            for (int column = 0; column < outside; column++) {
                to[column] += w[0] * x[column] + w[1] * x[column + 1] + w[2] * x[column + 2] + w[3] * x[column + 3]
                    + w[4] * x[column + 4];
            }
        }
    }
}

/* Squashes a map of side x side, and subsamples it: sums of 2x2, a coefficient, a bias, and squashed again. */
static void subsample(float *map, int side, float coefficient, float bias, float *half)
{
    for (int i = 0; i < side * side; i++) {
        map[i] = squash(map[i]);
    }
    for (int row = 0; row < side; row += 2) {
        for (int column = 0; column < side; column += 2) {
            const float *at = map + row * side + column;
            *half++ = squash(coefficient * (at[0] + at[1] + at[side] + at[side + 1]) + bias);
        }
    }
}

/* Adds weight^T x to the sums; the weights of one input lie side by side. */
static void dense(const float *x, int inputs, const float *weight, float *sum, int units)
{
    for (int i = 0; i < inputs; i++) {
        for (int unit = 0; unit < units; unit++) {
            sum[unit] += weight[i * units + unit] * x[i];
        }
    }
}

static void set_bias(float *sum, const float *bias, int units)
{
    for (int unit = 0; unit < units; unit++) {
        sum[unit] = bias[unit];
    }
}

int lenet5_predict(const uint8_t image[LENET5_PIXELS], float probabilities[LENET5_CLASSES])
{
    float input[32 * 32], map[28 * 28], s2[6][14 * 14], s4[16 * 5 * 5], c5[120], f6[84], score[LENET5_CLASSES];

    for (int i = 0; i < 32 * 32; i++) { /* a margin of 2 pixels of background, which is 0 here */
        const int row = i / 32 - 2, column = i % 32 - 2;
        const int inside = row >= 0 && row < 28 && column >= 0 && column < 28;
        input[i] = inside ? (float)image[row * 28 + column] : 0.0f;
    }
    for (int out = 0; out < 6; out++) { /* C1 and S2 */
        for (int i = 0; i < 28 * 28; i++) {
            map[i] = c1_bias[out];
        }
        convolve(input, 32, c1_weight + 25 * out, map, 28);
        subsample(map, 28, s2_coefficient[out], s2_bias[out], s2[out]);
    }
    for (int out = 0, pair = 0; out < 16; out++) { /* C3, whose maps see some of S2's (Table I), and S4 */
        for (int i = 0; i < 10 * 10; i++) {
            map[i] = c3_bias[out];
        }
        for (; pair < c3_end[out]; pair++) {
            convolve(s2[c3_from[pair]], 14, c3_weight + 25 * pair, map, 10);
        }
        subsample(map, 10, s4_coefficient[out], s4_bias[out], s4 + 25 * out);
    }
    set_bias(c5, c5_bias, 120);
    dense(s4, 400, c5_weight, c5, 120);
    for (int unit = 0; unit < 120; unit++) {
        c5[unit] = squash(c5[unit]);
    }
    set_bias(f6, f6_bias, 84);
    dense(c5, 120, f6_weight, f6, 84);
    for (int unit = 0; unit < 84; unit++) {
        f6[unit] = squash(f6[unit]);
    }
#if LENET5_PAPER
    for (int k = 0; k < LENET5_CLASSES; k++) { /* minus the squared distance from the class's code */
        score[k] = 0.0f;
        for (int unit = 0; unit < 84; unit++) {
            const float away = SQUASH_A * f6[unit] - (float)codes[84 * k + unit];
            score[k] -= away * away;
        }
    }
#else
    set_bias(score, output_bias, LENET5_CLASSES);
    dense(f6, 84, output_weight, score, LENET5_CLASSES);
#endif
    return softmax(score, probabilities);
}
