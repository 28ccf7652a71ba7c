// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

namespace hedge {

enum class LogLevel { kDebug, kInfo, kWarning };

using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Receives every message from now on; an empty sink (the default) drops them. Thread-safe.
/// Libraries never print: the programs in `cli/` install a sink that does.
void set_log_sink(LogSink sink);

/// One line without a line end. Never called from a timed path.
void log(LogLevel level, std::string_view message);

}  // namespace hedge
