// Who does what: the work on one image, divided among the blocks of a cluster. Figures are those of three, and of four.
//
//   C1, S2   the 28 half rows of S2's places, in all six maps: 10, 10 and 8; 7 each
//   C3, S4   some maps, which take 20 or 15 of Table I's 60 pairs
//   C5       forward, what those maps' units of S4 contribute to all 120 units; the sums of 40 or 30 units
//   F6       forward, what those units contribute to all 84 units; the sums, and all behind them, in every block
//   backward by the same division
//
// So a block needs its own columns of C5's and F6's weights, and nobody else does.
#pragma once
#include "lenet5.cuh"
// three.cuh or four.cuh, as the form has it.
#include "division.cuh"

constexpr int WARPS = THREADS / WARP;
constexpr int HALF = S2_SIZE / 2, ALL_HALF_ROWS = 2 * S2_SIZE;              // seven places each
constexpr int OWN_PLACES = HALF_ROWS * HALF;                                // of a block, most
constexpr int OWN_PAIRS = C3_PAIRS / CLUSTER;
constexpr int OWN_S4 = MOST_MAPS * S4_AREA;                                 // of a block, most
constexpr int OWN_C5 = C5_UNITS / CLUSTER;
static_assert(C3_PAIRS % CLUSTER == 0 && C5_UNITS % CLUSTER == 0, "equal shares");

// The first half row of block `rank`, how many it has, and the block that has a half row.
__device__ constexpr int first_half_row(int rank) { return HALF_ROWS * rank; }
__device__ constexpr int own_half_rows(int rank) {
    return HALF_ROWS * (rank + 1) <= ALL_HALF_ROWS ? HALF_ROWS : ALL_HALF_ROWS - HALF_ROWS * rank;
}
__device__ constexpr int owner_of(int half_row) { return half_row / HALF_ROWS; }
static_assert(own_half_rows(CLUSTER - 1) > 0, "something for each block");

constexpr int PAIR_WARPS = (OWN_PAIRS + 1) / 2;  // a warp takes two pairs, the last one may take one
constexpr int MOST_FEEDERS = S2_MAPS;            // pairs of a C3 map, most

struct Partition {
    // Of the pairs of a block, in the order in which its warps take them:
    unsigned char input[CLUSTER][2 * PAIR_WARPS];  // S2 map
    unsigned char map[CLUSTER][2 * PAIR_WARPS];    // C3 map, counted in the block
    unsigned char pair[CLUSTER][2 * PAIR_WARPS];   // number in Table I
    unsigned char slot[CLUSTER][2 * PAIR_WARPS];   // where what it sends back to S2 is kept: MOST_SLOTS slots a map
    bool joined[CLUSTER][PAIR_WARPS];              // a warp's two pairs read the same map
    unsigned char pairs[CLUSTER][MOST_MAPS][MOST_FEEDERS];  // the pairs of a C3 map, as counted above
    unsigned char count[CLUSTER][MOST_MAPS];   // 0: the block has no such map
    unsigned char block[C3_MAPS], place[C3_MAPS];  // the block that has a map of C3, and the map's number there
    unsigned char pair_block[C3_PAIRS], pair_place[C3_PAIRS];  // the same of a pair
    unsigned char own[CLUSTER][MOST_MAPS];         // BLOCK_MAPS; 0 where there is none
    unsigned char maps[CLUSTER];                   // how many there are
    int slots;                                     // that are used
    bool equal;                                    // as many pairs in each block
};

__device__ constexpr Partition partition_of_table() {
    Partition p{};
    p.equal = true;
    int fed[S2_MAPS] = {};
    for (int rank = 0; rank < CLUSTER; ++rank) {
        int n = 0, last = OWN_PAIRS;
        // Maps of S2 that an even number of pairs reads come first, then the others, whose odd pairs go to the end.
        int found[S2_MAPS] = {}, single[S2_MAPS] = {};
        int single_map[S2_MAPS] = {}, single_pair[S2_MAPS] = {};
        for (int i = 0; i < S2_MAPS; ++i)
            for (int m = 0; m < MOST_MAPS; ++m)
                for (int k = 0; k < S2_MAPS && BLOCK_MAPS[rank][m] != NONE; ++k)
                    found[i] += C3_TABLE[BLOCK_MAPS[rank][m]][k] == i;
        for (int odd = 0; odd < 2; ++odd)
            for (int i = 0; i < S2_MAPS; ++i) {
                if (found[i] % 2 != odd) continue;
                int left = found[i];
                for (int m = 0; m < MOST_MAPS; ++m) {
                    if (BLOCK_MAPS[rank][m] == NONE) continue;
                    int pair = 0;
                    for (int o = 0; o < BLOCK_MAPS[rank][m]; ++o)
                        for (int k = 0; k < S2_MAPS; ++k) pair += C3_TABLE[o][k] != NONE;
                    for (int k = 0; k < S2_MAPS; ++k, ++pair) {
                        if (C3_TABLE[BLOCK_MAPS[rank][m]][k] != i) continue;
                        if (odd && left == 1) {
                            single[i] = 1;
                            single_map[i] = m;
                            single_pair[i] = pair;
                        } else {
                            p.input[rank][n] = static_cast<unsigned char>(i);
                            p.map[rank][n] = static_cast<unsigned char>(m);
                            p.pair[rank][n++] = static_cast<unsigned char>(pair);
                        }
                        --left;
                    }
                }
            }
        for (int i = 0; i < S2_MAPS; ++i)
            if (single[i]) {
                p.input[rank][n] = static_cast<unsigned char>(i);
                p.map[rank][n] = static_cast<unsigned char>(single_map[i]);
                p.pair[rank][n++] = static_cast<unsigned char>(single_pair[i]);
            }
        p.equal = p.equal && n == last;
        for (int w = 0; w < PAIR_WARPS; ++w) {
            const int a = 2 * w, b = a + 1;
            p.joined[rank][w] = b < OWN_PAIRS && p.input[rank][a] == p.input[rank][b];
            for (int q = a; q <= b && q < OWN_PAIRS; ++q) {
                const int i = p.input[rank][q];
                p.pair_block[p.pair[rank][q]] = static_cast<unsigned char>(rank);
                p.pair_place[p.pair[rank][q]] = static_cast<unsigned char>(q);
                if (q == b && p.joined[rank][w]) p.slot[rank][b] = p.slot[rank][a];
                else {
                    p.slot[rank][q] = static_cast<unsigned char>(i * MOST_SLOTS + fed[i]++);
                    ++p.slots;
                }
            }
        }
        for (int m = 0; m < MOST_MAPS; ++m) {
            if (BLOCK_MAPS[rank][m] == NONE) continue;
            ++p.maps[rank];  // those that are none come last
            p.own[rank][m] = static_cast<unsigned char>(BLOCK_MAPS[rank][m]);
            p.block[BLOCK_MAPS[rank][m]] = static_cast<unsigned char>(rank);
            p.place[BLOCK_MAPS[rank][m]] = static_cast<unsigned char>(m);
            for (int q = 0; q < OWN_PAIRS; ++q)
                if (p.map[rank][q] == m) p.pairs[rank][m][p.count[rank][m]++] = static_cast<unsigned char>(q);
        }
    }
    for (int i = 0; i < S2_MAPS; ++i) p.equal = p.equal && fed[i] <= MOST_SLOTS;
    return p;
}

constexpr int SLOTS = partition_of_table().slots;
static_assert(partition_of_table().equal, "as many pairs in each block, and no more sums for a map of S2 than there are slots");

__constant__ const Partition PARTITION = partition_of_table();
