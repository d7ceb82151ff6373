#include "orchestrator/settings/yaml_document.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "orchestrator/utf8.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void refuse(Place place, const std::string& message, std::string hint) {
  throw Error(ErrorCode::usage, "invalid_yaml", message, std::move(hint), std::move(place));
}

/// The text in the form that yaml-cpp gets, and the way from its marks to places.
class Source {
 public:
  Source(std::string_view raw, std::string file) : file_(std::move(file)) {
    check_encoding(raw);
    if (raw.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      raw.remove_prefix(kByteOrderMark.size());
    }
    text_.reserve(raw.size());
    for (std::size_t at = 0; at < raw.size(); ++at) {
      if (raw[at] != '\r' || at + 1 == raw.size() || raw[at + 1] != '\n') {
        text_ += raw[at];
      }
    }
    line_starts_.push_back(0);
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (text_[at] == '\n') {
        line_starts_.push_back(at + 1);
      }
    }
    check_characters();
  }

  const std::string& text() const noexcept { return text_; }

  Place place_of(const YAML::Mark& mark) const { return place_at(offset_of(mark)); }

  /// What stands at `mark` and behind it.
  std::string_view text_from(const YAML::Mark& mark) const {
    return std::string_view(text_).substr(offset_of(mark));
  }

 private:
  /// yaml-cpp counts lines from 0 and columns in bytes from 0.
  std::size_t offset_of(const YAML::Mark& mark) const {
    const auto line =
        std::min(static_cast<std::size_t>(std::max(mark.line, 0)), line_starts_.size() - 1);
    const std::size_t at = line_starts_[line] + static_cast<std::size_t>(std::max(mark.column, 0));
    return std::min(at, text_.size());
  }

  /// Marks come in the order of the text, so counting goes on from the last one: a long line would
  /// otherwise be counted anew for each of its values.
  Place place_at(std::size_t at) const {
    const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), at);
    const std::size_t start = *std::prev(next);
    if (last_at_ < start || last_at_ > at) {
      last_at_ = start;
      last_column_ = 1;
    }
    last_column_ += characters_in(std::string_view(text_).substr(last_at_, at - last_at_));
    last_at_ = at;
    return {file_, static_cast<std::size_t>(next - line_starts_.begin()), last_column_};
  }

  void check_encoding(std::string_view raw) const {
    if (raw.size() > kMostYamlBytes) {
      refuse(Place{file_, 0, 0},
             fmt::format("the file is {} bytes long, more than {}", raw.size(), kMostYamlBytes),
             "List that many tenants with a `file` or `query` source.");
    }
    const std::string_view start = raw.substr(0, 2);
    if (start == "\xFF\xFE" || start == "\xFE\xFF") {
      refuse(Place{file_, 1, 1}, "the file is UTF-16, not UTF-8", "Save it as UTF-8.");
    }
    const std::size_t valid = valid_utf8_prefix(raw);
    if (valid < raw.size()) {
      const std::string_view before = raw.substr(0, valid);
      const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
      refuse(Place{file_, line + 1, 0}, "the file is not UTF-8", "Save it as UTF-8.");
    }
  }

  void check_characters() const {
    bool in_indentation = true;
    for (std::size_t at = 0; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '\t' && in_indentation) {
        refuse(place_at(at), "a tab stands in the indentation", "Indent with spaces.");
      }
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F) {
        refuse(place_at(at),
               fmt::format("a control character (0x{:02X}) stands in the file", byte),
               "Remove it, or write it as an escape in double quotes.");
      }
      in_indentation = c == '\n' || (in_indentation && c == ' ');
    }
  }

  std::string file_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
  mutable std::size_t last_at_ = 0;
  mutable std::size_t last_column_ = 1;
};

/// True when a quoted text at the start of `rest` has its closing quote; yaml-cpp 0.7 takes the end
/// of the file for one. Anything that is not in quotes is closed.
bool is_closed(std::string_view rest) {
  const char quote = rest.empty() ? '\0' : rest.front();
  if (quote != '"' && quote != '\'') {
    return true;
  }
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (quote == '"' && rest[at] == '\\') {
      ++at;
    } else if (rest[at] == quote) {
      if (quote == '"' || at + 1 == rest.size() || rest[at + 1] != quote) {
        return true;
      }
      ++at;
    }
  }
  return false;
}

