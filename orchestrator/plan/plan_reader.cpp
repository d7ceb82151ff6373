// from_text() of plan_file.h: a parser that speaks up at the first thing a plan has not, in one
// pass and without a tree of the text, which for 100,000 tenants would be ten times the plan.

#include <algorithm>
#include <iterator>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "orchestrator/nearest.h"
#include "orchestrator/plan/plan_defect.h"
#include "orchestrator/plan/plan_fields.h"
#include "orchestrator/plan/plan_file.h"

namespace drover::orchestrator::plan {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kHint = "Make a new plan, or get the file again; it is not for editing.";

/// Reads the text for the parser, and knows how far it has come.
class Cursor {
 public:
  // NOLINTBEGIN(readability-identifier-naming): std::iterator_traits asks for these names.
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  // NOLINTEND(readability-identifier-naming)

  Cursor(const char* at, const char** seen) : at_(at), seen_(seen) {}

  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  const char** seen_;
};

/// What a member takes, for messages.
struct TypeWord {
  template <typename Record>
  std::string_view operator()(std::string Record::*) const {
    return "a text";
  }
  template <typename Record>
  std::string_view operator()(bool Record::*) const {
    return "true or false";
  }
  template <typename Record>
  std::string_view operator()(std::size_t Record::*) const {
    return "a whole number from 0 on";
  }
  template <typename Record>
  std::string_view operator()(std::int64_t Record::*) const {
    return "a whole number";
  }
  template <typename Record>
  std::string_view operator()(engine::Direction Record::*) const {
    return "\"up\" or \"down\"";
  }
  template <typename Record, typename Item>
  std::string_view operator()(std::vector<Item> Record::*) const {
    return "a list of texts";
  }
  template <typename Record, typename Id>
  std::string_view operator()(Id Record::*) const {
    return "a text";
  }
};

struct Number {
  std::uint64_t magnitude = 0;
  bool negative = false;
};

using Scalar = std::variant<std::string*, bool, Number>;

bool take(std::string& member, const Scalar& value) {
  const auto* text = std::get_if<std::string*>(&value);
  if (text != nullptr) {
    member = std::move(**text);
  }
  return text != nullptr;
}

bool take(engine::RevisionId& member, const Scalar& value) {
  return take(member.value, value);
}

bool take(TenantId& member, const Scalar& value) {
  return take(member.value, value);
}

bool take(engine::Direction& member, const Scalar& value) {
  std::string word;
  if (!take(word, value) || (word != "up" && word != "down")) {
    return false;
  }
  member = word == "up" ? engine::Direction::up : engine::Direction::down;
  return true;
}

bool take(bool& member, const Scalar& value) {
  const auto* truth = std::get_if<bool>(&value);
  member = truth != nullptr && *truth;
  return truth != nullptr;
}

bool take(std::size_t& member, const Scalar& value) {
  const auto* number = std::get_if<Number>(&value);
  if (number == nullptr || number->negative) {
    return false;
  }
  member = number->magnitude;
  return true;
}

bool take(std::int64_t& member, const Scalar& value) {
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto* number = std::get_if<Number>(&value);
  if (number == nullptr || (!number->negative && number->magnitude > kLargest)) {
    return false;
  }
  member = static_cast<std::int64_t>(number->magnitude);
  return true;
}

template <typename Item>
bool take(std::vector<Item>& /*member*/, const Scalar& /*value*/) {
  return false;
}

/// A list of texts while it is open; both are nullptr: none is.
struct TextList {
  RevisionIds* ids = nullptr;
  Texts* texts = nullptr;

  bool is_open() const noexcept { return ids != nullptr || texts != nullptr; }
  void add(std::string text) {
    if (ids != nullptr) {
      ids->push_back({std::move(text)});
    } else {
      texts->push_back(std::move(text));
    }
  }
};

/// What stands around the plan's own fields.
struct Frame {
  std::int64_t format = 0;
  std::string drover;
  std::string digest;
};

}  // namespace

template <>
inline constexpr std::array<Field<Frame>, 3> kFields<Frame>{{
    {"format", &Frame::format},
    {"drover", &Frame::drover},
    {"digest", &Frame::digest},
}};

