#include "orchestrator/plan/signing_key.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "engine/base/sha256.h"
#include "engine/error.h"
#include "orchestrator/plan/whole_file.h"

namespace drover::orchestrator::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestFile = std::size_t{64} * 1024;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kSignatureLetters = 88;  // in base64, two of them "=="

using Signature = std::array<unsigned char, kSignatureBytes>;

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

struct FreeKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

/// Overwrites a text that held a private key.
class Wiped {
 public:
  explicit Wiped(std::string& text) : text_(text) {}
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { OPENSSL_cleanse(text_.data(), text_.size()); }

 private:
  std::string& text_;
};

void require(bool worked, std::string_view what) {
  if (worked) {
    return;
  }
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  throw Error(ErrorCode::internal,
              "crypto_failed",
              fmt::format("OpenSSL could not {}: {}", what, reason.data()),
              "Check the installation of OpenSSL and its configuration, then try again.");
}

[[noreturn]] void refuse_key(const std::string& message,
                             std::string hint,
                             const std::string& name) {
  ERR_clear_error();
  throw Error(ErrorCode::usage, "invalid_key", message, std::move(hint), {name, 0, 0});
}

Bio bio_of(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  require(bio != nullptr, "read a text");
  return bio;
}

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(length)};
}

/// Stands in for OpenSSL's question at the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

void require_ed25519(const Key& key, const std::string& name) {
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    const char* const kind = EVP_PKEY_get0_type_name(key.get());
    refuse_key(
        fmt::format("the key is of the kind {}, not Ed25519", kind == nullptr ? "unknown" : kind),
        "Make an Ed25519 key; drover signs and checks with no other kind.",
        name);
  }
}

PublicKey::Raw raw_public_key(const EVP_PKEY* key) {
  PublicKey::Raw raw{};
  std::size_t length = raw.size();
  require(EVP_PKEY_get_raw_public_key(key, raw.data(), &length) == 1 && length == raw.size(),
          "tell the public key");
  return raw;
}

Key evp_of(const PublicKey::Raw& raw) {
  return Key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string to_base64(const Signature& signature) {
  std::string text(kSignatureLetters + 1, '\0');  // OpenSSL writes a NUL behind it
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), signature.data(), kSignatureBytes);
  text.resize(kSignatureLetters);
  return text;
}

std::optional<Signature> from_base64(std::string_view text) {
  std::array<unsigned char, kSignatureLetters / 4 * 3> decoded{};
  if (text.size() != kSignatureLetters ||
      EVP_DecodeBlock(decoded.data(), bytes_of(text), kSignatureLetters) !=
          static_cast<int>(decoded.size())) {
    ERR_clear_error();
    return std::nullopt;
  }
  Signature signature{};
  std::copy_n(decoded.begin(), signature.size(), signature.begin());
  // One signature has one spelling: no blanks, no stray bits before the "==".
  return to_base64(signature) == text ? std::optional(signature) : std::nullopt;
}

std::string read_private_text(const fs::path& file) {
  const OpenFile opened = open_regular(file);
  struct stat facts {};
  if (::fstat(opened.get(), &facts) != 0) {
    throw read_error(file, errno);
  }
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw Error(ErrorCode::usage,
                "key_readable_by_others",
                fmt::format("the private key is open to others: the file has mode {:04o}",
                            facts.st_mode & 07777U),
                "Run chmod 600 on the file; if somebody may have read it, make a new key.",
                {file.generic_string(), 0, 0});
  }
  auto text = read_rest(opened, kLongestFile, file);
  if (!text) {
    refuse_key("the file has more than 64 KiB, which no key has",
               "Name the file of an Ed25519 key in PEM.",
               file.generic_string());
  }
  return std::move(*text);
}

}  // namespace

PublicKey PublicKey::from_pem(std::string_view text, const std::string& name) {
  if (text.size() > kLongestFile) {
    refuse_key("the text has more than 64 KiB, which no key has",
               "Name the file of an Ed25519 public key in PEM.",
               name);
  }
  bool asked = false;
  const Key key(PEM_read_bio_PUBKEY(bio_of(text).get(), nullptr, no_passphrase, &asked));
  if (key == nullptr) {
    refuse_key("there is no public key in PEM",
               "Give the text from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----.",
               name);
  }
  require_ed25519(key, name);
  return PublicKey(raw_public_key(key.get()));
}

PublicKey PublicKey::read(const fs::path& file) {
  const auto text = read_whole_file(file, kLongestFile);
  // One byte too many is enough for from_pem() to say so.
  return from_pem(text ? *text : std::string(kLongestFile + 1, ' '), file.generic_string());
}

std::string PublicKey::to_pem() const {
  const Key key = evp_of(raw_);
  const Bio bio(BIO_new(BIO_s_mem()));
  require(key != nullptr && bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), key.get()) == 1,
          "write the public key");
  return text_of(bio);
}

std::string PublicKey::key_id() const {
  const std::string raw(raw_.begin(), raw_.end());
  return engine::base::sha256_hex(raw).substr(0, 16);
}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  const auto bytes = from_base64(signature);
  if (!bytes) {
    return false;
  }
  const Key key = evp_of(raw_);
  const Context context(EVP_MD_CTX_new());
  require(key != nullptr && context != nullptr &&
              EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1,
          "check a signature");
  const bool verified =
      EVP_DigestVerify(
          context.get(), bytes->data(), bytes->size(), bytes_of(message), message.size()) == 1;
  ERR_clear_error();
  return verified;
}

void SigningKey::Free::operator()(evp_pkey_st* key) const noexcept {
  EVP_PKEY_free(key);
}

SigningKey SigningKey::generate() {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  require(key != nullptr, "make a key");
  return SigningKey(key);
}

SigningKey SigningKey::read(const fs::path& file) {
  std::string text = read_private_text(file);
  const Wiped wiped(text);
  bool asked = false;
  Key key(PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, no_passphrase, &asked));
  if (key == nullptr && asked) {
    refuse_key("the private key is protected by a passphrase",
               "Write it to a file of mode 0600 without one; drover asks no questions.",
               file.generic_string());
  }
  if (key == nullptr) {
    refuse_key("there is no private key in PEM",
               "Name the file of an Ed25519 private key, which begins with -----BEGIN PRIVATE "
               "KEY-----.",
               file.generic_string());
  }
  require_ed25519(key, file.generic_string());
  return SigningKey(key.release());
}

void SigningKey::write(const fs::path& file) const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  require(bio != nullptr && PEM_write_bio_PKCS8PrivateKey(
                                bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "write the private key");
  std::string text = text_of(bio);
  const Wiped wiped(text);
  if (write_new_file(file, text) == Written::exists_already) {
    throw Error(ErrorCode::usage,
                "key_exists",
                "the file exists already, and a key never replaces one",
                "Name another file, or remove this one.",
                {file.generic_string(), 0, 0});
  }
}

PublicKey SigningKey::public_key() const {
  return PublicKey(raw_public_key(key_.get()));
}

std::string SigningKey::sign(std::string_view message) const {
  Signature signature{};
  std::size_t length = signature.size();
  const Context context(EVP_MD_CTX_new());
  require(
      context != nullptr &&
          EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
          EVP_DigestSign(
              context.get(), signature.data(), &length, bytes_of(message), message.size()) == 1 &&
          length == signature.size(),
      "sign");
  return to_base64(signature);
}

}  // namespace drover::orchestrator::plan
