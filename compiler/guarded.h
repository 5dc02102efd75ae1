// Work that can be interrupted, or die, with someone left to clean up.
#pragma once

#include <functional>

namespace upconv::compiler {

/// Asked to end by a signal; who caught it cleans up, then calls end_by(signal).
struct Interrupted {
  int signal = 0;
};

/// While it lives, SIGHUP, SIGINT and SIGTERM do not end this process: run_guarded() turns them
/// into Interrupted, and those that come outside of it take effect when this ends.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();
};

/// Runs `body` in a child process, which cannot outlive this one, and waits. HeldSignals is alive.
/// @return the status that body returned
/// @throws Interrupted when a signal came; the child is gone by then.
/// @throws Error kIo where no process can be made, or it was killed (for memory, say).
int run_guarded(const std::function<int()>& body);

/// Ends this process as the signal would have. Does not return.
[[noreturn]] void end_by(int signal);

}  // namespace upconv::compiler
