// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "kernels.h"
#include <vector>

namespace tomarium {

// Owns the twiddle factors an FftPlan points to.
struct FftTables {
    FftPlan plan;
    std::vector<std::vector<float>> twiddles;
    FftTables(int length, int largest_radix);
    FftTables(const FftTables&) = delete; // plan points into twiddles
};

} // namespace tomarium
