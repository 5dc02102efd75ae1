// Statements that the drivers of compiled layers are made of, in Halide's intermediate
// representation.
#pragma once

#include <string>

#include "Halide.h"
#include "driver.h"

namespace upconv::compiler {

/// An argument, or what a let names.
inline Halide::Expr pointer(const std::string& name) {
  return Halide::Internal::Variable::make(Halide::Handle(), name);
}

/// The function returns `otherwise` where the condition does not hold.
inline Halide::Internal::Stmt require(const Halide::Expr& condition, RunStatus otherwise) {
  return Halide::Internal::AssertStmt::make(condition, static_cast<int>(otherwise));
}

/// For `name` from 0 to count - 1, one after the other.
inline Halide::Internal::Stmt loop(const std::string& name, const Halide::Expr& count,
                                   const Halide::Internal::Stmt& body) {
  return Halide::Internal::For::make(name, 0, count, Halide::Internal::ForType::Serial,
                                     Halide::Partition::Never, Halide::DeviceAPI::None, body);
}

}  // namespace upconv::compiler
