#include "session_impl.hpp"

#include "staithe/base/sha256.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace staithe::ssh {

using base::Error;
using base::ErrorCode;

/// The file's bytes, and then a line with their checksum, which is only known once they have all gone by.
class SessionImpl::UploadFeed final : public Feed {
 public:
  explicit UploadFeed(const Upload& upload) : upload_(upload) {}

  std::string_view next() override {
    if (pending_.empty() && taken_ < upload_.size) fill();
    if (pending_.empty() && taken_ == upload_.size && last_line_.empty()) {
      last_line_ = digest_.finish() + '\n';
      pending_ = last_line_;
    }
    return pending_;
  }

  void sent(std::size_t bytes) override {
    pending_.remove_prefix(bytes);
    sent_ += bytes;
    if (upload_.progress) upload_.progress(std::min(sent_, upload_.size));
  }

 private:
  void fill() {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), upload_.size - taken_));
    const std::size_t count = upload_.read(buffer_.data(), want);
    if (count == 0 || count > want)
      throw Error(ErrorCode::io,
                  fmt::format("the source has {} of the {} bytes announced", taken_, upload_.size));
    taken_ += count;
    pending_ = {buffer_.data(), count};
    digest_.update(pending_);
  }

  const Upload& upload_;
  std::array<char, 32 * 1024> buffer_{};
  std::string_view pending_;
  std::uint64_t taken_ = 0, sent_ = 0;
  base::Sha256 digest_;
  std::string last_line_;
};

namespace {

/// What the failure of the shell on the host means, told by its messages in the C locale.
ErrorCode code_of(const std::string& message) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  if (says("Permission denied") || says("Operation not permitted") || says("Read-only file system"))
    return ErrorCode::permission;
  if (says("No such file") || says("nonexistent") || says("Not a directory")) return ErrorCode::not_found;
  if (says("Is a directory")) return ErrorCode::conflict;
  if (says("No space left") || says("Disk quota exceeded") || says("File too large"))
    return ErrorCode::failed;
  if (says("not found")) return ErrorCode::unavailable;  // head, sha256sum
  return ErrorCode::io;
}

}  // namespace

void SessionImpl::upload(const Upload& upload, const base::Scope& scope) {
  const std::string text = leash(upload);
  UploadFeed feed(upload);
  const Exit exit = perform(text, feed, {}, nullptr, scope);
  if (exit.ok()) return;
  std::string message(base::trim(base::printable(exit.err)));
  if (message.empty()) message = describe(exit);
  std::replace(message.begin(), message.end(), '\n', ' ');
  throw Error(code_of(message), fmt::format("writing {}: {}", base::printable(upload.path), message));
}

}  // namespace staithe::ssh
