/// What a verb of the command line is: a row in a table, with its options as data and a function
/// that does it.
///
/// No verb parses anything and none exits: command_line.h turns words into Arguments, main.cpp
/// turns what run() returns or throws into an exit status. The table is verbs.h; there is one file
/// per verb (or per small family).
///
/// Thread safety: one invocation, one thread.

#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drover::orchestrator::cli {

struct OptionSpec {
  enum class Takes { nothing, value, maybe_value, values, word, words };

  std::string_view names;         ///< "-m,--message"; of a word (positional): its name, "revision".
  Takes takes = Takes::nothing;   ///< word and words stand without a dash, in this order; the
                                  ///< value of maybe_value can only follow behind "=".
  std::string_view metavar = {};  ///< "TEXT"; what the help shows for the value.
  std::string_view help = {};
  enum class Need { optional, required } need = Need::optional;
};

/// What was said on the command line. Asking for an option that the verb does not have is a bug and
/// throws std::logic_error.
class Arguments {
 public:
  /// `name` is the long name without dashes, or the word's name.
  bool has(std::string_view name) const;
  std::string value(std::string_view name) const;  ///< Empty when it was not given.
  std::optional<std::string> optional(std::string_view name) const;
  std::vector<std::string> values(std::string_view name) const;

  /// For command_line.cpp and tests.
  void declare(const std::string& name);
  void add(const std::string& name, const std::string& value);
  void say(const std::string& name);  ///< An option without a value.

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> given_;
  std::map<std::string, bool, std::less<>> said_;
};

class Console;   // console.h
struct Globals;  // globals.h

struct Invocation {
  const Globals& globals;
  const Arguments& arguments;
  Console& console;
};

struct VerbSpec {
  std::string_view name;  ///< "upgrade", or two words: "config show".
  std::string_view summary;
  std::string_view details = {};  ///< Examples and what to know; shown by --help.
  std::vector<OptionSpec> options = {};
  enum class Selectors { no, yes } selectors = Selectors::no;  ///< --tenant, -l, --server ...
  int (*run)(Invocation& invocation) = nullptr;  ///< Returns the exit status; may throw Error.
  enum class Rehearses { no, yes } rehearses = Rehearses::no;  ///< --dry-run=rollback
};

}  // namespace drover::orchestrator::cli
