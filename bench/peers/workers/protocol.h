// The line protocol of common.py for workers in C++: one JSON object a line, in and out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace peers {

using Json = nlohmann::ordered_json;
using Call = std::function<void()>;
using Clock = std::chrono::steady_clock;

inline int threads() {
  const char* text = std::getenv("PEER_THREADS");
  return text ? std::max(1, std::atoi(text)) : 1;
}

inline void read_floats(const std::string& path, std::span<float> values) {
  std::ifstream file(path, std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(values.size_bytes());
  if (!file.read(reinterpret_cast<char*>(values.data()), bytes)) {
    throw std::runtime_error(path + " is shorter than it should be");
  }
}

inline void write_floats(const std::string& path, std::span<const float> values) {
  std::ofstream file(path, std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(values.size_bytes());
  if (!file.write(reinterpret_cast<const char*>(values.data()), bytes)) {
    throw std::runtime_error(path + " could not be written");
  }
}

/// Seconds that `calls` calls take.
inline double repeat(const Call& call, std::int64_t calls) {
  const Clock::time_point start = Clock::now();
  for (std::int64_t i = 0; i < calls; ++i) call();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// As time_call() of common.py.
inline Json time_call(const Call& call, double seconds) {
  constexpr double kSampleSeconds = 100e-6;
  constexpr double kSlowSeconds = 0.5;
  call();
  std::int64_t calls = 1;
  double elapsed = repeat(call, calls);
  while (elapsed < kSampleSeconds) {
    calls *= 2;
    elapsed = repeat(call, calls);
  }
  const std::size_t fewest = elapsed < kSlowSeconds ? 3 : 1;
  std::vector<double> samples;
  const Clock::time_point begin = Clock::now();
  while (samples.size() < fewest ||
         std::chrono::duration<double>(Clock::now() - begin).count() < seconds) {
    samples.push_back(repeat(call, calls) / static_cast<double>(calls));
  }
  std::sort(samples.begin(), samples.end());
  return {{"median_us", samples[samples.size() / 2] * 1e6},
          {"min_us", samples.front() * 1e6},
          {"calls", calls * static_cast<std::int64_t>(samples.size())}};
}

/// The first call of a new shape, and the best of three more.
inline Json first_call(const Call& call) {
  const double first = repeat(call, 1);
  double warm = repeat(call, 1);
  for (int i = 0; i < 2; ++i) warm = std::min(warm, repeat(call, 1));
  return {{"first_us", first * 1e6}, {"warm_us", warm * 1e6}};
}

/// A command's name and how it is answered.
using Commands = std::map<std::string, std::function<Json(const Json&)>>;

/// Answers until standard input ends.
inline int serve(const Commands& commands) {
  std::string line;
  while (std::getline(std::cin, line)) {
    Json answer;
    try {
      const Json message = Json::parse(line);
      answer = commands.at(message.at("command").get<std::string>())(message);
    } catch (const std::exception& error) {
      answer = {{"refused", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}

/// main() of a worker: the commands that all have, and those that `more` adds for this one.
template <typename Worker>
int work(void (*more)(Worker&, Commands&) = nullptr) {
  try {
    Worker worker;
    Commands commands = {{"hello", Worker::hello},
                         {"prepare", [&](const Json& m) { return worker.prepare(m); }},
                         {"run", [&](const Json& m) { return worker.run(m); }},
                         {"time", [&](const Json& m) { return worker.time(m); }},
                         {"new_shapes", [&](const Json& m) { return worker.new_shapes(m); }}};
    if (more != nullptr) more(worker, commands);
    return serve(commands);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

}  // namespace peers
