// Names of members: what is safe to show, to compare and to hand to other programs.
#include <algorithm>

#include "utf8.h"
#include "zip_directory.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

bool is_separator(char c) { return c == '/' || c == '\\'; }

/// Has a component "..", with the separators of any system.
bool climbs(std::string_view name) {
  for (auto part = name.begin();;) {
    const auto end = std::find_if(part, name.end(), is_separator);
    if (std::string_view(part, end) == "..") return true;
    if (end == name.end()) return false;
    part = end + 1;
  }
}

bool is_absolute(std::string_view name) {
  // "C:\x", but not "w:0", which is a name that TensorFlow gives.
  const bool drive = name.size() > 2 && name[1] == ':' && is_separator(name[2]);
  return is_separator(name[0]) || drive;
}

}  // namespace

std::string_view bad_member_name(std::string_view name) {
  constexpr std::size_t kMost = 0xffff;  // zip has 16 bits for its length
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (name.empty()) return "is empty";
  if (name.size() > kMost) return "is over 65535 bytes";
  if (std::any_of(name.begin(), name.end(), is_control)) return "has a control character";
  if (!is_utf8(name)) return "is not UTF-8";
  if (is_absolute(name)) return "is absolute";
  if (climbs(name)) return "goes up by \"..\"";
  return {};
}

}  // namespace upconv::UPCONV_ABI::internal
