#include "safetensors_json.h"

#include <charconv>

#include "files.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr std::size_t kShown = 40;

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void JsonReader::corrupt(const std::string& text) const {
  fail(ErrorKind::kCorruptFile, what_, "header " + text);
}

std::string JsonReader::here() const {
  const std::string at = " at byte " + std::to_string(at_);
  if (at_ >= text_.size()) return "nothing" + at;
  return "\"" + printable(text_.substr(at_), kShown) + "\"" + at;
}

void JsonReader::skip_spaces() {
  while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at_;
}

bool JsonReader::take(char wanted) {
  skip_spaces();
  const bool taken = at_ < text_.size() && text_[at_] == wanted;
  at_ += taken ? 1 : 0;
  return taken;
}

void JsonReader::expect(char wanted, std::string_view thing) {
  if (!take(wanted)) corrupt("has " + here() + "; it must have " + std::string(thing));
}

void JsonReader::expect_end() {
  skip_spaces();
  if (at_ != text_.size()) corrupt("has " + here() + " after its object; only spaces may follow");
}

std::string JsonReader::string(std::string_view thing) {
  expect('"', thing);
  std::string value;
  while (true) {
    if (at_ >= text_.size()) corrupt("ends inside " + std::string(thing));
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) < 0x20) {
      corrupt("has the control character " + here() + " in " + std::string(thing) +
              "; it must be escaped");
    }
    ++at_;
    if (c == '"') return value;
    if (c == '\\') {
      escape(value, thing);
    } else {
      value += c;
    }
  }
}

char32_t JsonReader::code_unit(std::string_view thing) {
  const std::string_view digits = text_.substr(at_, 4);
  unsigned code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() < 4 || error != std::errc() || end != digits.data() + 4) {
    corrupt("has " + here() + " after \\u in " + std::string(thing) + "; it must be 4 hex digits");
  }
  at_ += 4;
  return code;
}

void JsonReader::escape(std::string& out, std::string_view thing) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const char letter = next();
  if (const std::size_t found = kLetters.find(letter);
      at_ < text_.size() && found != std::string_view::npos) {
    ++at_;
    out += kMeanings[found];
    return;
  }
  if (letter != 'u') {
    corrupt("has " + here() + " after a backslash in " + std::string(thing) +
            "; it must be one of JSON's escapes");
  }
  ++at_;
  char32_t code = code_unit(thing);
  const bool leads = code >= 0xd800 && code < 0xdc00;
  if (leads && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const char32_t low = code_unit(thing);
    if (low >= 0xdc00 && low < 0xe000) code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  if (code >= 0xd800 && code < 0xe000) {
    corrupt("has half a surrogate pair in " + std::string(thing) + "; it must be whole");
  }
  append_utf8(out, code);
}

Index JsonReader::integer(std::string_view thing) {
  skip_spaces();
  const std::size_t start = at_;
  while (is_digit(next())) ++at_;
  const std::string_view digits = text_.substr(start, at_ - start);
  const bool goes_on = next() == '.' || next() == 'e' || next() == 'E';
  if (digits.empty() || goes_on || (digits.size() > 1 && digits[0] == '0')) {
    at_ = start;
    corrupt("has " + here() + " in " + std::string(thing) +
            "; it must be an integer of at least 0");
  }
  Index value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
    fail(ErrorKind::kLimitExceeded, what_,
         "header has " + printable(digits, kShown) + " in " + std::string(thing) +
             "; integers must fit 63 bits");
  }
  return value;
}

std::vector<Index> JsonReader::integers(std::string_view thing) {
  constexpr std::size_t kMost = 64;  // no tensor has more axes
  std::vector<Index> values;
  expect('[', std::string(thing) + ", a list of integers");
  if (take(']')) return values;
  do {
    if (values.size() == kMost) {
      fail(ErrorKind::kLimitExceeded, what_,
           "header has over 64 integers in " + std::string(thing) + "; that is the limit");
    }
    values.push_back(integer(thing));
  } while (take(','));
  expect(']', "',' or ']' after an integer of " + std::string(thing));
  return values;
}

}  // namespace upconv::UPCONV_ABI::internal
