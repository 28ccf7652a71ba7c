// SPDX-License-Identifier: Apache-2.0
#include "fetch/download.h"

#include <gtest/gtest.h>

namespace hedge {
namespace {

TEST(ContentRange, IsRead) {
  ContentRange range;
  ASSERT_TRUE(parse_content_range("bytes 100-199/200", range));
  EXPECT_EQ(range.first, 100U);
  EXPECT_EQ(range.total, 200U);
  ASSERT_TRUE(parse_content_range("bytes 0-0/*", range));
  EXPECT_EQ(range.first, 0U);
  EXPECT_EQ(range.total, 0U);
}

TEST(ContentRange, OfAnotherFormIsRefused) {
  ContentRange range;
  for (const char* text : {"", "bytes", "bytes ", "bytes 1", "bytes 1-", "bytes 1-2", "bytes 1-2/",
                           "bytes 2-1/9", "bytes 1-9/9", "bytes */200", "bytes -1-2/9",
                           "bytes 1-2/9x", "items 1-2/9", "bytes 1-2/99999999999999999999999"}) {
    EXPECT_FALSE(parse_content_range(text, range)) << text;
  }
}

TEST(WithoutCredentials, KeepsEverythingElse) {
  EXPECT_EQ(without_credentials("http://user:pass@host:1/a@b?c@d"), "http://host:1/a@b?c@d");
  EXPECT_EQ(without_credentials("http://u:p@ss@host"), "http://host");
  EXPECT_EQ(without_credentials("https://host/a@b"), "https://host/a@b");
  EXPECT_EQ(without_credentials("https://host?a@b"), "https://host?a@b");
  EXPECT_EQ(without_credentials("host@x"), "host@x");
  EXPECT_EQ(without_credentials(""), "");
}

}  // namespace
}  // namespace hedge
