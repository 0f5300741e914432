/* Whole-number arithmetic with 8-bit weights and 16-bit units, in 1/4096. The sum of weights times inputs, times the
 * unit's own multiplier, is the argument of tanh in 1/4096; a table gives tanh of that in 1/32768. `>>` of a negative
 * number is taken to round downwards, as every compiler known to us has it.
 */

/* Multiplies a sum by a multiplier in 2^-shift, and rounds. */
static int32_t scaled(int32_t sum, int32_t multiplier, int shift)
{
    const int64_t most = (int64_t)1 << 28;
    const int64_t x = ((int64_t)sum * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
    return (int32_t)(x < -most ? -most : x > most ? most : x);
}

/* tanh of x / 4096 in 1/32768: between two entries of the table, 1/32 apart, by a straight line. */
static int32_t squash(int32_t x)
{
    const int32_t size = x < 0 ? -x : x, at = size >> 7;
    int32_t y = tanh_table[256];
    if (at < 256) {
        y = tanh_table[at] + (((tanh_table[at + 1] - tanh_table[at]) * (size & 127)) >> 7);
    }
    return x < 0 ? -y : y;
}

/* Rounds 1/32768 to 1/4096. */
static int16_t unit(int32_t y)
{
    return (int16_t)((y + 4) >> 3);
}

/* Adds the convolution of one map, inside x inside, with a 5x5 kernel to a map of outside x outside. */
static void convolve(const int16_t *map, int inside, const int8_t *kernel, int32_t *sum, int outside)
{
    for (int row = 0; row < outside; row++) {
        int32_t *to = sum + row * outside;
        for (int u = 0; u < 5; u++) {
            const int16_t *x = map + (row + u) * inside;
            const int8_t *w = kernel + 5 * u;
            for (int column = 0; column < outside; column++) {
                to[column] += w[0] * x[column] + w[1] * x[column + 1] + w[2] * x[column + 2] + w[3] * x[column + 3]
                    + w[4] * x[column + 4];
            }
        }
    }
}

/* Squashes a map of side x side, and subsamples it: sums of 2x2, a coefficient, a bias, and squashed again. */
static void subsample(int32_t *map, int side, int32_t multiplier, int shift, int32_t coefficient, int coefficient_shift,
    int32_t bias, int16_t *half)
{
    for (int i = 0; i < side * side; i++) {
        map[i] = squash(scaled(map[i], multiplier, shift));
    }
    for (int row = 0; row < side; row += 2) {
        for (int column = 0; column < side; column += 2) {
            const int32_t *at = map + row * side + column;
            const int32_t sum = at[0] + at[1] + at[side] + at[side + 1];
            *half++ = unit(squash(scaled(sum, coefficient, coefficient_shift) + bias));
        }
    }
}

/* The sum of a unit's inputs times its weights. */
static int32_t dot(const int16_t *x, const int8_t *weight, int inputs, int32_t bias)
{
    int32_t sum = bias;
    for (int i = 0; i < inputs; i++) {
        sum += weight[i] * x[i];
    }
    return sum;
}

int lenet5_predict(const uint8_t image[LENET5_PIXELS], float probabilities[LENET5_CLASSES])
{
    int16_t input[32 * 32], s2[6][14 * 14], s4[16 * 5 * 5], c5[120], f6[84];
    int32_t map[28 * 28];
    float score[LENET5_CLASSES];

    for (int i = 0; i < 32 * 32; i++) { /* a margin of 2 pixels of background, which is 0 here */
        const int row = i / 32 - 2, column = i % 32 - 2;
        const int inside = row >= 0 && row < 28 && column >= 0 && column < 28;
        input[i] = inside ? (int16_t)image[row * 28 + column] : 0;
    }
    for (int out = 0; out < 6; out++) { /* C1 and S2 */
        for (int i = 0; i < 28 * 28; i++) {
            map[i] = c1_bias[out];
        }
        convolve(input, 32, c1_weight + 25 * out, map, 28);
        subsample(map, 28, c1_multiplier[out], C1_SHIFT, s2_coefficient[out], S2_SHIFT, s2_bias[out], s2[out]);
    }
    for (int out = 0, pair = 0; out < 16; out++) { /* C3, whose maps see some of S2's (Table I), and S4 */
        for (int i = 0; i < 10 * 10; i++) {
            map[i] = c3_bias[out];
        }
        for (; pair < c3_end[out]; pair++) {
            convolve(s2[c3_from[pair]], 14, c3_weight + 25 * pair, map, 10);
        }
        subsample(map, 10, c3_multiplier[out], C3_SHIFT, s4_coefficient[out], S4_SHIFT, s4_bias[out], s4 + 25 * out);
    }
    for (int out = 0; out < 120; out++) {
        c5[out] = unit(squash(scaled(dot(s4, c5_weight + 400 * out, 400, c5_bias[out]), c5_multiplier[out], C5_SHIFT)));
    }
    for (int out = 0; out < 84; out++) {
        f6[out] = unit(squash(scaled(dot(c5, f6_weight + 120 * out, 120, f6_bias[out]), f6_multiplier[out], F6_SHIFT)));
    }
    for (int k = 0; k < LENET5_CLASSES; k++) {
        score[k] = output_scale[k] * (float)dot(f6, output_weight + 84 * k, 84, output_bias[k]);
    }
    return softmax(score, probabilities);
}
