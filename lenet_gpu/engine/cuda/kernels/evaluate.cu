// Evaluation: from the scores of the classes and the labels to loss and answers, whatever kernel computed the scores.
// CLASSES, for which the kernel is compiled.
#include "classes.cuh"

constexpr int EVALUATED = 256;  // images of a group, and threads of a block

// What is read back of a group of images.
struct Evaluated {
    double loss;                       // sum over the images of the group
    unsigned char answers[EVALUATED];  // the class of the largest score; 0 behind the last image
};

// Softmax and cross-entropy of an image (lenet_gpu/nn/metrics.py), in double precision as on the host:
//
//   E = log(sum over k of exp(s[k] - largest)) - (s[label] - largest)
//
// An image of none of the classes has the mean over all classes in place of s[label] - largest. The answer is the first
// of the largest scores, or the first that is no number.
__device__ inline double evaluate_image(const float* __restrict__ scores, int label, unsigned char* answer) {
    float largest = scores[0];
    int best = 0;
    for (int k = 1; k < CLASSES; ++k) {
        const float score = scores[k];
        if (score > largest || (score != score && largest == largest)) {
            largest = score;
            best = k;
        }
    }
    double total = 0.0, sum = 0.0;
    for (int k = 0; k < CLASSES; ++k) {
        const double below = static_cast<double>(scores[k]) - largest;
        total += exp(below);
        sum += below;
    }
    *answer = static_cast<unsigned char>(best);
    return log(total) - (label == CLASSES ? sum / CLASSES : static_cast<double>(scores[label]) - largest);
}

//   scores  [count][CLASSES]  of the images
//   labels  [count]           their classes, or CLASSES: none of them
//   out     [groups]          a group for each 256 images, the last one may have fewer
//
// A thread takes an image, and the losses of a block are added up in pairs: always in the same order, whatever the
// number of blocks.
extern "C" __global__ void __launch_bounds__(EVALUATED)
lenet5_evaluate(const float* __restrict__ scores, const unsigned char* __restrict__ labels, int count,
                Evaluated* __restrict__ out) {
    __shared__ double losses[EVALUATED];
    const int groups = (count + EVALUATED - 1) / EVALUATED;
    for (int group = blockIdx.x; group < groups; group += gridDim.x) {
        const int image = group * EVALUATED + static_cast<int>(threadIdx.x);
        double loss = 0.0;
        unsigned char answer = 0;
        if (image < count) loss = evaluate_image(scores + static_cast<size_t>(image) * CLASSES, labels[image], &answer);
        out[group].answers[threadIdx.x] = answer;
        losses[threadIdx.x] = loss;
        for (int half = EVALUATED / 2; half > 0; half /= 2) {
            __syncthreads();
            if (threadIdx.x < half) losses[threadIdx.x] += losses[threadIdx.x + half];
        }
        if (threadIdx.x == 0) out[group].loss = losses[0];
        __syncthreads();  // the next group's losses overwrite these
    }
}
