// The input layer: the rows that a block's places of S2 look at, of an image that may be distorted.
#include "cluster/form.cuh"

constexpr int DISTORTION = 8;  // numbers that describe the distortion of an image
constexpr int GRID = INPUT_SIZE * INPUT_SIZE;
constexpr float IMAGE_CENTER = (IMAGE_SIZE - 1) / 2.0f, GRID_CENTER = (INPUT_SIZE - 1) / 2.0f;
constexpr int FRAME = IMAGE_SIZE + 2;  // the image with one pixel of background all around

struct Images {
    const unsigned char* pixels;  // [n][28][28]
    const unsigned char* labels;  // [n]
    const int* order;             // [length]
    float background, scale;
    bool distorted;
    const float* distortions;     // [length][8]
    const float* fields;          // [1024][2][32][32]
};

// The pixel of the frame in row r, column c, from -1 to 28.
__device__ inline float framed(const unsigned char* __restrict__ pixels, int r, int c) {
    const bool inside = r >= 0 && r < IMAGE_SIZE && c >= 0 && c < IMAGE_SIZE;
    return inside ? static_cast<float>(pixels[r * IMAGE_SIZE + c]) : 0.0f;
}

// Input layer of the image at `position` of the order, by COUNT threads, of which this one is number t:
//
//   x = background + scale * pixel, four at a time; the margin of two background pixels is there (clear_margins). Or, of an
//   image that is distorted by the eight numbers p (portable/distort.cuh):
//   x = p[0] u + p[1] v + p[2] + p[7] field[p[6], 0, row, column]      (u, v), (x, y): pixels from the centre, of the
//   y = p[3] u + p[4] v + p[5] + p[7] field[p[6], 1, row, column]      grid and of the image
//   input[row, column] = background + scale * (the image at (x, y), between pixels by bilinear interpolation)
template <int COUNT>
__device__ inline void load_input(const Images& images, int position, int rank, int t, float* x_rows, int* label) {
    const int index = images.order[position];
    const unsigned char* pixels = images.pixels + static_cast<size_t>(index) * (IMAGE_SIZE * IMAGE_SIZE);
    if (t == 0) *label = images.labels[index];
    if (!images.distorted) {
        constexpr int WORDS = IMAGE_SIZE / 4;
        static_assert(X_ROWS * WORDS <= COUNT, "one each");
        const int local = t / WORDS, word = t % WORDS, row = first_row(rank) + local - MARGIN;
        if (local >= X_ROWS || row < 0 || row >= IMAGE_SIZE) return;
        const unsigned four = reinterpret_cast<const unsigned*>(pixels)[row * WORDS + word];
        float2* x = reinterpret_cast<float2*>(x_rows + local * X_STRIDE + MARGIN + 4 * word);
        x[0] = make_float2(images.background + images.scale * static_cast<float>(four & 255u),
                           images.background + images.scale * static_cast<float>(four >> 8 & 255u));
        x[1] = make_float2(images.background + images.scale * static_cast<float>(four >> 16 & 255u),
                           images.background + images.scale * static_cast<float>(four >> 24));
        return;
    }
    const float* p = images.distortions + static_cast<size_t>(position) * DISTORTION;
    const float amplitude = p[7];
    const float* field = images.fields + static_cast<size_t>(p[6]) * (2 * GRID);
#pragma unroll
    for (int k = t; k < X_ROWS * INPUT_SIZE; k += COUNT) {
        const int local = k / INPUT_SIZE, column = k % INPUT_SIZE, row = first_row(rank) + local;
        const float u = column - GRID_CENTER, v = row - GRID_CENTER;
        float x = p[0] * u + p[1] * v + p[2], y = p[3] * u + p[4] * v + p[5];
        if (amplitude != 0.0f) {  // the same for all threads of the block
            x += amplitude * field[row * INPUT_SIZE + column];
            y += amplitude * field[GRID + row * INPUT_SIZE + column];
        }
        // Beyond the image all is background, like the frame around it.
        x = fminf(fmaxf(x + (IMAGE_CENTER + 1.0f), 0.0f), FRAME - 1.0f);
        y = fminf(fmaxf(y + (IMAGE_CENTER + 1.0f), 0.0f), FRAME - 1.0f);
        const float left = fminf(floorf(x), FRAME - 2.0f), top = fminf(floorf(y), FRAME - 2.0f);
        const float fx = x - left, fy = y - top;
        const int r = static_cast<int>(top) - 1, c = static_cast<int>(left) - 1;
        const float corner = framed(pixels, r, c), right = framed(pixels, r, c + 1);
        const float below = framed(pixels, r + 1, c), both = framed(pixels, r + 1, c + 1);
        const float upper = corner + fx * (right - corner), lower = below + fx * (both - below);
        x_rows[local * X_STRIDE + column] = images.background + images.scale * (upper + fy * (lower - upper));
    }
}
