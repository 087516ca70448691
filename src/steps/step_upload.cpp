#include "file_fields.hpp"
#include "kinds.hpp"

namespace staithe::steps {
namespace {

class Upload final : public Step {
 public:
  explicit Upload(Fields& fields) : to_(fields) {
    if (auto from = fields.text("from", yaml::Need::required)) from_ = std::move(*from);
  }

  void lower(Lowering& at, Lowered& out) const override {
    plan::UploadFile effect = to_.effect(at);
    if (from_.value.empty()) return;  // it is missing, and that is said
    const auto path = at.local_path(from_);
    if (!path) return;
    std::string why;
    const auto digest = at.site().files->sha256(*path, why);
    if (!digest) return at.error(from_, why, "it starts from the directory of staithe.yml");
    if (at.failed()) return;
    effect.source = at.plain(from_).value();
    effect.source_sha256 = *digest;
    const std::string title = effect.source + " to " + effect.path;
    out.actions.push_back(FileFields::action(at, std::move(effect), title, std::chrono::minutes(5)));
  }

 private:
  FileFields to_;
  Template from_;
};

}  // namespace

const Kind upload_kind{
    "upload",
    "puts a file on the host",
    R"yaml(- upload: {from: etc/logrotate.conf, to: /etc/logrotate.d/payments, mode: "0644"}
)yaml",
    R"(Copies one file under a temporary name, checks it, and gives it its name: the file is the old one or the new
one, never a part. After a connection that broke, and after a timeout, it is sent once more: three times in all
unless 'retry' says otherwise (times: 0 is once). The plan holds the file's digest; a file that changed since is
refused.

from     a file on this machine
to       an absolute path on the host; its directory must be there
mode     "0644" unless said otherwise
timeout  5m unless said otherwise)",
    "",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Upload>(fields); }};

}  // namespace staithe::steps
