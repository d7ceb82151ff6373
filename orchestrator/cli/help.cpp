#include "orchestrator/cli/help.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/cli/global_options.h"
#include "orchestrator/cli/help_topics.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator::cli {
namespace {

void add(std::string& text, std::string_view left, std::string_view right) {
  constexpr std::size_t kColumn = 30;
  text += fmt::format("  {:<{}}", left, kColumn);
  if (left.size() >= kColumn) {
    text += fmt::format("\n  {:<{}}", "", kColumn);
  }
  text += fmt::format("{}\n", right);
}

std::string usage_of(const VerbSpec& verb) {
  using Takes = OptionSpec::Takes;
  std::string usage = fmt::format("drover {} [options]", verb.name);
  for (const OptionSpec& option : verb.options) {
    if (option.takes != Takes::word && option.takes != Takes::words) {
      continue;
    }
    const std::string_view shown = option.metavar.empty() ? option.names : option.metavar;
    const std::string_view more = option.takes == Takes::words ? "..." : "";
    usage += option.need == OptionSpec::Need::required ? fmt::format(" {}{}", shown, more)
                                                       : fmt::format(" [{}{}]", shown, more);
  }
  return usage;
}

std::string left_of(const OptionSpec& option) {
  const std::string names(option.names);
  const std::size_t comma = names.find(',');
  const std::string shown = comma == std::string::npos
                                ? (names.starts_with("-") ? "    " + names : names)
                                : names.substr(0, comma) + ", " + names.substr(comma + 1);
  const bool word =
      option.takes == OptionSpec::Takes::word || option.takes == OptionSpec::Takes::words;
  if (word) {
    return std::string(option.metavar.empty() ? option.names : option.metavar);
  }
  if (option.takes == OptionSpec::Takes::maybe_value) {
    return fmt::format("{}[={}]", shown, option.metavar);
  }
  return option.metavar.empty() ? shown : fmt::format("{} {}", shown, option.metavar);
}

void add_options(std::string& text, std::span<const OptionSpec> options) {
  for (const OptionSpec& option : options) {
    add(text, left_of(option), option.help);
  }
}

}  // namespace

std::string help_for_all(std::span<const VerbSpec> verbs) {
  std::string text =
      "Drover migrates fleets of tenant databases.\n\nUsage: drover [global options] VERB "
      "[options]\n\nVerbs\n";
  for (const VerbSpec& verb : verbs) {
    add(text, verb.name, verb.summary);
  }
  text += "\nGlobal options\n";
  add_options(text, global_options());
  text += "\nMore: drover VERB --help, and drover help with one of\n ";
  for (const HelpTopic& topic : help_topics()) {
    text += fmt::format("{} {}", &topic == &help_topics().front() ? "" : ",", topic.name);
  }
  return text + "\n";
}

std::string help_for(const VerbSpec& verb) {
  std::string text = fmt::format("{}\n\nUsage: {}\n", verb.summary, usage_of(verb));
  if (!verb.details.empty()) {
    text += fmt::format("\n{}", verb.details);
    text += text.ends_with('\n') ? "" : "\n";
  }
  if (!verb.options.empty()) {
    text += "\nOptions\n";
    add_options(text, verb.options);
  }
  if (verb.selectors == VerbSpec::Selectors::yes) {
    text += "\nWhich tenants\n";
    add_options(text, selector_options());
  }
  text += "\nGlobal options\n";
  add_options(text, global_options());
  return text;
}

std::string help_topic(const std::vector<std::string>& words, std::span<const VerbSpec> verbs) {
  if (words.empty()) {
    return help_for_all(verbs);
  }
  const std::string name = fmt::format("{}", fmt::join(words, " "));
  for (const HelpTopic& topic : help_topics()) {
    if (topic.name == name) {
      return std::string(topic.text);
    }
  }
  std::vector<std::string> known;
  for (const VerbSpec& verb : verbs) {
    if (verb.name == name) {
      return help_for(verb);
    }
    known.emplace_back(verb.name);
  }
  for (const HelpTopic& topic : help_topics()) {
    known.emplace_back(topic.name);
  }
  throw Error(ErrorCode::usage,
              "unknown_verb",
              fmt::format("there is no help on '{}'", name),
              nearest_hint(name, known));
}

}  // namespace drover::orchestrator::cli
