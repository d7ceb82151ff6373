/// Keys that people sign approvals with: Ed25519, by OpenSSL.
///
/// Who owns a key is not in it; the configuration says so. What is signed says approval.h.
///
/// Thread safety: values; a key may be used by any number of threads.
///
/// Errors: Error usage, invalid_key, for a file or a text that holds no such key; Error internal,
/// crypto_failed, when OpenSSL refuses what it should do.

#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;  // EVP_PKEY

namespace drover::orchestrator::plan {

class PublicKey {
 public:
  using Raw = std::array<std::uint8_t, 32>;

  explicit PublicKey(const Raw& raw) : raw_(raw) {}

  /// Reads "-----BEGIN PUBLIC KEY-----"; `name` is the file or setting, for places.
  static PublicKey from_pem(std::string_view text, const std::string& name);

  /// Likewise, from a file of at most 64 KiB. Throws Error storage: file_not_readable.
  static PublicKey read(const std::filesystem::path& file);

  std::string to_pem() const;

  /// The first 16 hexadecimal digits of the SHA-256 of the 32 bytes of the key.
  std::string key_id() const;

  /// Whether `signature`, in base64, is of this key over `message`. Never throws over what they
  /// hold.
  bool verify(std::string_view message, std::string_view signature) const;

  bool operator==(const PublicKey&) const = default;

 private:
  Raw raw_;
};

class SigningKey {
 public:
  static SigningKey generate();

  /// Reads a PEM file (PKCS #8) without a passphrase. Throws Error usage: key_readable_by_others,
  /// when its group or others have any right to it. Throws Error storage: file_not_readable.
  static SigningKey read(const std::filesystem::path& file);

  /// Makes the file `file`, mode 0600. Throws Error usage: key_exists; Error storage:
  /// file_not_writable.
  void write(const std::filesystem::path& file) const;

  PublicKey public_key() const;

  /// The signature of `message`, in base64.
  std::string sign(std::string_view message) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const noexcept;
  };

  explicit SigningKey(evp_pkey_st* key) : key_(key) {}

  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace drover::orchestrator::plan
