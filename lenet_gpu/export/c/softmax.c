/* Turns scores into probabilities; returns the greatest one's class. */
static int softmax(const float score[LENET5_CLASSES], float probabilities[LENET5_CLASSES])
{
    int best = 0;
    float sum = 0.0f;
    for (int k = 1; k < LENET5_CLASSES; k++) {
        best = score[k] > score[best] ? k : best;
    }
    for (int k = 0; k < LENET5_CLASSES; k++) {
        sum += probabilities[k] = expf(score[k] - score[best]);
    }
    for (int k = 0; k < LENET5_CLASSES; k++) {
        probabilities[k] /= sum;
    }
    return best;
}
