// Errors: one exception type, with a kind that a program can act on and a message for people.
#pragma once

#include <stdexcept>
#include <string>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// What class of mistake an Error reports.
enum class ErrorKind {
  kInvalidArgument,  ///< An option or argument is outside its documented range.
  kShapeMismatch,    ///< A tensor's rank, extents or dtype do not fit the layer.
  kUnsupported,      ///< Well formed, but nothing this build or machine can do.
  kCorruptFile,      ///< A file's bytes break the rules of its format.
  kTruncated,        ///< A file ends before the bytes it declares.
  kLimitExceeded,    ///< A size is over a documented limit, or overflows 64 bits.
  kIo,               ///< The operating system refused to open, read, write or rename.
  kOutOfMemory,      ///< An allocation failed.
};

/// The only exception the library throws on purpose. (Where memory runs out, std::bad_alloc may
/// come instead of kOutOfMemory, with the same promise.)
///
/// The message is one line: the object, what is which value, and the rule it breaks, for example
/// `ConvolutionTranspose "decoder": output_padding[1] is 2; it must be below strides[1] = 2 with
/// SAME padding`. Nothing is written to any output or file when an Error is thrown, and the object
/// that threw is unchanged.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace upconv::UPCONV_ABI
