// A distorted image, sampled by one thread block while it loads it (lenet_gpu/augment/distort.py says what a distortion is).
#include "portable/form.cuh"

constexpr int DISTORTION = 8;  // numbers that describe the distortion of an image
constexpr int GRID = INPUT_SIZE * INPUT_SIZE;
constexpr float IMAGE_CENTER = (IMAGE_SIZE - 1) / 2.0f, GRID_CENTER = (INPUT_SIZE - 1) / 2.0f;

constexpr int FRAME = IMAGE_SIZE + 2;  // the image with one pixel of background all around
static_assert(FRAME * FRAME <= C1_MAPS * C1_MAP, "the frame is kept where C1 will be");

// Input layer from an image that is distorted by the eight numbers p:
//
//   x = p[0] u + p[1] v + p[2] + p[7] field[p[6], 0, row, column]      (u, v), (x, y): pixels from the centre, of the
//   y = p[3] u + p[4] v + p[5] + p[7] field[p[6], 1, row, column]      grid and of the image
//   input[row, column] = background + scale * (the image at (x, y), between pixels by bilinear interpolation)
//
// Beyond the image all is background, like the frame around it, so coordinates are clamped to the frame. The frame is
// kept in C1's memory, which no thread has read since the last barrier: C1's gradients of the image before this one are
// done.
__device__ inline void load_distorted_image(
    const unsigned char* __restrict__ pixels, const float* __restrict__ p, const float* __restrict__ fields,
    float background, float scale, Memory& m) {
    float* frame = m.c1;
    for (int k = threadIdx.x; k < FRAME * FRAME; k += THREADS) {
        const int r = k / FRAME - 1, c = k % FRAME - 1;
        const bool inside = r >= 0 && r < IMAGE_SIZE && c >= 0 && c < IMAGE_SIZE;
        frame[k] = inside ? static_cast<float>(pixels[r * IMAGE_SIZE + c]) : 0.0f;
    }
    __syncthreads();
    const float amplitude = p[7];
    const float* field = fields + static_cast<size_t>(p[6]) * (2 * GRID);
    for (int k = threadIdx.x; k < GRID; k += THREADS) {
        const int row = k / INPUT_SIZE, column = k % INPUT_SIZE;
        const float u = column - GRID_CENTER, v = row - GRID_CENTER;
        float x = p[0] * u + p[1] * v + p[2], y = p[3] * u + p[4] * v + p[5];
        if (amplitude != 0.0f) {  // the same for all threads of the block
            x += amplitude * field[k];
            y += amplitude * field[GRID + k];
        }
        x = fminf(fmaxf(x + (IMAGE_CENTER + 1.0f), 0.0f), FRAME - 1.0f);
        y = fminf(fmaxf(y + (IMAGE_CENTER + 1.0f), 0.0f), FRAME - 1.0f);
        const float left = fminf(floorf(x), FRAME - 2.0f), top = fminf(floorf(y), FRAME - 2.0f);
        const float fx = x - left, fy = y - top;
        const float* corner = frame + static_cast<int>(top) * FRAME + static_cast<int>(left);
        const float upper = corner[0] + fx * (corner[1] - corner[0]);
        const float lower = corner[FRAME] + fx * (corner[FRAME + 1] - corner[FRAME]);
        m.x[row * X_STRIDE + column] = background + scale * (upper + fy * (lower - upper));
    }
}
