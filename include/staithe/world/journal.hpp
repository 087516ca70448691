#pragma once
#include "staithe/base/redact.hpp"
#include "staithe/exec/effects.hpp"
#include "staithe/store/store.hpp"

#include <map>
#include <string>

namespace staithe::world {

/// exec's journal in the durable state. What people read of it is redacted before it is written; notes are
/// not: recovery acts on them, and they are names and numbers of HAProxy. Thread safe.
class StoreJournal final : public exec::Journal {
 public:
  StoreJournal(store::Store& store, std::string run_id, const base::Redactor& redactor)
      : store_(store), run_id_(std::move(run_id)), redactor_(redactor) {}

  void intent(const std::string& host, const std::string& action_id) override;
  void note(const std::string& host, const std::string& action_id, const std::string& key,
            const std::string& text) override;
  void outcome(const std::string& host, const std::string& action_id,
               const exec::EffectResult& result) override;
  void not_begun(const std::string& host, const std::string& action_id,
                 const exec::EffectResult& result) override;

 private:
  void end(const std::string& host, const std::string& action_id, const exec::EffectResult& result,
           bool begun);

  store::Store& store_;
  std::string run_id_;
  const base::Redactor& redactor_;
};

/// What the journal of one run says, read back after a crash. An action that was announced and not begun is
/// as it was before that.
struct JournalView {
  struct Entry {
    bool begun = false;
    bool ended = false;
    std::string outcome;     ///< "" when it never ended
    bool blameless = false;  ///< it failed, and no release is bad for that
    std::map<std::string, std::string> notes;
  };
  std::map<std::string, Entry> actions;  ///< by action id

  bool begun(const std::string& action_id) const;
  bool ended_well(const std::string& action_id) const;
};

/// Throws base::Error{protocol} for records that no StoreJournal wrote.
JournalView read_journal(store::Store& store, const std::string& run_id);

}  // namespace staithe::world
