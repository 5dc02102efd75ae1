#include "guarded.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iostream>
#include <string>

#include "upconv/error.h"

namespace upconv::compiler {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

/// What asks a process to end, and what tells of a child that did.
sigset_t held_set() { return set_of({SIGHUP, SIGINT, SIGTERM, SIGCHLD}); }

void wait_for(pid_t child, int& status) {
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

HeldSignals::HeldSignals() {
  // A child's end must be seen as a signal, too: that it is ignored may be inherited.
  ::signal(SIGCHLD, SIG_DFL);
  const sigset_t held = held_set();
  ::sigprocmask(SIG_BLOCK, &held, nullptr);
}

HeldSignals::~HeldSignals() {
  const sigset_t held = held_set();
  ::sigprocmask(SIG_UNBLOCK, &held, nullptr);
}

int run_guarded(const std::function<int()>& body) {
  std::cout.flush();
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) {
    throw Error(ErrorKind::kIo, std::string("no process can be made: ") + std::strerror(errno));
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) std::_Exit(EXIT_FAILURE);  // it ended before that was set
    const sigset_t held = held_set();
    ::sigprocmask(SIG_UNBLOCK, &held, nullptr);
    const int status = body();
    std::cout.flush();
    std::_Exit(status);
  }
  int status = 0;
  const sigset_t awaited = held_set();
  while (true) {
    int signal = 0;
    ::sigwait(&awaited, &signal);
    if (signal != SIGCHLD) {
      ::kill(child, SIGKILL);
      wait_for(child, status);
      throw Interrupted{signal};
    }
    if (::waitpid(child, &status, WNOHANG) == child) break;
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  // A terminal sends an interrupt to both, and the child's end may be seen first.
  if (sigismember(&awaited, signal) != 0) throw Interrupted{signal};
  throw Error(ErrorKind::kIo,
              std::string("the compilation was ended by a signal (") + strsignal(signal) + ")");
}

void end_by(int signal) {
  ::signal(signal, SIG_DFL);
  const sigset_t set = set_of({signal});
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  std::_Exit(EXIT_FAILURE);  // not reached: the signal's default is to end a process
}

}  // namespace upconv::compiler
