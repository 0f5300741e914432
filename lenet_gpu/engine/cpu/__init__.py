"""The CPU engine: LeNet-5 in NumPy at full speed. This page is the tour, a quarter of an hour.

**What a step is.** A mini-batch goes through the network forward and backward, 32 images at once, by one prepared
list of some 130 NumPy calls, each with its output array. `python -m lenet_gpu.engine.cpu` prints the list, layer by
layer, with names and shapes; a step does nothing but walk it. Before it, the list's first calls build the weight
matrices from the network's parameters; at its end the gradients lie in a flat buffer like the parameters', and any
optimizer of nn/ does the update.

**Why it is fast.**

1. A convolution is a few large matrix products, which BLAS runs at full speed. Each computes a line of a tile of
   outputs for all tiles and images; the kernel stands in the matrix once for every output of the line (a Toeplitz
   matrix). That is more multiplications than needed, and far fewer copies.
2. The batch is the innermost axis, so that NumPy's elementwise functions work on long runs.
3. A step allocates nothing: every array is made once, used again, and small enough for the cache.
4. Constants (squashing's A and S, the scale of pixels) are folded into the weights.
5. A worker process for each core, which share memory and need no locks.

**In which order to read.**

======================  ==============================================================================================
tiles.py                the idea in 60 plain lines, held to the layers by a test
layout.py               its docstring draws the arrays: where each number of a batch lies in memory
ops.py                  the recorder: `do.add(a, b, out=c)` prepares a call, `run` runs the list
forward.py, backward.py the two passes, layer by layer; training has both
gather.py               the windows that convolutions see: copied by tiles to train; gather_lines.py: by lines to read
weights.py              the matrices built from the parameters, and the way of their gradients back
squash.py, reach.py     the squashing function in three ways; which of them processor and weights allow for
heads.py                the two output layers with their losses
plan.py, programs.py    the whole: `CpuPlan.outputs`, `.gradients`, `.activations`, `.read`, `.describe`
spec.py                 the facts all of these are made from, as plain data
======================  ==============================================================================================

Then whatever you came for: single.py (one image in as few calls as possible, for the one who waits), distort.py
(augmentation into the plan's input), threads.py (a plan for each thread), describe.py (calls as text);
local.py (`LocalEngine`: the plan in the user's own process, with any optimizer); engine.py (`CpuEngine`: hands whole
epochs to worker processes) with `workers/`, of which team.py is the protocol; and `online/`, which has a list of its
own for the paper's way of training, one image a step.

**Where the truth is.** nn/layers.py says what is computed. Tests hold every gradient, activation and step of this
package to it in float64, for every size of batch and 2 to 64 classes.
"""
