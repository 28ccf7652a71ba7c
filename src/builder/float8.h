// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/int8.h"
#include "builder/prepare.h"

namespace hedge {

/// Gives a model that is to be fp8 what its backend needs (BuildOptions::float8): ranges as
/// find_ranges has them, by min-max where no method is stated, and the layers with weights but for
/// those of `keep` and those that have no kernels in fp8 (grouped convolutions, and windows of more
/// than 32 places), which are said. Nothing for a backend without fp8, whose build() tells why.
/// Throws bad_input: native calibration, no layer left; as kept_layers and find_ranges.
void make_float8(PreparedModel& model, const Int8Options& options);

}  // namespace hedge
