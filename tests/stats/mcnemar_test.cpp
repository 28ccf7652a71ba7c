// SPDX-License-Identifier: Apache-2.0
#include "stats/mcnemar.h"

#include <gtest/gtest.h>

#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

// Golden numbers: SciPy 1.17, binomtest(a, a + b).pvalue.
TEST(McNemar, AgreesWithSciPy) {
  struct Case {
    std::int64_t only_a;
    std::int64_t only_b;
    double p;
  };
  for (const Case& c : {
           Case{0, 1, 1.0},
           Case{1, 1, 1.0},
           Case{0, 6, 0.03125},
           Case{10, 2, 0.03857421875},
           Case{5, 5, 1.0},
           Case{25, 12, 0.04703102743951604},
           Case{80, 121, 0.004660051974640136},
           Case{400, 401, 1.0},
           Case{1000, 1200, 2.1817026407914194e-05},
           Case{4000, 3600, 4.697884505059819e-06},
       }) {
    EXPECT_NEAR(mcnemar_p_value(c.only_a, c.only_b), c.p, 1e-9 * c.p)
        << c.only_a << " " << c.only_b;
    EXPECT_EQ(mcnemar_p_value(c.only_a, c.only_b), mcnemar_p_value(c.only_b, c.only_a));
  }
  EXPECT_EQ(mcnemar_p_value(0, 0), 1.0);
  EXPECT_THROW((void)mcnemar_p_value(-1, 0), Error);
}

TEST(McNemar, CountsPairs) {
  const std::vector<int> labels{0, 1, 2, 3, 4, -1};
  const std::vector<int> a{0, 1, 0, 3, 0, -1};
  const std::vector<int> b{0, 0, 2, 3, 1, -1};
  const PairedAnswers pairs = pair_answers(labels, a, b);
  EXPECT_EQ(pairs.total, 6);
  EXPECT_EQ(pairs.agree, 3);  // Two right, and no answer twice.
  EXPECT_EQ(pairs.both_right, 2);
  EXPECT_EQ(pairs.only_a_right, 1);
  EXPECT_EQ(pairs.only_b_right, 1);
  EXPECT_THROW((void)pair_answers(labels, a, std::vector<int>{1}), Error);
}

}  // namespace
}  // namespace hedge
