// The only file that calls toml++. No exception leaves it, and no error text, since that would quote the document.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 32
// Some hostile documents break its own assumptions (3.3.0: a zero in the header of a table). They end the reading, not the process.
#undef NDEBUG
#define TOML_ASSERT(expression) ((expression) ? static_cast<void>(0) : throw 1)
#include "CTOML.h"

#include <string>
#include <string_view>

#include <toml++/toml.h>

namespace {

struct Walk {
  vault_toml_visit visit;
  void *context;
  std::string path;

  void value(std::string_view text) { visit(context, path.data(), path.size(), text.data(), text.size()); }

  void step(std::string_view key, const toml::node &node) {
    // A zero ends a key; a key with one of its own cannot be told from two.
    if (key.find('\0') != std::string_view::npos) return;
    const size_t length = path.size();
    path.append(key).push_back('\0');
    walk(node);
    path.resize(length);
  }

  void walk(const toml::node &node) {
    if (const toml::table *table = node.as_table()) {
      for (auto &&[key, child] : *table) step(key.str(), child);
    } else if (const toml::array *array = node.as_array()) {
      for (size_t index = 0; index < array->size(); index++) step(std::to_string(index), *array->get(index));
    } else if (const auto *text = node.as_string()) {
      value(text->get());
    } else if (const auto *flag = node.as_boolean()) {
      value(flag->get() ? "true" : "false");
    } else if (const auto *number = node.as_integer()) {
      value(std::to_string(number->get()));
    }
  }
};

/// The line of the first character that TOML has nowhere: a control character other than a tab or the end of a line. 0 for none.
unsigned forbidden(std::string_view text) {
  unsigned line = 1;
  for (const unsigned char byte : text) {
    if (byte == '\n') line++;
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) return line;
  }
  return 0;
}

}  // namespace

extern "C" unsigned vault_toml_read(const char *text, size_t length, vault_toml_visit visit, void *context) {
  if (const unsigned line = forbidden(std::string_view(text, length))) return line;
  try {
    const toml::parse_result result = toml::parse(std::string_view(text, length));
    if (!result) return result.error().source().begin.line ? result.error().source().begin.line : 1;
    Walk{visit, context, {}}.walk(result.table());
    return 0;
  } catch (...) {
    return 1;
  }
}
