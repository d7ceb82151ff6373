#include "orchestrator/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

std::string_view escape_of(Tone tone) {
  switch (tone) {
    case Tone::good:
      return "\x1b[32m";
    case Tone::warning:
      return "\x1b[33m";
    case Tone::bad:
      return "\x1b[31m";
    case Tone::faint:
      return "\x1b[2m";
    case Tone::strong:
      return "\x1b[1m";
    case Tone::plain:
      break;
  }
  return "";
}

bool may_colour(const Globals& globals, int descriptor) {
  const auto variable = [&](const char* name) {
    const auto found = globals.variables.find(name);
    return found == globals.variables.end() ? std::string() : found->second;
  };
  return isatty(descriptor) == 1 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

int width_of(int descriptor) {
  winsize size{};
  const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string coloured(bool on, Tone tone, std::string_view text) {
  const std::string_view escape = escape_of(tone);
  return on && !escape.empty() ? fmt::format("{}{}{}", escape, text, kReset) : std::string(text);
}

}  // namespace

Console::Console(const Globals& globals)
    : globals_(globals),
      colour_error_(may_colour(globals, STDERR_FILENO)),
      colour_data_(may_colour(globals, STDOUT_FILENO)),
      live_(isatty(STDERR_FILENO) == 1 && !globals.quiet),
      width_(width_of(STDERR_FILENO)) {
  const auto term = globals.variables.find("TERM");
  live_ = live_ && (term == globals.variables.end() || term->second != "dumb");
}

void Console::data(std::string_view text) {
  const std::lock_guard lock(writing_mutex_);
  erase_live();
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    throw Error(ErrorCode::storage,
                "output_failed",
                "standard output could not be written to",
                "Look at what reads it, or at the disk.");
  }
}

void Console::say(std::string_view line) {
  if (!globals_.quiet) {
    warn(line);
  }
}

void Console::warn(std::string_view line) {
  const std::lock_guard lock(writing_mutex_);
  erase_live();
  write_error(fmt::format("{}\n", line));
}

void Console::detail(std::string_view line) {
  if (globals_.verbose) {
    warn(line);
  }
}

std::string Console::toned(Tone tone, std::string_view text) const {
  return coloured(colour_error_, tone, text);
}

std::string Console::toned_data(Tone tone, std::string_view text) const {
  return coloured(colour_data_, tone, text);
}

void Console::show_live(std::string_view block) {
  if (!live_) {
    return;
  }
  const std::lock_guard lock(writing_mutex_);
  erase_live();
  write_error(block);
  live_lines_ = static_cast<int>(std::count(block.begin(), block.end(), '\n'));
}

void Console::erase_live() {
  if (live_lines_ > 0) {
    write_error(fmt::format("\x1b[{}A\x1b[J", live_lines_));
    live_lines_ = 0;
  }
}

void Console::write_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string Console::ask(std::string_view question, std::string_view flag) {
  if (globals_.no_input || isatty(STDIN_FILENO) != 1) {
    throw Error(ErrorCode::usage,
                "question_needed",
                fmt::format("this needs an answer, and there is nobody to ask: {}", question),
                fmt::format("Give {} to answer it beforehand.", flag));
  }
  {
    const std::lock_guard lock(writing_mutex_);
    erase_live();
    write_error(fmt::format("{} ", question));
  }
  std::string answer;
  std::getline(std::cin, answer);
  return answer;
}

bool Console::confirm(std::string_view question, std::string_view flag) {
  if (globals_.yes) {
    return true;
  }
  const std::string answer = ask(fmt::format("{} [y/N]", question), flag);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void check_confirmation(std::string_view name, std::string_view given) {
  if (!given.empty() && given != name) {
    throw Error(ErrorCode::usage,
                "confirmation_wrong",
                fmt::format("the confirmation says '{}', and this is '{}'", given, name),
                fmt::format("Give --confirm={} only when that is what you mean.", name));
  }
}

bool Console::confirm_name(std::string_view question,
                           std::string_view name,
                           std::string_view given,
                           std::string_view flag) {
  check_confirmation(name, given);
  return given == name || ask(fmt::format("{} Type {} to go on:", question, name), flag) == name;
}

std::string printable(std::string_view text) {
  return report::printable(text, report::LineBreaks::keep);
}

}  // namespace drover::orchestrator::cli