/// Builds the tree from yaml-cpp's events, and refuses what must not be there as soon as it comes:
/// an alias bomb never unfolds, and depth is cut long before yaml-cpp runs out of stack.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Source& source) : source_(source) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      refuse(source_.place_of(mark),
             "a second document starts here",
             "Keep one document in the file.");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, "", anchor, YamlNode::Kind::nothing, {});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    refuse(source_.place_of(mark), "an alias (*name) is used here", "Write the value out.");
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    add(mark, tag, anchor, YamlNode::Kind::text, value);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlNode::Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  /// A list or mapping that is not closed yet.
  struct Open {
    YamlNode node;
    std::optional<YamlEntry> entry;  ///< A key that still waits for its value.
    std::set<std::string> keys;
  };

  YamlNode make(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.place = source_.place_of(mark);
    if (anchor != 0) {
      refuse(node.place, "an anchor (&name) stands here", "Write the value out where it is used.");
    }
    // yaml-cpp says "?" for a plain text and "!" for a quoted one, but also for a lone `!`.
    const std::string_view rest = source_.text_from(mark);
    if ((!tag.empty() && tag != "?" && tag != "!") || (tag == "!" && rest.front() == '!')) {
      refuse(node.place, fmt::format("a tag ({}) stands here", tag), "Write the value without it.");
    }
    if (tag == "!" && !is_closed(rest)) {
      refuse(node.place, "a quote is opened here and never closed", "Close it.");
    }
    node.style = tag == "!" ? YamlNode::Style::quoted : YamlNode::Style::plain;
    if (++nodes_ > kMostYamlNodes) {
      refuse(node.place,
             fmt::format("the file has more than {} values", kMostYamlNodes),
             "List that many tenants with a `file` or `query` source.");
    }
    return node;
  }

  void add(const YAML::Mark& mark,
           const std::string& tag,
           YAML::anchor_t anchor,
           YamlNode::Kind kind,
           const std::string& text) {
    YamlNode node = make(mark, tag, anchor, kind);
    node.text = text;
    if (is_key()) {
      start_entry(std::move(node));
    } else {
      finish(std::move(node));
    }
  }

  bool is_key() const noexcept {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::mapping &&
           !open_.back().entry;
  }

  void open(const YAML::Mark& mark,
            const std::string& tag,
            YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    YamlNode node = make(mark, tag, anchor, kind);
    if (is_key()) {
      refuse(node.place,
             fmt::format("{} is used as a key", describe(kind)),
             "Keys are plain words; put a text that starts with a bracket or brace in quotes.");
    }
    if (open_.size() == kMostYamlDepth) {
      refuse(node.place,
             fmt::format("the values are nested more than {} deep", kMostYamlDepth),
             "Nothing in a configuration needs that.");
    }
    open_.push_back({std::move(node), std::nullopt, {}});
  }

  void start_entry(YamlNode key) {
    Open& mapping = open_.back();
    if (key.kind == YamlNode::Kind::nothing) {
      refuse(key.place, "a key is empty", "Give it a name, or remove the line.");
    }
    if (key.text == "<<" && key.style == YamlNode::Style::plain) {
      refuse(key.place, "a merge key (<<) is used here", "Write the values out.");
    }
    if (!mapping.keys.insert(key.text).second) {
      refuse(key.place, fmt::format("key '{}' is there twice", key.text), "Keep one of them.");
    }
    mapping.entry = YamlEntry{std::move(key.text), std::move(key.place), {}};
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    finish(std::move(node));
  }

  void finish(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::list) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    if (node.kind == YamlNode::Kind::nothing) {
      node.place = parent.entry->key_place;  // yaml-cpp puts it behind the line
    }
    parent.entry->value = std::move(node);
    parent.node.entries.push_back(std::move(*parent.entry));
    parent.entry.reset();
  }

  const Source& source_;
  YamlNode root_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

}  // namespace

YamlNode parse_yaml(std::string_view text, const std::string& file) {
  const Source source(text, file);
  TreeBuilder builder(source);
  try {
    std::istringstream stream(source.text());
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    refuse(source.place_of(error.mark),
           fmt::format("this is not valid YAML: {}", error.msg),
           "Check the indentation, the quotes and the brackets just before this place.");
  }
  return builder.take_root();
}

std::string_view describe(YamlNode::Kind kind) noexcept {
  switch (kind) {
    case YamlNode::Kind::nothing:
      return "nothing";
    case YamlNode::Kind::text:
      return "a text";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
  }
  return "nothing";
}

}  // namespace drover::orchestrator::settings
