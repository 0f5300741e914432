// A cluster of four blocks of 256 threads, two of which a multiprocessor runs at once.
#pragma once
constexpr int CLUSTER = 4, THREADS = 256, BLOCKS_AT_ONCE = 2;

// C3's maps of each block. Of all divisions with 15 pairs a block this is one in which pairs that read the same map of S2
// come together most often: two of them are the work of a warp, which then reads the map once.
constexpr int MOST_MAPS = 4;
constexpr int BLOCK_MAPS[CLUSTER][MOST_MAPS] = {{0, 1, 3, 15}, {2, 6, 8, 11}, {4, 7, 12, 13}, {5, 9, 10, 14}};
constexpr int HALF_ROWS = 7;                      // of S2's 28, a block
constexpr int MOST_SLOTS = 6;                    // sums that come back to a map of S2, most
constexpr int C5_STRIDE = 100, F6_STRIDE = 30;   // of weights in shared memory
constexpr int C5_LANES = 8, F6_LANES = 2;        // that take a unit
constexpr int C5_SLICES = 10;                    // of a sum over C5's units
