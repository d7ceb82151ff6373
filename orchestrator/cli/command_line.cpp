#include "orchestrator/cli/command_line.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/cli/global_options.h"
#include "orchestrator/cli/help.h"
#include "orchestrator/cli/word_reader.h"
#include "orchestrator/nearest.h"
#include "orchestrator/utf8.h"

namespace drover::orchestrator::cli {
namespace {

using Words = std::vector<std::string>;

constexpr std::size_t kLongestWord = 65'536;

/// What is wrong with `word` whatever it stands for; empty when nothing is.
std::string defect_of(const std::string& word) {
  if (word.size() > kLongestWord) {
    return fmt::format("is {} bytes long, and the most is {}", word.size(), kLongestWord);
  }
  const bool control = std::any_of(word.begin(), word.end(), [](unsigned char c) {
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  });
  if (control) {
    return "holds a control character";
  }
  return is_utf8(word) ? "" : "is not UTF-8";
}

void check_words(const Words& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (const std::string defect = defect_of(words[i]); !defect.empty()) {
      throw invalid_arguments(fmt::format("argument {} {}", i + 1, defect), "Take it out.");
    }
  }
}

/// Refuses what stands before the verb and is no global option or selector.
const OptionSpec& option_before_verb(const std::string& name) {
  for (const auto options : {global_options(), selector_options()}) {
    if (const OptionSpec* const option = option_typed(options, name)) {
      return *option;
    }
  }
  throw invalid_arguments(fmt::format("there is no global option {}", name),
                          "Options of a verb stand behind it: drover VERB [options].");
}

/// How many words the option at the start of `word` takes, itself included.
std::size_t words_taken(const std::string& word) {
  if (word == "--help" || word == "-h" || word == "--version") {
    return 1;
  }
  const bool is_long = word.starts_with("--");
  const std::size_t equals = is_long ? word.find('=') : std::string::npos;
  const OptionSpec& option =
      option_before_verb(is_long ? word.substr(0, equals) : word.substr(0, 2));
  const bool has_value = equals != std::string::npos || (!is_long && word.size() > 2);
  return option.takes == OptionSpec::Takes::nothing || has_value ? 1 : 2;
}

/// Where the verb stands among `words`; words.size() when there is none.
std::size_t verb_position(const Words& words) {
  std::size_t at = 0;
  while (at < words.size() && words[at].size() > 1 && words[at].front() == '-') {
    at += words_taken(words[at]);
  }
  return std::min(at, words.size());
}

const VerbSpec* find_verb(std::span<const VerbSpec> verbs, std::string_view name) {
  const auto found = std::find_if(
      verbs.begin(), verbs.end(), [&](const VerbSpec& verb) { return verb.name == name; });
  return found == verbs.end() ? nullptr : &*found;
}

Error unknown_verb(std::span<const VerbSpec> verbs, const std::string& name) {
  std::vector<std::string> known{"help"};
  std::string hint;
  for (const VerbSpec& verb : verbs) {
    known.emplace_back(verb.name);
    if (verb.name.starts_with(name + " ")) {
      hint += fmt::format("{}drover {}", hint.empty() ? "Say " : " or ", verb.name);
    }
  }
  if (!hint.empty()) {
    hint += ".";
  } else {
    const std::string meant = nearest(name, known);
    hint = meant.empty() ? "See drover --help for the verbs."
                         : fmt::format("Did you mean '{}'?", meant);
  }
  return {ErrorCode::usage, "unknown_verb", fmt::format("there is no verb '{}'", name), hint};
}

/// The verb that stands at `at`, of two words if there is such a one; its words are taken out.
const VerbSpec& take_verb(Words& words, std::size_t at, std::span<const VerbSpec> verbs) {
  const std::string name = words[at];
  const auto begin = words.begin() + static_cast<std::ptrdiff_t>(at);
  if (at + 1 < words.size()) {
    if (const VerbSpec* const verb = find_verb(verbs, name + " " + words[at + 1])) {
      words.erase(begin, begin + 2);
      return *verb;
    }
  }
  if (const VerbSpec* const verb = find_verb(verbs, name)) {
    words.erase(begin);
    return *verb;
  }
  throw unknown_verb(verbs, name);
}

bool asks_for(const Words& words, std::string_view name, std::string_view other) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::any_of(
      words.begin(), end, [&](const std::string& word) { return word == name || word == other; });
}

std::vector<OptionSpec> options_of(const VerbSpec& verb) {
  std::vector<OptionSpec> options = verb.options;
  std::copy(global_options().begin(), global_options().end(), std::back_inserter(options));
  if (verb.selectors == VerbSpec::Selectors::yes) {
    std::copy(selector_options().begin(), selector_options().end(), std::back_inserter(options));
  }
  return options;
}

}  // namespace

std::variant<CommandLine, HelpText> parse_command_line(
    const Words& words,
    std::span<const VerbSpec> verbs,
    const std::map<std::string, std::string>& variables,
    const std::string& working_directory) {
  check_words(words);
  Words rest = words;
  std::size_t at = verb_position(rest);
  if (at == rest.size()) {
    if (rest.empty() || asks_for(rest, "--help", "-h")) {
      return HelpText{help_for_all(verbs)};
    }
    if (!asks_for(rest, "--version", "--version")) {
      throw invalid_arguments("there is no verb", "See drover --help for the verbs.");
    }
    std::erase(rest, "--version");
    rest.insert(rest.begin(), "version");
    at = 0;
  }
  if (rest[at] == "help") {
    rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    return HelpText{help_topic(rest, verbs)};
  }
  const VerbSpec& verb = take_verb(rest, at, verbs);
  if (asks_for(rest, "--help", "-h")) {
    return HelpText{help_for(verb)};
  }
  CommandLine line;
  line.verb = &verb;
  line.arguments = read_words(verb.name, options_of(verb), rest);
  line.globals = globals_of(line.arguments, verb.selectors);
  if (line.globals.rehearse && verb.rehearses == VerbSpec::Rehearses::no) {
    throw invalid_arguments(
        fmt::format("{} has nothing that --dry-run=rollback could try", verb.name),
        "Say --dry-run, or use it with upgrade, downgrade or plan.");
  }
  line.globals.variables = variables;
  line.globals.working_directory = working_directory;
  return line;
}

}  // namespace drover::orchestrator::cli
