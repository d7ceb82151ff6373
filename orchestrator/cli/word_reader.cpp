#include "orchestrator/cli/word_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/nearest.h"

namespace drover::orchestrator::cli {
namespace {

using Takes = OptionSpec::Takes;

bool is_word(const OptionSpec& option) {
  return option.takes == Takes::word || option.takes == Takes::words;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// "--x", "-x"; not "-" and not "-1", which leads one revision down.
bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word.front() == '-' && !is_digit(word[1]);
}

class Reader {
 public:
  Reader(std::string_view verb, std::span<const OptionSpec> options)
      : verb_(verb), options_(options) {
    for (const OptionSpec& option : options_) {
      arguments_.declare(key_of(option));
    }
  }

  Arguments read(std::span<const std::string> words) {
    left_ = words;
    while (!left_.empty()) {
      const std::string word = next();
      if (word == "--" && !only_words_) {
        only_words_ = true;
      } else if (only_words_ || !looks_like_option(word)) {
        add_word(word);
      } else if (word.starts_with("--")) {
        read_long(word);
      } else {
        read_short(word);
      }
    }
    check_needed();
    return std::move(arguments_);
  }

 private:
  std::string next() {
    std::string word = left_.front();
    left_ = left_.subspan(1);
    return word;
  }

  std::string help_hint() const { return fmt::format("See drover {} --help.", verb_); }

  void read_long(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const OptionSpec& option = known(name);
    if (option.takes == Takes::nothing) {
      if (equals != std::string::npos) {
        throw invalid_arguments(fmt::format("{} takes no value", name),
                                fmt::format("Say {}, or leave it out.", name));
      }
      arguments_.say(key_of(option));
      return;
    }
    if (option.takes == Takes::maybe_value && equals == std::string::npos) {
      arguments_.say(key_of(option));
      return;
    }
    add(option, name, equals == std::string::npos ? next_value(name) : word.substr(equals + 1));
  }

  /// "-q", "-qv", "-o json", "-ojson".
  void read_short(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const std::string name{'-', word[i]};
      const OptionSpec& option = known(name);
      if (option.takes != Takes::nothing) {
        add(option, name, i + 1 < word.size() ? word.substr(i + 1) : next_value(name));
        return;
      }
      arguments_.say(key_of(option));
    }
  }

  const OptionSpec& known(const std::string& name) const {
    if (const OptionSpec* const option = option_typed(options_, name)) {
      return *option;
    }
    std::vector<std::string> names{"--help"};
    for (const OptionSpec& option : options_) {
      for (std::string& typed : typed_names(option)) {
        names.push_back(std::move(typed));
      }
    }
    const std::string meant = name.starts_with("--") ? nearest(name, names) : std::string();
    throw invalid_arguments(fmt::format("{} has no option {}", verb_, name),
                            meant.empty() ? help_hint() : fmt::format("Did you mean {}?", meant));
  }

  std::string next_value(const std::string& name) {
    if (left_.empty() || looks_like_option(left_.front())) {
      throw invalid_arguments(
          fmt::format("{} needs a value", name),
          left_.empty() || !name.starts_with("--")
              ? help_hint()
              : fmt::format("A value that begins with a dash is written {}=VALUE.", name));
    }
    return next();
  }

  void add(const OptionSpec& option, const std::string& name, const std::string& value) {
    if (value.empty()) {
      throw invalid_arguments(fmt::format("{} has an empty value", name),
                              "Give a value, or leave it out. Is a variable not set?");
    }
    const std::string key = key_of(option);
    if (option.takes == Takes::value && arguments_.has(key)) {
      throw invalid_arguments(fmt::format("{} is given twice", name), "Keep one of the two.");
    }
    arguments_.add(key, value);
  }

  void add_word(const std::string& word) {
    const auto open = std::find_if(options_.begin(), options_.end(), [&](const OptionSpec& option) {
      return option.takes == Takes::words ||
             (option.takes == Takes::word && !arguments_.has(key_of(option)));
    });
    if (open == options_.end()) {
      throw invalid_arguments(fmt::format("{} has no use for the word '{}'", verb_, word),
                              help_hint());
    }
    if (word.empty()) {
      throw invalid_arguments(fmt::format("{} is given an empty word", verb_),
                              "Take it out. Is a variable not set?");
    }
    arguments_.add(key_of(*open), word);
  }

  void check_needed() const {
    for (const OptionSpec& option : options_) {
      if (option.need == OptionSpec::Need::required && !arguments_.has(key_of(option))) {
        const std::vector<std::string> names = typed_names(option);
        const std::string_view shown = option.metavar.empty() ? option.names : option.metavar;
        throw invalid_arguments(
            fmt::format("{} needs {}", verb_, is_word(option) ? shown : names.back()), help_hint());
      }
    }
  }

  std::string_view verb_;
  std::span<const OptionSpec> options_;
  std::span<const std::string> left_;
  Arguments arguments_;
  bool only_words_ = false;
};

}  // namespace

Arguments read_words(std::string_view verb,
                     std::span<const OptionSpec> options,
                     std::span<const std::string> words) {
  return Reader(verb, options).read(words);
}

std::string key_of(const OptionSpec& option) {
  const std::size_t dashes = option.names.rfind("--");
  return std::string(dashes == std::string_view::npos ? option.names
                                                      : option.names.substr(dashes + 2));
}

std::vector<std::string> typed_names(const OptionSpec& option) {
  if (is_word(option)) {
    return {};
  }
  const std::size_t comma = option.names.find(',');
  if (comma == std::string_view::npos) {
    return {std::string(option.names)};
  }
  return {std::string(option.names.substr(0, comma)), std::string(option.names.substr(comma + 1))};
}

const OptionSpec* option_typed(std::span<const OptionSpec> options, std::string_view name) {
  for (const OptionSpec& option : options) {
    const std::vector<std::string> names = typed_names(option);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return &option;
    }
  }
  return nullptr;
}

std::optional<std::size_t> number_given(const Arguments& arguments,
                                        std::string_view name,
                                        std::size_t most) {
  const std::optional<std::string> text = arguments.optional(name);
  if (!text) {
    return std::nullopt;
  }
  std::size_t number = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc() || rest != end || number == 0 || number > most) {
    throw invalid_arguments(
        fmt::format("--{} takes a whole number from 1 to {}, not '{}'", name, most, *text),
        fmt::format("Write for example --{} 10.", name));
  }
  return number;
}

Error invalid_arguments(const std::string& message, std::string hint) {
  return {ErrorCode::usage, "invalid_arguments", message, std::move(hint)};
}

}  // namespace drover::orchestrator::cli
