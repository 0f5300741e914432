// A cluster of three blocks of 512 threads, each of which has a multiprocessor of its own.
#pragma once
constexpr int CLUSTER = 3, THREADS = 512, BLOCKS_AT_ONCE = 1;

// C3's maps of each block. With 20 pairs a block all pairs come in twos that read the same map of S2: they are the work of
// a warp, which reads the map once.
constexpr int MOST_MAPS = 6;
constexpr int BLOCK_MAPS[CLUSTER][MOST_MAPS] = {{0, 1, 6, 9, 15, -1}, {7, 8, 10, 11, 13, -1}, {2, 3, 4, 5, 12, 14}};
constexpr int HALF_ROWS = 10;                     // of S2's 28, a block; the last one has 8
constexpr int MOST_SLOTS = 5;                    // sums that come back to a map of S2, most
constexpr int C5_STRIDE = 152, F6_STRIDE = 44;   // of weights in shared memory
constexpr int C5_LANES = 8, F6_LANES = 4;        // that take a unit
constexpr int C5_SLICES = 12;                    // of a sum over C5's units
