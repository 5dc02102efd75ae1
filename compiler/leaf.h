// A Halide pipeline as a statement that is put into the functions of a module.
#pragma once

#include <string>
#include <vector>

#include "Halide.h"

namespace upconv::compiler {

/// A lowered pipeline that takes pointers and integers. It becomes part of the function that uses
/// it: Halide has no functions that only a module sees, and a library of several layers must not
/// define names but those of its header.
class Leaf {
 public:
  /// Lowers `output` for `module`, to which its constants are added. Its arguments are a pointer
  /// for each of `pointers`, the integers, and a pointer for the output.
  Leaf(Halide::Module& module, const std::string& name, const Halide::Func& output,
       const std::vector<Halide::ImageParam>& pointers,
       const std::vector<Halide::Param<int>>& integers);

  /// What it does, of which the pipeline's allocations are a part.
  const Halide::Internal::Stmt& body() const { return body_; }
  void set_body(const Halide::Internal::Stmt& body) { body_ = body; }

  /// The pointer `of` is the output itself: what is read there is what was last written. (Halide
  /// has no such argument, and would take the two for different memory.) It is no argument any
  /// more.
  void reads_output(const Halide::ImageParam& of);

  /// The output is called so, as what other pipelines read it by: Halide takes memory of different
  /// names for different memory, and would move a load past the store of what it loads.
  void writes(const std::string& memory);

  /// A statement that runs it. @param pointers as above, the output's last
  Halide::Internal::Stmt call(const std::vector<Halide::Expr>& pointers,
                              const std::vector<Halide::Expr>& integers) const;

 private:
  std::vector<std::string> pointers_, integers_;  ///< names of the arguments in the body
  std::string output_;
  Halide::Internal::Stmt body_;
};

}  // namespace upconv::compiler
