/// A value for machines to read: null, truth, number, text, list or object with ordered keys.
///
/// Commands build one and document.h writes it as JSON, YAML, NDJSON or CSV, so that every format
/// says the same.
///
/// Thread safety: plain values.
/// Errors: asking for another type than the value has throws std::logic_error: a bug.

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace drover::orchestrator::report {

struct Member;

class Value {
 public:
  using List = std::vector<Value>;
  using Object = std::vector<Member>;

  // Implicit on purpose: `object.set("total", 3)`.
  Value();  ///< null
  Value(std::nullptr_t);
  Value(std::string text);
  Value(std::string_view text);
  Value(const char* text);
  Value(double number);
  template <std::same_as<bool> Truth>  // a pointer is no truth
  Value(Truth truth) : Value(Plain(truth)) {}
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Value(Number number)
      : Value(Plain(static_cast<std::int64_t>(number))) {}
  template <typename Some>
  Value(const std::optional<Some>& some) : Value(some ? Value(*some) : Value()) {}
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  static Value list();
  static Value object();

  /// Appends to a list. Returns the list, so that calls chain.
  Value& add(Value item);

  /// Sets a key of an object; a new one comes last. Returns the object.
  Value& set(std::string_view key, Value value);

  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(what_); }
  const bool* truth() const noexcept { return std::get_if<bool>(&what_); }
  const std::int64_t* integer() const noexcept { return std::get_if<std::int64_t>(&what_); }
  const double* number() const noexcept { return std::get_if<double>(&what_); }
  const std::string* text() const noexcept { return std::get_if<std::string>(&what_); }
  const List* items() const noexcept { return std::get_if<List>(&what_); }
  const Object* members() const noexcept { return std::get_if<Object>(&what_); }

  /// The value under `key` of an object; nullptr when there is none, or this is no object.
  const Value* find(std::string_view key) const noexcept;

 private:
  using Plain = std::variant<bool, std::int64_t>;
  Value(Plain plain);

  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Object> what_;
};

struct Member {
  std::string key;
  Value value;
};

/// `text`; null when it is empty, which stands for "not known".
inline Value known_text(const std::string& text) {
  return text.empty() ? Value() : Value(text);
}

/// Texts, or things with a `value` that is one (ids), as a list.
template <typename Range>
Value list_of(const Range& range) {
  Value list = Value::list();
  for (const auto& item : range) {
    if constexpr (requires { item.value; }) {
      list.add(item.value);
    } else {
      list.add(item);
    }
  }
  return list;
}

}  // namespace drover::orchestrator::report
