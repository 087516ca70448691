#include "facts.hpp"
#include "sql_text.hpp"

#include "staithe/base/text.hpp"
#include "staithe/stage/rehearsal.hpp"

#include <algorithm>

namespace staithe::stage {
namespace {

std::vector<PlannedStatement> planned(const SqlFile& file) {
  std::vector<PlannedStatement> out;
  for (const auto& statement : file.statements)
    out.push_back({statement.text, statement.line, statement.column, may_run_in_transaction(statement)});
  return out;
}

bool has_control(const SqlFile& file) {
  return std::any_of(file.statements.begin(), file.statements.end(),
                     [](const auto& statement) { return facts_of(statement).front().act == Act::control; });
}

class HeaderReader {
 public:
  HeaderReader(const std::string& path, diag::Diagnostics& diagnostics)
      : path_(path), diagnostics_(diagnostics) {}

  void read(const Header& header, MigrationFile& file) {
    const auto space = std::min(header.words.find(' '), header.words.size());
    const std::string key = header.words.substr(0, space);
    const std::string value(base::trim(std::string_view(header.words).substr(space)));
    if (key == "no-transaction") {
      file.transactions = Transactions::each;
      if (!value.empty()) say(header, "no-transaction takes no value");
    } else if (key == "lock-timeout") {
      file.lock_timeout = duration(header, key, value);
    } else if (key == "expect") {
      file.expected = duration(header, key, value);
    } else {
      static const std::vector<std::string> known{"no-transaction", "lock-timeout", "expect"};
      const auto near = base::nearest(key, known);
      say(header, "unknown header '" + key + "'",
          near ? "did you mean '" + *near + "'?"
               : "there are no-transaction, lock-timeout TIME and expect TIME");
    }
  }

 private:
  void say(const Header& header, std::string text, std::string help = {}) {
    diagnostics_.error({path_, header.line, header.column}, std::move(text), {}, std::move(help));
  }
  std::optional<base::Duration> duration(const Header& header, const std::string& key,
                                         const std::string& value) {
    auto parsed = base::parse_duration(value);
    if (!parsed) say(header, key + " takes a time such as 500ms or 2s, not '" + value + "'");
    return parsed;
  }

  const std::string& path_;
  diag::Diagnostics& diagnostics_;
};

void refuse_outside(const MigrationFile& file, diag::Diagnostics& diagnostics) {
  if (file.transactions != Transactions::one) return;
  for (const auto& statement : file.statements)
    if (!statement.in_transaction)
      diagnostics.error(
          {file.path, statement.line, statement.column},
          "the server refuses this statement inside a transaction", {},
          "put '-- staithe: no-transaction' on the first line: each statement then commits by itself");
}

}  // namespace

std::string down_path_of(std::string_view path) {
  if (path.ends_with(".down.sql")) return {};
  for (const std::string_view end : {".up.sql", ".sql"})
    if (path.ends_with(end)) return std::string(path.substr(0, path.size() - end.size())) + ".down.sql";
  return {};
}

std::vector<MigrationFile> read_migrations(const MigrationSources& sources, diag::Diagnostics& diagnostics) {
  std::vector<MigrationFile> files;
  for (const auto& source : sources.up) {
    MigrationFile file;
    file.path = source.path;
    file.sha256 = base::sha256_hex(source.text);
    const SqlFile sql = split_sql(source.text, source.path, diagnostics);
    if (has_control(sql)) file.transactions = Transactions::own;
    HeaderReader headers(source.path, diagnostics);
    for (const auto& header : sql.headers) headers.read(header, file);
    file.statements = planned(sql);
    if (file.statements.empty()) diagnostics.error({source.path, 0, 0}, "there is no statement in this file");
    refuse_outside(file, diagnostics);
    if (const auto down = sources.down.find(source.path); down != sources.down.end()) {
      file.down_path = down->second.path;
      file.down_sha256 = base::sha256_hex(down->second.text);
      file.down = planned(split_sql(down->second.text, down->second.path, diagnostics));
    }
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace staithe::stage
