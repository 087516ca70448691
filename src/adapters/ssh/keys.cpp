#include "keys.hpp"

#include "wire.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace staithe::ssh {
namespace {

/// The blob in a one-line public key or certificate file ("type base64 comment"); nullopt for anything else.
std::optional<std::string> blob_in_file(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) return std::nullopt;
  std::string line(16U * 1024U, '\0');
  stream.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(stream.gcount()));
  line.resize(std::min(line.find('\n'), line.size()));
  const std::vector<std::string> fields = base::split(base::trim(line), ' ');
  if (fields.size() < 2) return std::nullopt;
  auto blob = base::base64_decode(fields[1]);
  if (!blob || first_string(*blob) != fields[0]) return std::nullopt;
  return blob;
}

/// A certificate begins with its type and a nonce, and goes on with the public key's own fields
/// (OpenSSH's PROTOCOL.certkeys).
bool certifies(std::string_view certificate, std::string_view key) {
  const auto type = take_string(certificate);
  const auto nonce = take_string(certificate);
  const auto key_type = take_string(key);
  return type && nonce && key_type && type->find("-cert-v0") != std::string_view::npos &&
         type->starts_with(*key_type) && !key.empty() && certificate.starts_with(key);
}

/// Certificates for a key, named ones first.
std::vector<std::string> certificates_of(const std::string& file, std::string_view public_blob,
                                         const std::vector<std::string>& named) {
  std::vector<std::string> files;
  std::vector<std::string> candidates = named;
  candidates.push_back(file + "-cert.pub");
  for (const std::string& candidate : candidates) {
    const auto blob = blob_in_file(candidate);
    if (blob && certifies(*blob, public_blob)) files.push_back(candidate);
  }
  return files;
}

/// As OpenSSH's sshkey_perm_ok(): only a file of one's own is judged.
bool others_can_read(const std::string& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 && info.st_uid == ::getuid() && (info.st_mode & 077U) != 0;
}

std::string public_blob_of(ssh_key key) {
  char* encoded = nullptr;
  if (::ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK) return {};
  const std::unique_ptr<char, decltype(&::ssh_string_free_char)> owner(encoded, &::ssh_string_free_char);
  return base::base64_decode(encoded).value_or("");
}

/// What libssh's passphrase callback works on.
struct Asking {
  const Passphrase* passphrase;  ///< null: do not ask
  const std::string* file;
  bool encrypted = false;
  bool answered = false;
  std::exception_ptr thrown;
};

int answer_passphrase(const char*, char* buffer, std::size_t size, int, int, void* data) {
  auto& asking = *static_cast<Asking*>(data);
  asking.encrypted = true;
  if (asking.passphrase == nullptr || !*asking.passphrase) return -1;
  try {
    std::optional<std::string> text = (*asking.passphrase)(*asking.file);
    if (!text || text->size() >= size) return -1;
    std::memcpy(buffer, text->c_str(), text->size() + 1);
    ::explicit_bzero(text->data(), text->size());
    asking.answered = true;
    return 0;
  } catch (...) {  // must not cross libssh's C frames
    asking.thrown = std::current_exception();
    return -1;
  }
}

}  // namespace

KeyRing::Loaded KeyRing::import(const std::string& file, Ask ask) {
  Loaded result;
  if (::access(file.c_str(), F_OK) != 0) {
    result.is_missing = true;
    return result;
  }
  if (others_can_read(file) && !blob_in_file(file)) {
    result.problem =
        fmt::format("others can read it, and ssh refuses such a key: chmod 600 {}", base::shell_quote(file));
    return result;
  }
  constexpr int most_tries = 3;
  Asking asking{ask == Ask::yes ? &passphrase_ : nullptr, &file, false, false, nullptr};
  for (int attempt = 0; attempt < most_tries; ++attempt) {
    asking.answered = false;
    ssh_key key = nullptr;
    const int code = ::ssh_pki_import_privkey_file(file.c_str(), nullptr, &answer_passphrase, &asking, &key);
    if (asking.thrown) std::rethrow_exception(asking.thrown);
    if (code == SSH_OK) {
      result.key = std::make_shared<const PrivateKey>(key);
      result.public_blob = public_blob_of(key);
      return result;
    }
    if (!asking.answered) break;
  }
  result.encrypted = asking.encrypted && !asking.answered;
  if (::access(file.c_str(), R_OK) != 0)
    result.problem = "not readable";
  else if (asking.encrypted)
    result.problem = asking.answered ? "wrong passphrase" : "encrypted, and no passphrase was given";
  else
    result.problem = "not a private key that libssh can read";
  return result;
}

KeyRing::Loaded& KeyRing::loaded(const std::string& file, Ask ask) {
  const auto found = loaded_.find(file);
  if (found != loaded_.end() && !(found->second.encrypted && ask == Ask::yes && passphrase_))
    return found->second;
  Loaded fresh = import(file, ask);
  // Somebody who was asked and gave nothing is not asked again for every host.
  if (ask == Ask::yes) fresh.encrypted = false;
  return loaded_.insert_or_assign(file, std::move(fresh)).first->second;
}

Identity KeyRing::load(const std::string& file, const std::vector<std::string>& certificate_files) {
  const std::lock_guard lock(mutex_);
  const Loaded& found = loaded(file, Ask::yes);
  Identity identity{file, {}, found.problem, found.is_missing};
  if (!found.key) return identity;
  for (const std::string& name : certificates_of(file, found.public_blob, certificate_files)) {
    ssh_key certificate = nullptr;
    if (::ssh_pki_import_cert_file(name.c_str(), &certificate) != SSH_OK) continue;
    const PrivateKey owner(certificate);
    auto joined = std::make_shared<const PrivateKey>(::ssh_key_dup(found.key->raw()));
    if (joined->raw() != nullptr && ::ssh_pki_copy_cert_to_privkey(certificate, joined->raw()) == SSH_OK)
      identity.keys.push_back(std::move(joined));
  }
  identity.keys.push_back(found.key);
  return identity;
}

PublicIdentity KeyRing::load_public(const std::string& file,
                                    const std::vector<std::string>& certificate_files) {
  PublicIdentity identity{file, {}};
  auto blob = blob_in_file(file + ".pub");
  if (!blob) blob = blob_in_file(file);
  if (!blob) {
    const std::lock_guard lock(mutex_);
    blob = loaded(file, Ask::no).public_blob;
  }
  if (blob->empty()) return identity;
  for (const std::string& name : certificates_of(file, *blob, certificate_files))
    identity.blobs.push_back(blob_in_file(name).value_or(""));
  identity.blobs.push_back(*blob);
  return identity;
}

}  // namespace staithe::ssh
