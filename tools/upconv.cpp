// upconv: the layer on the command line.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "commands.h"
#include "upconv/error.h"

namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;  // files, memory, a failed check
constexpr int kUsage = 2;   // usage, configuration, shapes and values

int exit_status(upconv::ErrorKind kind) {
  switch (kind) {
    case upconv::ErrorKind::kInvalidArgument:
    case upconv::ErrorKind::kShapeMismatch:
    case upconv::ErrorKind::kUnsupported:
    case upconv::ErrorKind::kLimitExceeded:
      return kUsage;
    case upconv::ErrorKind::kCorruptFile:
    case upconv::ErrorKind::kTruncated:
    case upconv::ErrorKind::kIo:
    case upconv::ErrorKind::kOutOfMemory:
      return kFailed;
  }
  return kFailed;
}

/// One line on standard error, whatever the text is.
int report(const std::string& text, int status) {
  std::string line = "upconv: error: ";
  for (const char c : text) line += (c >= 0 && c < ' ') || c == '\x7f' ? ' ' : c;
  std::cerr << line << '\n';
  return status;
}

int run(int argc, const char* const* argv) {
  CLI::App app("Transposed convolution (deconvolution) of ranks 1, 2 and 3.", "upconv");
  app.set_version_flag("--version", "upconv " UPCONV_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done; 2 a mistake in usage, configuration, shape or value; 1 all else.\n"
      "UPCONV_ISA=sse41|avx2|avx512|neon forces an instruction set.");
  upconv::tools::add_apply_command(app);
  upconv::tools::add_summary_command(app);
  upconv::tools::add_kernels_command(app);
  upconv::tools::add_bench_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
  } catch (const CLI::CallForAllHelp&) {
    std::cout << app.help("", CLI::AppFormatMode::All);
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << '\n';
  } catch (const CLI::ParseError& error) {
    return report(std::string(error.what()) + "; see upconv --help", kUsage);
  }
  std::cout.flush();
  if (!std::cout) return report("standard output cannot be written", kFailed);
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const upconv::Error& error) {
    return report(error.what(), exit_status(error.kind()));
  } catch (const std::bad_alloc&) {
    return report("there is not enough memory", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}
