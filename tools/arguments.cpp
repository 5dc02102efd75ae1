#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "numbers.h"
#include "upconv/error.h"

namespace upconv::tools {

int parse_threads(const std::string& text) {
  int threads = 0;
  if (!parse(text, threads) || threads < 1) {
    refuse("--threads", text,
           "an integer from 1 to " + std::to_string(std::numeric_limits<int>::max()));
  }
  return threads;
}

double parse_seconds(const std::string& text) {
  constexpr double kMost = 3600;
  double seconds = 0;
  if (!parse(text, seconds) || !(seconds > 0) || seconds > kMost) {
    refuse("--seconds", text, "a number above 0, at most 3600");
  }
  return seconds;
}

Dims parse_shape(const std::string& text, const std::string& option) {
  Dims shape;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    Index extent = 0;
    if (!parse(rest.substr(0, comma), extent) || extent < 0 || shape.size() == kMaxAxes) {
      refuse(option, text, "integers of at least 0 with commas between, as in 1,85,85,56");
    }
    shape.push_back(extent);
    if (comma == std::string_view::npos) return shape;
    rest.remove_prefix(comma + 1);
  }
}

std::optional<Isa> parse_isa_option(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::optional<Isa> isa = parse_isa(text);
  std::string list;
  for (const Isa runnable : runnable_isas()) {
    if (isa == runnable) return isa;
    list += (list.empty() ? "" : ", ") + std::string(to_string(runnable));
  }
  refuse("--isa", text, "one that this machine runs: " + list);
}

}  // namespace upconv::tools
