#pragma once
#include "fields.hpp"

namespace staithe::steps {

/// Where a file goes on the host: `to` and `mode`.
class FileFields {
 public:
  explicit FileFields(Fields& fields);
  /// Everything but the content.
  plan::UploadFile effect(Lowering& at) const;

 private:
  Template to_;
  unsigned mode_ = 0644;
};

}  // namespace staithe::steps
