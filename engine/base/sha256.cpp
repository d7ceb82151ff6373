#include "engine/base/sha256.h"

#include <new>

#include <openssl/evp.h>

namespace drover::engine::base {

namespace {

/// Looked up once: EVP_sha256() searches OpenSSL's providers each time it is used, which costs more
/// than hashing a short text. Never changes, never freed.
const EVP_MD* algorithm() {
  static const EVP_MD* const kFound = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kFound;
}

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    if (context == nullptr || EVP_DigestInit_ex(context, algorithm(), nullptr) != 1) {
      throw std::bad_alloc();
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;

Sha256& Sha256::add(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
  return *this;
}

Sha256::Digest Sha256::finish() {
  Digest digest{};
  EVP_DigestFinal_ex(state_->context, digest.data(), nullptr);
  return digest;
}

Sha256::Digest Sha256::digest_of(std::string_view bytes) {
  EVP_DigestInit_ex(state_->context, nullptr, nullptr);
  return add(bytes).finish();
}

std::string to_hex(const Sha256::Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0x0FU];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  return to_hex(Sha256().add(bytes).finish());
}

}  // namespace drover::engine::base
