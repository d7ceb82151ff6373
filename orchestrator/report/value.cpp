#include "orchestrator/report/value.h"

#include <algorithm>
#include <stdexcept>

namespace drover::orchestrator::report {

// Here, where Member is complete.
Value::Value() = default;
Value::Value(std::nullptr_t) {}
Value::Value(std::string text) : what_(std::move(text)) {}
Value::Value(std::string_view text) : what_(std::string(text)) {}
Value::Value(const char* text) : what_(std::string(text)) {}
Value::Value(double number) : what_(number) {}
Value::Value(Plain plain) {
  std::visit([this](auto value) { what_ = value; }, plain);
}
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value Value::list() {
  Value value;
  value.what_ = List();
  return value;
}

Value Value::object() {
  Value value;
  value.what_ = Object();
  return value;
}

Value& Value::add(Value item) {
  auto* const items = std::get_if<List>(&what_);
  if (items == nullptr) {
    throw std::logic_error("only a list can be added to");
  }
  items->push_back(std::move(item));
  return *this;
}

Value& Value::set(std::string_view key, Value value) {
  auto* const members = std::get_if<Object>(&what_);
  if (members == nullptr) {
    throw std::logic_error("only an object has keys: " + std::string(key));
  }
  const auto found = std::find_if(
      members->begin(), members->end(), [&](const Member& member) { return member.key == key; });
  if (found == members->end()) {
    members->push_back({std::string(key), std::move(value)});
  } else {
    found->value = std::move(value);
  }
  return *this;
}

const Value* Value::find(std::string_view key) const noexcept {
  const Object* const object = members();
  if (object == nullptr) {
    return nullptr;
  }
  const auto found = std::find_if(
      object->begin(), object->end(), [&](const Member& member) { return member.key == key; });
  return found == object->end() ? nullptr : &found->value;
}

}  // namespace drover::orchestrator::report
