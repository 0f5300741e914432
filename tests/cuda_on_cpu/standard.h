// The standard library's headers that kernels on the CPU need: harness.py compiles them once for all kernels.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
