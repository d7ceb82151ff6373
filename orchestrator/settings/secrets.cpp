#include "orchestrator/settings/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "engine/base/child_process.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostSecretBytes = std::size_t{64} * 1024;
constexpr std::chrono::seconds kCommandDeadline{10};
constexpr ::mode_t kForOthers = S_IRWXG | S_IRWXO;

[[noreturn]] void refuse(const Given& given, const std::string& why, std::string hint) {
  throw Error(ErrorCode::usage,
              "invalid_secret",
              fmt::format("{} {}", given.name, why),
              std::move(hint),
              given.place);
}

/// Editors and `echo` end a file with a line break that nobody means.
std::string without_last_newline(std::string text) {
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
    if (!text.empty() && text.back() == '\r') {
      text.pop_back();
    }
  }
  return text;
}

/// An open file, closed with its owner.
struct OpenFile {
  explicit OpenFile(const std::filesystem::path& path)
      : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor >= 0) {
      ::close(descriptor);
    }
  }

  int descriptor;
};

/// All of the file, or one byte over the limit. Empty with errno set when reading fails.
std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  errno = 0;
  while (text.size() <= kMostSecretBytes) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count <= 0) {
      return count == 0 ? text : std::string();
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

}  // namespace

void Secrets::set_commands(std::map<std::string, std::vector<std::string>> commands) {
  commands_ = std::move(commands);
}

bool Secrets::refers(std::string_view text) noexcept {
  for (std::size_t at = text.find("${"); at != std::string_view::npos;
       at = text.find("${", at + 2)) {
    if (at == 0 || text[at - 1] != '$') {
      return true;
    }
  }
  return false;
}

template <typename Replace>
std::string Secrets::replace_references(const Given& given, Replace replace) const {
  const std::string_view text = given.text;
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 3) == "$${") {
      result += "${";
      at += 3;
      continue;
    }
    if (text.substr(at, 2) != "${") {
      result += text[at++];
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) {
      refuse(given,
             "has a ${ that is never closed",
             "Close it with }, or write $${ for a literal ${.");
    }
    result += replace(reference_in(text.substr(at + 2, end - at - 2), given));
    at = end + 1;
  }
  return result;
}

Secrets::Reference Secrets::reference_in(std::string_view inside, const Given& given) const {
  const std::size_t colon = inside.find(':');
  Reference reference{std::string(inside.substr(0, colon)),
                      std::string(colon == std::string_view::npos ? "" : inside.substr(colon + 1))};
  const bool is_known =
      reference.kind == "env" || reference.kind == "file" || reference.kind == "cmd";
  if (!is_known || reference.name.empty()) {
    refuse(given,
           fmt::format("has the reference '${{{}}}', which means nothing", inside),
           "Write ${env:NAME}, ${file:PATH} or ${cmd:NAME}, or $${ for a literal ${.");
  }
  if (reference.kind == "cmd" && commands_.find(reference.name) == commands_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, argv] : commands_) {
      names.push_back(name);
    }
    const std::string near = nearest(reference.name, names);
    refuse(given,
           fmt::format("needs the command '{}', which is not under commands", reference.name),
           near.empty()
               ? fmt::format("Add `commands: {{{}: [program, argument]}}`.", reference.name)
               : fmt::format("Did you mean '{}'?", near));
  }
  return reference;
}

void Secrets::check(const Given& given) const {
  replace_references(given, [](const Reference& /*reference*/) { return std::string(); });
}

std::string Secrets::expand(const Given& given) {
  return replace_references(
      given, [this, &given](const Reference& reference) { return read(reference, given); });
}

std::string Secrets::read(const Reference& reference, const Given& given) {
  if (reference.kind == "file") {
    return read_file(reference, given);
  }
  if (reference.kind == "cmd") {
    return run_command(reference, given);
  }
  const auto found = variables_.find(reference.name);
  if (found == variables_.end()) {
    refuse(given,
           fmt::format("needs the environment variable '{}', which is not set", reference.name),
           fmt::format("Set {} and try again.", reference.name));
  }
  return found->second;
}

std::string Secrets::read_file(const Reference& reference, const Given& given) const {
  const std::filesystem::path path = directory_ / reference.name;
  const OpenFile file(path);
  struct ::stat status {};
  if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0) {
    refuse(given,
           fmt::format("needs the file {}, which cannot be read: {}",
                       path.string(),
                       std::generic_category().message(errno)),
           "Create the file, or correct the path.");
  }
  if (!S_ISREG(status.st_mode)) {
    refuse(
        given, fmt::format("needs {}, which is not a file", path.string()), "Name a plain file.");
  }
  if ((status.st_mode & kForOthers) != 0) {
    refuse(given,
           fmt::format("needs the file {}, which others may read (mode {:04o})",
                       path.string(),
                       status.st_mode & 07777U),
           fmt::format("Run: chmod 600 {}", path.string()));
  }
  std::string text = read_all(file.descriptor);
  if (text.empty() && errno != 0) {
    refuse(given,
           fmt::format("needs the file {}, which cannot be read: {}",
                       path.string(),
                       std::generic_category().message(errno)),
           "Check the file and its disk.");
  }
  if (text.size() > kMostSecretBytes) {
    refuse(given,
           fmt::format("needs the file {}, which is longer than 64 KiB", path.string()),
           "A secret is short: check the path.");
  }
  return without_last_newline(std::move(text));
}

std::string Secrets::run_command(const Reference& reference, const Given& given) {
  const auto known = command_outputs_.find(reference.name);
  if (known != command_outputs_.end()) {
    return known->second;
  }
  engine::base::ChildRequest request;
  request.argv = commands_.at(reference.name);
  request.directory = directory_;
  request.deadline = kCommandDeadline;
  request.output_limit = kMostSecretBytes;
  request.too_much_output = engine::base::ChildRequest::TooMuchOutput::end;
  try {
    const engine::base::ChildResult result = engine::base::run_child(request);
    if (!result.succeeded()) {
      refuse(given,
             fmt::format("needs the command '{}', which {}",
                         reference.name,
                         engine::base::describe(result, request)),
             "Run the command by hand to see what it says; nothing of its output is shown here.");
    }
    std::string text = without_last_newline(result.output);
    command_outputs_.emplace(reference.name, text);
    return text;
  } catch (const Error& error) {
    if (!error.place().file.empty()) {
      throw;
    }
    throw Error(error.code(), error.kind_name(), error.what(), error.hint(), given.place);
  }
}

}  // namespace drover::orchestrator::settings
