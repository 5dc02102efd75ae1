// What the command-line programs share: their exit status, and a mistake as one line.
#pragma once

#include <functional>
#include <string>

namespace upconv::tools {

constexpr int kDone = 0;
constexpr int kFailed = 1;  ///< files, memory, a failed check
constexpr int kUsage = 2;   ///< usage, configuration, shapes and values

/// Writes `PROGRAM: error: TEXT` as one line on standard error. @return status
int report(const std::string& program, const std::string& text, int status);

/// Runs `body` and turns what it throws into a report and an exit status.
int run_program(const std::string& program, const std::function<int()>& body);

}  // namespace upconv::tools