namespace {

constexpr std::array<std::string_view, 5> kLists{
    "revisions", "waves", "step_lists", "tenants", "findings"};
enum List : std::size_t { revisions, waves, step_lists, tenants, findings };

/// An object of the text while it is open. A plan's object is a Frame and a Plan, and has lists.
class OpenObject {
 public:
  using Records =
      std::variant<Frame*, Plan*, PlannedRevision*, PlannedWave*, PlannedTenant*, PlanFinding*>;

  explicit OpenObject(std::vector<Records> parts, bool has_lists = false)
      : parts_(std::move(parts)), has_lists_(has_lists) {}

  enum class Key { fine, unknown, twice };
  Key start(std::string_view key);

  const std::string& key() const noexcept { return key_; }
  bool take(const Scalar& value) const;
  std::string wanted() const;

  TextList texts() const;            ///< The list that the key stands for.
  std::optional<List> list() const;  ///< Likewise, of the plan's lists.
  std::vector<std::string> keys() const;
  std::string first_missing() const;  ///< Empty: all are there.

 private:
  template <typename Action>
  void with_member(Action action) const;

  std::vector<Records> parts_;
  bool has_lists_;
  std::string key_;
  std::vector<std::string> seen_;
};

template <typename Record, typename Action>
void with_member_of(Record& record, std::string_view key, Action action) {
  for (const Field<Record>& field : kFields<Record>) {
    if (field.key == key) {
      std::visit([&](auto member) { action(record, member); }, field.member);
    }
  }
}

template <typename Action>
void OpenObject::with_member(Action action) const {
  for (const Records& part : parts_) {
    std::visit([&](auto* record) { with_member_of(*record, key_, action); }, part);
  }
}

std::vector<std::string> OpenObject::keys() const {
  std::vector<std::string> all;
  for (const Records& part : parts_) {
    std::visit(
        [&](auto* record) {
          for (const auto& field : kFields<std::remove_pointer_t<decltype(record)>>) {
            all.emplace_back(field.key);
          }
        },
        part);
  }
  if (has_lists_) {
    all.insert(all.end(), kLists.begin(), kLists.end());
  }
  return all;
}

OpenObject::Key OpenObject::start(std::string_view key) {
  key_ = key;
  bool known = list().has_value();
  with_member([&](auto& /*record*/, auto /*member*/) { known = true; });
  if (!known) {
    return Key::unknown;
  }
  if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) {
    return Key::twice;
  }
  seen_.push_back(key_);
  return Key::fine;
}

bool OpenObject::take(const Scalar& value) const {
  bool taken = false;
  with_member([&](auto& record, auto member) { taken = plan::take(record.*member, value); });
  return taken;
}

std::string OpenObject::wanted() const {
  std::string wanted = "a list";
  with_member([&](auto& /*record*/, auto member) { wanted = TypeWord()(member); });
  return wanted;
}

TextList OpenObject::texts() const {
  TextList found;
  with_member([&](auto& record, auto member) {
    using Member = std::remove_reference_t<decltype(record.*member)>;
    if constexpr (std::is_same_v<Member, RevisionIds>) {
      found.ids = &(record.*member);
    } else if constexpr (std::is_same_v<Member, Texts>) {
      found.texts = &(record.*member);
    }
  });
  return found;
}

std::optional<List> OpenObject::list() const {
  const auto* const found = std::find(kLists.begin(), kLists.end(), key_);
  if (!has_lists_ || found == kLists.end()) {
    return std::nullopt;
  }
  return static_cast<List>(found - kLists.begin());
}

std::string OpenObject::first_missing() const {
  for (const std::string& key : keys()) {
    if (std::find(seen_.begin(), seen_.end(), key) == seen_.end()) {
      return key;
    }
  }
  return "";
}

/// Takes the parser's events. Each one has exactly one place where it may stand; see Level.
class PlanReader final : public nlohmann::json_sax<Json> {
 public:
  PlanReader(std::string_view text, const std::string& name)
      : text_(text), name_(name), seen_(text.data()), head_({&frame_, &plan_}, true) {}

  Plan read();

