/// Bytes that say one thing only, for digests and signatures.
///
/// A text is its length in 8 bytes, big-endian, and then its bytes; a number is 8 bytes,
/// big-endian, in two's complement; true is the number 1, false is 0; a list is the number of its
/// items, and then each of them. So no two lists of values have the same bytes, whatever the texts
/// hold.
///
/// Thread safety: distinct objects are independent.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drover::orchestrator::plan {

class Canonical {
 public:
  Canonical& text(std::string_view value);
  Canonical& number(std::uint64_t value);

  const std::string& bytes() const noexcept { return bytes_; }
  void clear() noexcept { bytes_.clear(); }

 private:
  std::string bytes_;
};

}  // namespace drover::orchestrator::plan
