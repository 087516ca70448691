#pragma once
#include "fields.hpp"

namespace staithe::steps {

/// Where a file goes on the host: `to` and `mode`.
class FileFields {
 public:
  explicit FileFields(Fields& fields);
  /// Everything but the content.
  plan::UploadFile effect(Lowering& at) const;
  /// Tried three times where the author says nothing of it: an upload may be repeated.
  static plan::Action action(Lowering& at, plan::UploadFile effect, std::string title,
                             base::Duration timeout);

 private:
  Template to_;
  unsigned mode_ = 0644;
};

}  // namespace staithe::steps