  bool null() override { return scalar_refused("null"); }
  bool boolean(bool value) override { return scalar(value, value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override {
    return scalar(Number{static_cast<std::uint64_t>(value), value < 0}, std::to_string(value));
  }
  bool number_unsigned(std::uint64_t value) override {
    return scalar(Number{value, false}, std::to_string(value));
  }
  bool number_float(double /*value*/, const std::string& spelling) override {
    return scalar_refused(spelling);
  }
  bool string(std::string& value) override;
  bool binary(Json::binary_t& /*value*/) override { return scalar_refused("binary data"); }
  bool start_object(std::size_t /*elements*/) override;
  bool key(std::string& key) override;
  bool end_object() override;
  bool start_array(std::size_t /*elements*/) override;
  bool end_array() override;
  bool parse_error(std::size_t position,
                   const std::string& /*token*/,
                   const Json::exception& /*error*/) override;

 private:
  enum class Level {
    outside,
    plan,
    list,  ///< One of the plan's lists.
    record,
    texts,  ///< A step list, or the texts of a record.
  };

  OpenObject& object() { return level_ == Level::plan ? head_ : record_; }
  bool scalar(const Scalar& value, const std::string& spelling);
  bool scalar_refused(const std::string& spelling);
  void open_record();
  void look_at_frame();
  void check_whole();

  /// Where `end` is: the line of the character before it.
  Place place_of(const char* end) const;
  [[noreturn]] void refuse(const std::string& message, std::string hint = std::string(kHint)) const;

  std::string_view text_;
  const std::string& name_;
  const char* seen_;  ///< Behind the last character that the parser took.

  Frame frame_;
  Plan plan_;
  Level level_ = Level::outside;
  OpenObject head_;
  OpenObject record_{{}};
  List list_ = revisions;
  TextList texts_;
  std::vector<const char*> tenant_ends_;  ///< For places.
};

Plan PlanReader::read() {
  const Cursor begin(text_.data(), &seen_);
  const Cursor end(text_.data() + text_.size(), &seen_);
  Json::sax_parse(begin, end, this);
  if (text_.back() != '\n') {
    refuse("the text is cut short: it does not end with a line break");
  }
  check_whole();
  return std::move(plan_);
}

Place PlanReader::place_of(const char* end) const {
  const char* const last = end == text_.data() ? end : end - 1;
  return {name_, static_cast<std::size_t>(std::count(text_.data(), last, '\n')) + 1, 0};
}

void PlanReader::refuse(const std::string& message, std::string hint) const {
  throw Error(ErrorCode::usage, "invalid_plan", message, std::move(hint), place_of(seen_));
}

bool PlanReader::scalar_refused(const std::string& spelling) {
  switch (level_) {
    case Level::outside:
      refuse("this is not a plan: a plan is a JSON object", "Name the file that drover wrote.");
    case Level::plan:
    case Level::record:
      refuse(fmt::format("key '{}' holds {}, not {}", object().key(), spelling, object().wanted()));
    case Level::list:
      refuse(fmt::format("list '{}' holds {}", kLists[list_], spelling));
    case Level::texts:
      refuse(fmt::format("a list of {} holds {}, not a text",
                         texts_.ids != nullptr ? "revisions" : object().key(),
                         spelling));
  }
  return false;
}

bool PlanReader::scalar(const Scalar& value, const std::string& spelling) {
  if ((level_ != Level::plan && level_ != Level::record) || !object().take(value)) {
    return scalar_refused(spelling);
  }
  if (level_ == Level::plan) {
    look_at_frame();
  }
  return true;
}

/// A plan of a later release may have other keys, so its format is looked at as soon as it is
/// known.
void PlanReader::look_at_frame() {
  if (head_.key() == "format" && frame_.format > kPlanFormat) {
    throw Error(
        ErrorCode::usage,
        "plan_too_new",
        fmt::format(
            "the plan has format {}, and this program reads format {}", frame_.format, kPlanFormat),
        "Use the release of drover that made the plan, or make a new plan with this one.",
        place_of(seen_));
  }
  if (head_.key() == "format" && frame_.format != kPlanFormat) {
    refuse(fmt::format("the plan has format {}, which there never was", frame_.format));
  }
  if (head_.key() == "drover" && frame_.drover != "plan") {
    refuse(fmt::format("this is not a plan but {}", engine::in_quotes(frame_.drover)),
           "Name the file that drover wrote.");
  }
}

bool PlanReader::string(std::string& value) {
  if (level_ == Level::texts) {
    texts_.add(std::move(value));
    return true;
  }
  return scalar(&value, engine::in_quotes(value));
}

void PlanReader::open_record() {
  switch (list_) {
    case revisions:
      record_ = OpenObject({&plan_.revisions.emplace_back()});
      return;
    case waves:
      record_ = OpenObject({&plan_.waves.emplace_back()});
      return;
    case tenants:
      record_ = OpenObject({&plan_.tenants.emplace_back()});
      return;
    case findings:
      record_ = OpenObject({&plan_.findings.emplace_back()});
      return;
    case step_lists:
      refuse("list 'step_lists' holds an object, not a list of texts");
  }
}

bool PlanReader::start_object(std::size_t /*elements*/) {
  if (level_ == Level::outside) {
    level_ = Level::plan;
  } else if (level_ == Level::list) {
    open_record();
    level_ = Level::record;
  } else {
    scalar_refused("an object");
  }
  return true;
}

bool PlanReader::key(std::string& key) {
  switch (object().start(key)) {
    case OpenObject::Key::fine:
      return true;
    case OpenObject::Key::unknown:
      refuse(fmt::format("key {} is not one of a plan", engine::in_quotes(key)),
             nearest_hint(key, object().keys()));
    case OpenObject::Key::twice:
      refuse(fmt::format("key '{}' is there twice", key));
  }
  return false;
}

bool PlanReader::end_object() {
  const std::string missing = object().first_missing();
  if (!missing.empty()) {
    refuse(fmt::format("key '{}' is missing", missing));
  }
  if (level_ == Level::record && list_ == tenants) {
    tenant_ends_.push_back(seen_);
  }
  level_ = level_ == Level::record ? Level::list : Level::outside;
  return true;
}

bool PlanReader::start_array(std::size_t /*elements*/) {
  if (level_ == Level::plan && head_.list()) {
    list_ = *head_.list();
    level_ = Level::list;
    return true;
  }
  const bool of_steps = level_ == Level::list && list_ == step_lists;
  const TextList opened = of_steps ? TextList{&plan_.step_lists.emplace_back(), nullptr}
                          : level_ == Level::record ? record_.texts()
                                                    : TextList();
  if (!opened.is_open()) {
    return scalar_refused("a list");
  }
  texts_ = opened;
  level_ = Level::texts;
  return true;
}

bool PlanReader::end_array() {
  const bool was_step_list = level_ == Level::texts && list_ == step_lists;
  level_ = level_ == Level::list ? Level::plan : was_step_list ? Level::list : Level::record;
  return true;
}

bool PlanReader::parse_error(std::size_t position,
                             const std::string& /*token*/,
                             const Json::exception& /*error*/) {
  if (position > text_.size()) {
    seen_ = text_.data() + text_.size();
    refuse("the text is cut short");
  }
  refuse(fmt::format("this is not JSON: something is wrong at byte {}", position));
}

void PlanReader::check_whole() {
  if (const auto defect = defect_of(plan_)) {
    throw Error(ErrorCode::usage,
                "invalid_plan",
                defect->what,
                std::string(kHint),
                defect->tenant ? place_of(tenant_ends_[*defect->tenant]) : Place{name_, 0, 0});
  }
  const std::string digest = digest_of(plan_);
  if (digest != frame_.digest) {
    throw Error(ErrorCode::verification,
                "plan_changed",
                fmt::format("the plan was changed after it was made: it was written with the "
                            "digest {}, and what it says now has {}",
                            engine::in_quotes(frame_.digest),
                            engine::in_quotes(digest)),
                "Make a new plan; what was approved is not what this file says.",
                {name_, 0, 0});
  }
}

}  // namespace

Plan from_text(std::string_view text, const std::string& name) {
  return PlanReader(text, name).read();
}

}  // namespace drover::orchestrator::plan
