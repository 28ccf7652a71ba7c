// SPDX-License-Identifier: Apache-2.0
// The list in docs/operators.md is that of the code. Its counts are checked by the conformance
// test, which is not run where ONNX's node tests cannot be had.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/text.h"
#include "graph/operators/operator.h"

namespace hedge {
namespace {

TEST(OperatorsDocument, ListsWhatTheCodeHas) {
  std::vector<std::string> listed;
  for (const auto& line : split(read_text_file(HEDGE_SOURCE_DIR "/docs/operators.md"), '\n')) {
    if (line.starts_with("## ") && !listed.empty()) break;
    const auto cells = split(line, '|');
    if (cells.size() != 6 || cells[1] == "---" || cells[1] == " operator ") continue;
    listed.push_back(cells[1].substr(1, cells[1].size() - 2));
  }
  std::vector<std::string> there;
  for (const Operator* op : all_operators()) there.emplace_back(op->name);
  EXPECT_EQ(listed, there) << "write it anew: its first lines say how";
}

}  // namespace
}  // namespace hedge
