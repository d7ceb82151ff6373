#include "engine/parse/checksum.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/sha256.h"

namespace drover::engine::parse {
namespace {

using base::Sha256;

constexpr std::string_view kNul("\0", 1);

void add_settings(Sha256& hash, const Migration& migration) {
  std::vector<std::string> lines;
  for (const HeaderSetting& setting : migration.settings) {
    lines.push_back("-- drover: set " + setting.name + "=" + setting.value + "\n");
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) {
    hash.add(line);
  }
}

void add_section(Sha256& hash, const Section& section) {
  hash.add(section.directive).add("\n").add(section.text).add(kNul);
}

}  // namespace

Checksums checksums_of(const Migration& migration, Dialect dialect) {
  Sha256 up;
  Sha256 down;
  add_settings(up, migration);
  for (const Section& section : migration.sections) {
    if (section.is_for(dialect)) {
      add_section(section.kind == Section::Kind::down ? down : up, section);
    }
  }
  return {base::to_hex(up.finish()), base::to_hex(down.finish()), ""};
}

}  // namespace drover::engine::parse
