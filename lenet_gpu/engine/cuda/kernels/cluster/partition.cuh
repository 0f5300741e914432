// Who does what: the work on one image, divided among the four blocks of a cluster.
//
//   C1, S2   a quarter of the 196 places of S2, in all six maps
//   C3, S4   four maps, which take 15 of Table I's 60 pairs
//   C5       forward, what those maps' 100 units of S4 contribute to all 120 units; the sums of 30 units
//   F6       forward, what those 30 units contribute to all 84 units; the sums, and all behind them, in every block
//   backward by the same division
//
// So a block needs its 100 columns of C5's weights and its 30 columns of F6's, and nobody else does.
#pragma once
#include "lenet5.cuh"

constexpr int CLUSTER = 4;
constexpr int OWN_PLACES = S2_AREA / CLUSTER;           // 49
constexpr int OWN_MAPS = C3_MAPS / CLUSTER;             // 4, of C3 and S4
constexpr int OWN_PAIRS = C3_PAIRS / CLUSTER;           // 15
constexpr int OWN_S4 = OWN_MAPS * S4_AREA;              // 100
constexpr int OWN_C5 = C5_UNITS / CLUSTER;              // 30

// C3's maps, four a block, 15 pairs a block. Of all such divisions this is one in which pairs that read the same map of
// S2 come together most often: two of them are the work of a warp, which then reads the map once.
constexpr int BLOCK_MAPS[CLUSTER][OWN_MAPS] = {{0, 1, 3, 15}, {2, 6, 8, 11}, {4, 7, 12, 13}, {5, 9, 10, 14}};

constexpr int PAIR_WARPS = (OWN_PAIRS + 1) / 2;  // a warp takes two pairs, the last one takes one
constexpr int MOST_FEEDERS = 6;                  // sums that come back to a map of S2, most; pairs of a C3 map, most

struct Partition {
    // Of the pairs of a block, in the order in which its warps take them:
    unsigned char input[CLUSTER][2 * PAIR_WARPS];  // S2 map
    unsigned char map[CLUSTER][2 * PAIR_WARPS];    // C3 map, counted in the block
    unsigned char pair[CLUSTER][2 * PAIR_WARPS];   // number in Table I
    unsigned char slot[CLUSTER][2 * PAIR_WARPS];   // where what it sends back to S2 is kept: MOST_FEEDERS slots a map
    bool joined[CLUSTER][PAIR_WARPS];              // a warp's two pairs read the same map
    unsigned char pairs[CLUSTER][OWN_MAPS][MOST_FEEDERS];  // the pairs of a C3 map, as counted above
    unsigned char count[CLUSTER][OWN_MAPS];
    unsigned char block[C3_MAPS], place[C3_MAPS];  // the block that has a map of C3, and the map's number there
    int slots;                                     // that are used
    bool equal;                                    // 15 pairs a block
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
            for (int m = 0; m < OWN_MAPS; ++m)
                for (int k = 0; k < S2_MAPS; ++k) found[i] += C3_TABLE[BLOCK_MAPS[rank][m]][k] == i;
        for (int odd = 0; odd < 2; ++odd)
            for (int i = 0; i < S2_MAPS; ++i) {
                if (found[i] % 2 != odd) continue;
                int left = found[i];
                for (int m = 0; m < OWN_MAPS; ++m) {
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
                if (q == b && p.joined[rank][w]) p.slot[rank][b] = p.slot[rank][a];
                else {
                    p.slot[rank][q] = static_cast<unsigned char>(i * MOST_FEEDERS + fed[i]++);
                    ++p.slots;
                }
            }
        }
        for (int m = 0; m < OWN_MAPS; ++m) {
            p.block[BLOCK_MAPS[rank][m]] = static_cast<unsigned char>(rank);
            p.place[BLOCK_MAPS[rank][m]] = static_cast<unsigned char>(m);
            for (int q = 0; q < OWN_PAIRS; ++q)
                if (p.map[rank][q] == m) p.pairs[rank][m][p.count[rank][m]++] = static_cast<unsigned char>(q);
        }
    }
    for (int i = 0; i < S2_MAPS; ++i) p.equal = p.equal && fed[i] <= MOST_FEEDERS;
    return p;
}

constexpr int SLOTS = partition_of_table().slots;
static_assert(partition_of_table().equal, "15 pairs a block, and no more sums for a map of S2 than there are slots");

__constant__ const Partition PARTITION = partition_of_table();
__constant__ const unsigned char OWN_MAP[CLUSTER][OWN_MAPS] = {{0, 1, 3, 15}, {2, 6, 8, 11}, {4, 7, 12, 13}, {5, 9, 10, 14}};
