#pragma once
#include "staithe/ssh/endpoint.hpp"
#include "staithe/ssh/engine.hpp"

#include <libssh/libssh.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace staithe::ssh {

/// A private key as libssh takes it, alone or with a certificate. Read-only once made: shared by threads.
class PrivateKey {
 public:
  explicit PrivateKey(ssh_key key) : key_(key) {}

  ssh_key raw() const noexcept { return key_.get(); }

 private:
  struct Free {
    void operator()(ssh_key key) const noexcept { ::ssh_key_free(key); }
  };
  std::unique_ptr<ssh_key_struct, Free> key_;
};

/// What an identity file gives: its key with each certificate that belongs to it, then alone.
struct Identity {
  std::string file;
  std::vector<std::shared_ptr<const PrivateKey>> keys;
  std::string problem;      ///< why there are no keys; empty when the file is just not there
  bool is_missing = false;  ///< there is no such file
};

/// The blobs under which an identity file is known to an agent: its certificates', then its own.
struct PublicIdentity {
  std::string file;
  std::vector<std::string> blobs;
};

/// Loads each key file once for all sessions. Thread safe; one thread at a time loads and asks.
class KeyRing {
 public:
  explicit KeyRing(Passphrase passphrase) : passphrase_(std::move(passphrase)) {}

  /// Reads and, when need be, decrypts. Never throws for a bad file: see Identity::problem.
  Identity load(const std::string& file, const std::vector<std::string>& certificate_files);
  /// Reads FILE.pub, or FILE itself when that is a public key, else the private key if that needs no
  /// passphrase.
  PublicIdentity load_public(const std::string& file, const std::vector<std::string>& certificate_files);

 private:
  struct Loaded {
    std::shared_ptr<const PrivateKey> key;
    std::string public_blob;
    std::string problem;
    bool is_missing = false;
    bool encrypted = false;  ///< and not opened: nobody was asked
  };
  enum class Ask { yes, no };

  Loaded& loaded(const std::string& file, Ask ask);
  Loaded import(const std::string& file, Ask ask);

  Passphrase passphrase_;
  std::mutex mutex_;
  std::map<std::string, Loaded> loaded_;
};

}  // namespace staithe::ssh
