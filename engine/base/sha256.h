/// SHA-256 (FIPS 180-4), by OpenSSL.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace drover::engine::base {

/// Takes bytes piece by piece.
class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  Sha256& add(std::string_view bytes);

  /// The digest of everything added. Call it once, last.
  Digest finish();

  /// The digest of `bytes` alone, whatever was added before; may be called again and again, which
  /// costs less than an object each.
  Digest digest_of(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// `digest` in 64 lower-case hexadecimal digits.
std::string to_hex(const Sha256::Digest& digest);

/// The digest of `bytes`, in hex.
std::string sha256_hex(std::string_view bytes);

}  // namespace drover::engine::base
