/* LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), written by lenet-gpu @VERSION@: @PRECISION@, @VARIANT@ output.
 *
 * No dynamic memory, no global state that changes: several threads may call it at once.
 * About @STACK@ bytes of stack; @CONSTANTS@ bytes of constants.
 */
#ifndef @GUARD@
#define @GUARD@

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LENET5_SIDE 28
#define LENET5_PIXELS 784
#define LENET5_CLASSES @CLASSES@

/* What the classes are called. */
extern const char *const lenet5_labels[LENET5_CLASSES];

/* Reads one image.
 *
 * image: 28x28 pixels, row by row; 0 is the ground and 255 full ink, in MNIST's form (the digit within 20x20 pixels,
 *     its centre of mass in the middle).
 * probabilities: receives a probability for each class; they sum to 1.
 *
 * Returns the most probable class, 0 to LENET5_CLASSES - 1.
 */
int lenet5_predict(const uint8_t image[LENET5_PIXELS], float probabilities[LENET5_CLASSES]);

#ifdef __cplusplus
}
#endif

#endif
