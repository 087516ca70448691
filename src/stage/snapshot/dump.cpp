#include "dump.hpp"

#include "encoding.hpp"
#include "roles.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/pg/programs.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace staithe::stage {
namespace {

constexpr std::size_t largest_schema = 1024UL * 1024 * 1024;

/// The first line that says an error; of a program's many words the one that matters.
std::string complaint(const std::string& said) {
  std::string last;
  for (const auto& line : base::split(said, '\n')) {
    if (line.find("error:") != std::string::npos) return line;
    if (!base::trim(line).empty()) last = line;
  }
  return last;
}

std::string run_program(proc::Command command, const char* name, const base::Scope& scope) {
  command.keep_bytes = largest_schema;
  auto exit = proc::run(command, scope);
  if (!exit.ok())
    throw base::Error(base::ErrorCode::failed,
                      fmt::format("{}: {}: {}", name, exit.text(), complaint(exit.err)));
  if (exit.out_bytes != exit.out.size())
    throw base::Error(base::ErrorCode::invalid, fmt::format("{} printed more than a gigabyte", name));
  return std::move(exit.out);
}

/// "pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)"; 0 when there is none or it says something else.
int major_in_path(const char* name, const base::Scope& scope) {
  proc::Command command;
  command.argv = {name, "--version"};
  try {
    const auto said = proc::run(command, scope).out;
    const auto at = said.find(") ");
    int major = 0;
    if (at != std::string::npos) std::from_chars(said.data() + at + 2, said.data() + said.size(), major);
    return major;
  } catch (const base::Error& error) {
    if (error.code() != base::ErrorCode::not_found) throw;
    return 0;
  }
}

/// One for PostgreSQL `major`: where packages put it, else what PATH has when it is new enough.
std::string program(const char* name, int major, const base::Scope& scope) {
  try {
    return pg::find_program(name, major);
  } catch (const base::Error&) {
    if (major_in_path(name, scope) < major) throw;
    return name;
  }
}

std::string dump(const std::string& url, const std::string& exported, const SnapshotPlan& plan,
                 const std::string& application, const base::Scope& scope) {
  proc::Command command;
  command.argv = {program("pg_dump", plan.source.version / 10000, scope), "-Fc", "--schema-only",
                  "--no-password", "--no-subscriptions", "--snapshot=" + exported,
                  // Else it is what the environment or the role says of clients.
                  "--encoding=" + spoken_to(plan.source.encoding),
                  fmt::format("--lock-wait-timeout={}", plan.settings.lock_wait.count())};
  if (!plan.settings.keep_grants) command.argv.emplace_back("--no-privileges");
  for (const auto& keyword : pg::keywords_without_variable(url))
    throw base::Error(base::ErrorCode::invalid,
                      "the PostgreSQL URL has '" + keyword + "', which cannot be handed on to pg_dump");
  command.environment = pg::program_environment(url);
  command.environment.emplace_back("PGAPPNAME", application);
  command.environment.emplace_back("PGOPTIONS",
                                   "-c default_transaction_read_only=on -c tcp_keepalives_idle=10"
                                   " -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
                                   " -c tcp_user_timeout=20000");
  return run_program(std::move(command), "pg_dump", scope);
}

enum class Owners { named, left_out };

std::string script_of(const std::string& archive, const char* section, int major, Owners owners,
                      const base::Scope& scope) {
  proc::Command command;
  // --verbose is what puts the OIDs into the script.
  command.argv = {program("pg_restore", major, scope), "--verbose", "--no-tablespaces",
                  fmt::format("--section={}", section), "--file=-"};
  if (owners == Owners::left_out) command.argv.emplace_back("--no-owner");
  command.input = archive;
  return run_program(std::move(command), "pg_restore", scope);
}

}  // namespace

void require_programs(const Catalogue& source, const base::Scope& scope) {
  for (const char* name : {"pg_dump", "pg_restore"}) program(name, source.version / 10000, scope);
}

Schema dump_schema(const std::string& url, const std::string& exported, const SnapshotPlan& plan,
                   const std::string& application, const base::Scope& scope) {
  const int major = plan.source.version / 10000;
  const auto archive = dump(url, exported, plan, application, scope);
  Schema schema;
  std::string preamble;
  const auto owners = plan.settings.roles.empty() ? Owners::left_out : Owners::named;
  schema.before = split_script(script_of(archive, "pre-data", major, owners, scope), preamble);
  schema.after = split_script(script_of(archive, "post-data", major, owners, scope), preamble);
  for (auto* entries : {&schema.before, &schema.after}) {
    for (auto& entry : *entries) map_roles(entry, plan.settings.roles);
    split_rights(*entries);
  }
  if (schema.before.empty() && !plan.tables.empty())
    throw base::Error(base::ErrorCode::protocol, "pg_restore's script cannot be understood");
  std::string all;
  for (const auto& entry : schema.before) all += entry.sql;
  schema.digest = base::sha256_hex(all);
  return schema;
}

}  // namespace staithe::stage
