/// Where a verb talks: data to standard output, everything else to standard error, questions to the
/// terminal.
///
/// Text from databases is cleaned of control characters before a person sees it. Colour only on a
/// terminal and never with NO_COLOR.
///
/// Thread safety: calls may come from any thread; lines never mix.

#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "orchestrator/cli/globals.h"

namespace drover::orchestrator::cli {

enum class Tone { plain, good, warning, bad, faint, strong };

class Console {
 public:
  explicit Console(const Globals& globals);

  /// Data: exactly `text`. Throws Error storage (output_failed) when standard output is closed.
  void data(std::string_view text);

  /// Talk: one line; silent with -q.
  void say(std::string_view line);

  /// Talk that -q does not silence: warnings and errors.
  void warn(std::string_view line);

  /// Only with -v.
  void detail(std::string_view line);

  /// `text` in colour, when standard error is a terminal that may have it.
  std::string toned(Tone tone, std::string_view text) const;

  /// The same for what goes to standard output.
  std::string toned_data(Tone tone, std::string_view text) const;

  /// Rewrites the block of lines at the bottom of the terminal (live progress). Nothing off a
  /// terminal. An empty text removes it.
  void show_live(std::string_view block);
  bool live() const noexcept { return live_; }
  int width() const noexcept { return width_; }

  /// Asks a yes-or-no question. True at once with --yes.
  ///
  /// Throws Error usage (question_needed) without a terminal or with --no-input; its hint names
  /// `flag`.
  bool confirm(std::string_view question, std::string_view flag = "--yes");

  /// Asks for `name` to be typed. True at once when `given` (the value of --confirm) is `name`.
  ///
  /// Throws Error usage: question_needed; confirmation_wrong when `given` is something else.
  bool confirm_name(std::string_view question,
                    std::string_view name,
                    std::string_view given,
                    std::string_view flag);

 private:
  std::string ask(std::string_view question, std::string_view flag);
  void erase_live();
  void write_error(std::string_view text);

  const Globals& globals_;
  bool colour_error_ = false;
  bool colour_data_ = false;
  bool live_ = false;
  int width_ = 80;
  int live_lines_ = 0;
  std::mutex writing_mutex_;  ///< Guards both streams and live_lines_.
};

/// Refuses a --confirm (`given`; empty: none) that names something else than `name`. To be asked
/// before anything is connected to.
///
/// Throws Error usage: confirmation_wrong.
void check_confirmation(std::string_view name, std::string_view given);

/// `text` without control characters and with broken UTF-8 replaced, for people to read.
std::string printable(std::string_view text);

}  // namespace drover::orchestrator::cli
