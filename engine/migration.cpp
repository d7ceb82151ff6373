#include "engine/migration.h"

#include <algorithm>

namespace drover::engine {
namespace {

bool starts_character(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

/// Groups the sections of `migration` that `wanted` picks into units.
template <typename Wanted>
std::vector<Unit> units_of(const Migration& migration, Wanted wanted) {
  std::vector<Unit> units;
  for (const Section& section : migration.sections) {
    if (!wanted(section)) {
      continue;
    }
    Unit::Kind kind = Unit::Kind::transaction;
    if (section.kind == Section::Kind::batch) {
      kind = Unit::Kind::batch;
    } else if (section.transactional == Transactional::no) {
      kind = Unit::Kind::statements;
    }
    const bool joins = kind == Unit::Kind::transaction && !units.empty() &&
                       units.back().kind == Unit::Kind::transaction;
    if (!joins) {
      units.push_back({kind, {}});
    }
    units.back().sections.push_back(&section);
  }
  if (units.empty()) {
    units.push_back({Unit::Kind::transaction, {}});
  }
  return units;
}

}  // namespace

Place Migration::place_of(const char* at) const {
  const char* const begin = text->data();
  const char* line_start = begin;
  std::size_t line = 1;
  for (const char* c = begin; c < at; ++c) {
    if (*c == '\n') {
      ++line;
      line_start = c + 1;
    }
  }
  const auto column = static_cast<std::size_t>(std::count_if(line_start, at, starts_character));
  return {source.generic_string(), line, column + 1};
}

Place Migration::place_of(const SqlStatement& statement, std::size_t position) const {
  const char* at = statement.text.data();
  const char* const end = at + statement.text.size();
  for (std::size_t left = position; at < end; ++at) {
    if (starts_character(*at) && (left == 0 || --left == 0)) {
      break;
    }
  }
  return place_of(at);
}

bool Unit::has_verify() const noexcept {
  return std::any_of(sections.begin(), sections.end(), [](const Section* section) {
    return section->kind == Section::Kind::verify;
  });
}

std::vector<Unit> up_units(const Migration& migration, Dialect dialect) {
  return units_of(migration, [dialect](const Section& section) {
    return section.kind != Section::Kind::down && section.is_for(dialect);
  });
}

std::vector<Unit> down_units(const Migration& migration, Dialect dialect) {
  return units_of(migration, [dialect](const Section& section) {
    return section.kind == Section::Kind::down && section.is_for(dialect);
  });
}

const std::string* setting_of(const Migration& migration, std::string_view name) noexcept {
  for (const HeaderSetting& setting : migration.settings) {
    if (setting.name == name) {
      return &setting.value;
    }
  }
  return nullptr;
}

}  // namespace drover::engine
