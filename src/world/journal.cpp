#include "staithe/world/journal.hpp"

#include "staithe/base/error.hpp"

#include <nlohmann/json.hpp>

namespace staithe::world {

using nlohmann::json;

void StoreJournal::intent(const std::string& host, const std::string& action_id) {
  store_.append(run_id_, {0, {}, host, action_id, "intent", "{}"});
}

void StoreJournal::note(const std::string& host, const std::string& action_id, const std::string& key,
                        const std::string& text) {
  const json body{{"key", key}, {"text", text}};
  store_.append(run_id_, {0, {}, host, action_id, "note", body.dump()});
}

void StoreJournal::outcome(const std::string& host, const std::string& action_id,
                           const exec::EffectResult& result) {
  end(host, action_id, result, true);
}

void StoreJournal::not_begun(const std::string& host, const std::string& action_id,
                             const exec::EffectResult& result) {
  end(host, action_id, result, false);
}

void StoreJournal::end(const std::string& host, const std::string& action_id,
                       const exec::EffectResult& result, bool begun) {
  const std::string detail = redactor_.clean(result.detail);
  std::string body = R"({"detail":"","outcome":"ok"})";  // of most; a document costs many times as much
  if (!begun || !result.ok() || !detail.empty()) {
    json document{{"outcome", event::name_of(result.outcome)}, {"detail", detail}};
    if (!begun) document["begun"] = false;
    if (!result.ok() && !result.tells_of_release()) document["blameless"] = true;
    body = document.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  // Lost in a crash, it reads as a crash just before it, which recovery has to see through anyway.
  store_.enqueue(run_id_, {0, {}, host, action_id, "outcome", std::move(body)});
}

bool JournalView::begun(const std::string& action_id) const {
  const auto found = actions.find(action_id);
  return found != actions.end() && found->second.begun;
}

bool JournalView::ended_well(const std::string& action_id) const {
  const auto found = actions.find(action_id);
  return found != actions.end() && found->second.outcome == event::name_of(event::Outcome::ok);
}

JournalView read_journal(store::Store& store, const std::string& run_id) {
  JournalView view;
  std::map<std::string, JournalView::Entry> before;  // its newest intent
  try {
    for (const auto& record : store.journal(run_id)) {
      auto& entry = view.actions[record.action_id];
      const auto body = json::parse(record.body);
      if (record.kind == "intent") {
        // An action may be begun again by a resumed run: its last life counts.
        before[record.action_id] = entry;
        entry.begun = true;
        entry.ended = false;
        entry.outcome.clear();
        entry.blameless = false;
      } else if (record.kind == "outcome" && !body.value("begun", true)) {
        entry = before[record.action_id];
      } else if (record.kind == "outcome") {
        entry.ended = true;
        entry.outcome = body.at("outcome").get<std::string>();
        entry.blameless = body.value("blameless", false);
      } else {
        entry.notes[body.at("key").get<std::string>()] = body.at("text").get<std::string>();
      }
    }
  } catch (const json::exception& error) {
    throw base::Error(base::ErrorCode::protocol,
                      "the journal of run " + run_id + " cannot be read: " + error.what());
  }
  return view;
}

}  // namespace staithe::world
