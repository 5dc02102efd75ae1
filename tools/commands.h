// The commands of the program upconv, and what they share.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "upconv/isa.h"
#include "upconv/tensor.h"

namespace upconv::tools {

/// Each adds a subcommand that runs, inside CLI::App::parse, when it is on the command line.
void add_apply_command(CLI::App& app);
void add_summary_command(CLI::App& app);
void add_kernels_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_import_command(CLI::App& app);

/// Thrown when a result is wrong. The program then exits with 1.
class CheckFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Values of options. They are read as text, so that every mistake is reported in the same words.
// @throws Error kInvalidArgument, with `option` in front.

/// An integer from 1 to 1024.
int parse_threads(const std::string& text);
/// A number above 0.
double parse_seconds(const std::string& text);
/// Integers with commas between: 1,85,85,56.
Dims parse_shape(const std::string& text, const std::string& option);
/// An instruction set that this machine runs; none for an empty text.
std::optional<Isa> parse_isa_option(const std::string& text);

}  // namespace upconv::tools
