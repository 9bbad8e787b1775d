// SPDX-License-Identifier: BSD-3-Clause
// Gridding of one to four rows: gridding.h with lines of four numbers instead of sixteen, for a line that is mostly empty
// costs as much as a full one. Each row goes through the same operations in the same order, and is bitwise the same.
// Compiled once for each instruction-set level, with TOMARIUM_LEVEL = plain_few, v3_few or v4_few.
#define TOMARIUM_FEW_ROWS
#include "gridding.h"

#define TOMARIUM_JOIN(a, b) a##b
#define TOMARIUM_NAME(level) TOMARIUM_JOIN(level, _kernel)

namespace tomarium {

GriddingKernel TOMARIUM_NAME(TOMARIUM_LEVEL)() {
    return {TOMARIUM_LEVEL::LANES, TOMARIUM_LEVEL::gridding_scratch_lines, TOMARIUM_LEVEL::reconstruct};
}

} // namespace tomarium
